/** The flags of `npm run chaos`, parsed once; a wrong one is a plain sentence. */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { LoadError } from '../stack.ts';
import { type Fault, faults } from './faults/index.ts';
import { limits } from './limits.ts';

export interface Arguments {
  readonly seed: number;
  readonly seconds: number;
  readonly ratePerS: number;
  readonly attemptsMax: number;
  readonly faults: readonly Fault[];
  /** Core runs without the epoch check of its fence: the checker has to find it. */
  readonly breakFence: boolean;
  /** How long everything may take to settle, in milliseconds. */
  readonly settleMs: number;
  /** Into `loadtest/results/chaos.*`. */
  readonly isRecorded: boolean;
  /** The folder stays, whatever was found. */
  readonly isKept: boolean;
}

/** What the gate runs: the faults that cost most when they are got wrong, in under a minute. */
const short = {
  seed: 2821,
  seconds: 24,
  faults: 'core-isolated,core-kill,core-zombie,core-restart,postgres-kill,link-half-open,link-cut',
};
/** One retry has to do. */
const rolling = { seconds: 60, ratePerS: 150, attemptsMax: 2, faults: 'rolling-restart' };
const breakFence = { seconds: 30, attemptsMax: limits.attemptsBrokenMax, faults: 'core-zombie' };

export function readArguments(args?: readonly string[]): Arguments {
  const { values } = parseArgs({
    ...(args === undefined ? {} : { args: [...args] }),
    options: {
      short: { type: 'boolean', default: false },
      rolling: { type: 'boolean', default: false },
      'break-fence': { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      seed: { type: 'string' },
      seconds: { type: 'string' },
      rate: { type: 'string' },
      faults: { type: 'string' },
    },
  });
  const form: Partial<typeof short & typeof rolling> = {
    ...(values.short && short),
    ...(values.rolling && rolling),
    ...(values['break-fence'] && breakFence),
  };
  return {
    seed: whole('--seed', values.seed, form.seed ?? randomInt(limits.seedMax), 0, limits.seedMax),
    seconds: whole('--seconds', values.seconds, form.seconds ?? limits.secondsDefault, 1, limits.secondsMax),
    ratePerS: whole('--rate', values.rate, form.ratePerS ?? limits.ratePerSDefault, 1, limits.ratePerSMax),
    attemptsMax: form.attemptsMax ?? limits.attemptsMax,
    faults: faultsOf(values.faults ?? form.faults ?? null),
    breakFence: values['break-fence'],
    settleMs: values['break-fence'] ? limits.settleBrokenMs : limits.settleMs,
    isRecorded: values.record,
    isKept: values.keep,
  };
}

/** Whether any of the faults needs it. */
export function needs({ faults }: Pick<Arguments, 'faults'>, what: NonNullable<Fault['needs']>): boolean {
  return faults.some((fault) => fault.needs === what);
}

function faultsOf(text: string | null): readonly Fault[] {
  if (text === null) return faults;
  return text.split(',').map((name) => {
    const fault = faults.find((each) => each.name === name);
    if (fault !== undefined) return fault;
    throw new LoadError(
      `--faults are any of ${faults.map((each) => each.name).join(', ')}, with commas, not "${name}".`,
    );
  });
}

function whole(flag: string, text: string | undefined, fallback: number, min: number, max: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new LoadError(`${flag} is a whole number from ${min} to ${max}, not "${text}".`);
}
