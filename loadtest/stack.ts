/**
 * The running stack, as `npm start` describes it in `.local/stack.json`. Parsed once, here.
 */
import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';

const pid = z.int().positive().nullable();

const stackFile = z.object({
  edge_url: z.url(),
  core_url: z.url(),
  database_url: z.string(),
  databases: z.array(z.object({ id: z.int(), url: z.string(), pid })).min(1),
  kafka_brokers: z.string().nullable(),
  api_key: z.string(),
  merchant_id: z.uuid(),
  program_id: z.uuid(),
  wallet_ids: z.array(z.uuid()).min(2),
  signing_key: z.string(),
  pids: z.object({ core: pid, edge: pid, postgres: pid, kafka: pid, valkey: pid }),
  cores: z.array(z.object({ writer_id: z.int(), database_id: z.int(), pid })),
});
export type Stack = z.infer<typeof stackFile>;
export type StackPart = keyof Stack['pids'];

/** One plain sentence for the person at the terminal, printed without a stack. */
export class LoadError extends Error {
  override readonly name = 'LoadError';
}

/** Errors: a {@link LoadError} when there is no stack, or what stands there is not one. */
export function readStack(path: string): Stack {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new LoadError(`There is no running stack (${path} is not there): run \`npm start\` first.`, { cause });
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new LoadError(`${path} is not JSON: run \`npm start\` again.`, { cause });
  }
  const parsed = stackFile.safeParse(content);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
  throw new LoadError(`${path} does not describe a stack with a demo merchant: ${faults.join('; ')}.`);
}

/**
 * The processes of the stack by part, as its file says at each call: a restarted part has another pid. The file is
 * read again only when it changed; while it is away, or half written, the last known pids hold.
 */
export function watchPids(path: string): () => ReadonlyMap<string, number> {
  let readMs = 0;
  let pids = new Map<string, number>();
  return () => {
    const changedMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? readMs;
    if (changedMs === readMs) return pids;
    try {
      pids = new Map(partsOf(readStack(path)).filter((entry): entry is [string, number] => entry[1] !== null));
      readMs = changedMs;
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
    }
    return pids;
  };
}

/** Of several processes of core, and of several databases, the first is called as the only one is. */
function partsOf({ pids, databases, cores }: Stack): readonly (readonly [string, number | null])[] {
  const several: (readonly [string, number | null])[] = [];
  for (const { writer_id, pid } of cores.slice(1)) several.push([`core ${writer_id}`, pid]);
  for (const { id, pid } of databases.slice(1)) several.push([`postgres ${id}`, pid]);
  return [...Object.entries(pids), ...several];
}

/** Prints what stopped a command: a sentence for what a person can mend, the whole error for a bug. */
export function printFailure(error: unknown): void {
  console.error(error instanceof LoadError ? error.message : error);
}
