/**
 * Reads a Dockerfile as far as its tests need: stages and their instructions. There is no container engine in the
 * gate, so what an engine would do with them is checked, and played, without one.
 */

export interface Instruction {
  /** In capitals: `COPY`. */
  readonly name: string;
  readonly flags: Readonly<Record<string, string>>;
  /** What follows the flags, on one line. */
  readonly text: string;
}

export interface Stage {
  readonly base: string;
  /** `null` when the stage has no name. */
  readonly name: string | null;
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  /** Before the first stage: `ARG`s. */
  readonly preamble: readonly Instruction[];
  readonly stages: readonly Stage[];
}

export function parseDockerfile(text: string): Dockerfile {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const preamble: Instruction[] = [];
  const stages: { base: string; name: string | null; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const instruction = parseInstruction(line);
    if (instruction.name === 'FROM') {
      const [base = '', , name = null] = instruction.text.split(/\s+/);
      stages.push({ base, name, instructions: [] });
    } else {
      (stages.at(-1)?.instructions ?? preamble).push(instruction);
    }
  }
  return { preamble, stages };
}

function parseInstruction(line: string): Instruction {
  const [name = '', ...words] = line.trim().split(/\s+/);
  const flags: Record<string, string> = {};
  while (words[0]?.startsWith('--')) {
    const [flag = '', value = ''] = (words.shift() ?? '').slice(2).split('=');
    flags[flag] = value;
  }
  return { name: name.toUpperCase(), flags, text: words.join(' ') };
}

/** The instructions of one name. */
export function instructionsOf(stage: Stage, name: string): Instruction[] {
  return stage.instructions.filter((instruction) => instruction.name === name);
}

/** `["a", "b"]`, as the exec form has it; throws on the shell form, which would put a shell before the process. */
export function execForm(text: string): string[] {
  const words: unknown = JSON.parse(text);
  if (!Array.isArray(words) || !words.every((word) => typeof word === 'string'))
    throw new Error(`no exec form: ${text}`);
  return words;
}

/** `A=1 B="two"`. */
export function keyValues(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/([\w.]+)=("[^"]*"|\S+)/g)].map(([, key = '', value = '']) => [key, value.replace(/^"|"$/g, '')]),
  );
}
