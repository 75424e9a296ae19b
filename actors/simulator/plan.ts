/**
 * What a seed decides before its history begins: how many accounts, how fast the wires, which faults and how often. Each
 * fault is on in about half of the histories, so that many of them show one fault alone and many show several at once.
 */
import { type RuntimeLimits, runtimeLimits } from '../runtime/limits.ts';
import { Random } from './random.ts';

/** Of one statement on its way to the store: at most one befalls it. */
export const statementFaults = ['request lost', 'reply lost', 'ghost', 'slow', 'server error'] as const;
/** Of the whole world, at moments of their own. */
export const incidents = ['restart', 'kill', 'takeover', 'stop', 'pause', 'clock jump'] as const;
/** Of one operation of a client. */
export const clientFaults = [
  'poison',
  'duplicate',
  'key reuse',
  'response lost',
  'hurry',
  'abandon',
  'late replay',
] as const;
export const faultKinds = [...statementFaults, 'look-up refused', 'oversize', ...incidents, ...clientFaults] as const;

export type StatementFault = (typeof statementFaults)[number];
export type Incident = (typeof incidents)[number];
export type FaultKind = (typeof faultKinds)[number];

/** What clients do; a plan has some of them, and always the first two. */
export const operationKinds = [
  'earn',
  'burn',
  'load',
  'redeem',
  'adjust',
  'hold',
  'capture',
  'release',
  'reverse',
  'transfer',
  'group',
  'freeze',
  'unfreeze',
  'clear',
  'decline',
  'due',
] as const;
export type OperationKind = (typeof operationKinds)[number];

/** The probability per statement or operation; of incidents, how many; of oversize, how many rows are too many. */
export type Faults = Readonly<Record<FaultKind, number>>;

export interface Plan {
  readonly seed: number;
  readonly operations: number;
  readonly accounts: number;
  readonly faults: Faults;
  /** As often as they stand here. */
  readonly kinds: readonly OperationKind[];
  /** Between two operations of a burst. */
  readonly gapMsMax: number;
  /** How often a burst ends: then nothing is asked for {@link PAUSE_GAPS} gaps. */
  readonly pauses: number;
  /** One way, to the store or to a client. */
  readonly latencyMsMax: number;
  readonly replyTimeoutMs: number;
  /** How much later than everything else a ghost may arrive. */
  readonly ghostMsMax: number;
  /** Wall-clock milliseconds per virtual one: days pass within a history. */
  readonly wallSpeed: number;
  /** The adapter opens a new connection by itself when one broke, instead of failing until it is reset. */
  readonly reconnects: boolean;
  /** The store refuses a poisoned batch before it looks at the fence. */
  readonly poisonBeforeFence: boolean;
  readonly limits: RuntimeLimits;
  /** How often a read is one of all whom nobody moves: where few are held, they push the others out. */
  readonly crowds: number;
}

/** What of a plan can be set by hand, and is made smaller when a failing history is shrunk. */
export interface PlanChanges {
  readonly operations?: number;
  readonly accounts?: number;
  readonly without?: readonly FaultKind[];
}

export const OPERATIONS_DEFAULT = 200;
export const PAUSE_GAPS = 20;

/**
 * The share of histories in which refused batches, their successors and ghosts meet all the time: what W7 is about takes
 * three of them at once, and would otherwise hardly be seen.
 */
const HAUNTED = 0.25;
const haunting: Partial<Faults> = { ghost: 0.2, poison: 0.2, oversize: 0 };

/** The share of histories of one account that comes far enough to be restored from a checkpoint, with what it holds. */
const LONG = 0.1;
const ageing: Partial<Faults> = { poison: 0, oversize: 0, hurry: 0, restart: 2, kill: 2 };

const rateMax: Faults = {
  'request lost': 0.04,
  'reply lost': 0.06,
  ghost: 0.08,
  slow: 0.02,
  'server error': 0.04,
  'look-up refused': 0.1,
  oversize: 8,
  restart: 2,
  kill: 3,
  takeover: 3,
  stop: 2,
  pause: 3,
  'clock jump': 4,
  poison: 0.12,
  duplicate: 0.15,
  'key reuse': 0.08,
  'response lost': 0.1,
  hurry: 0.2,
  abandon: 0.1,
  'late replay': 0.15,
};

export function planOf(seed: number, changes: PlanChanges = {}): Plan {
  const random = new Random(seed, 0);
  const isHaunted = random.chance(HAUNTED);
  const isLong = random.chance(LONG);
  const faults = { ...faultsOf(random), ...(isHaunted && haunting), ...(isLong && ageing) };
  const accounts = isLong ? 1 : random.pick([1, 1, 2, 3, 4, 6]);
  const plan: Plan = {
    seed,
    operations: OPERATIONS_DEFAULT,
    accounts,
    faults,
    kinds: isLong ? ['earn', 'earn', 'hold', ...kindsOf(random)] : kindsOf(random),
    gapMsMax: random.pick([1, 3, 6, 15]),
    pauses: random.pick([0, 0.05, 0.15]),
    latencyMsMax: random.pick([1, 2, 5, 15]),
    replyTimeoutMs: random.between(100, 400),
    ghostMsMax: random.pick([30, 200, 1_500]),
    wallSpeed: random.pick([1, 60, 86_400, 864_000]),
    reconnects: random.chance(0.5),
    poisonBeforeFence: random.chance(0.5),
    limits: { ...limitsOf(random), ...(isHaunted && { flightsMax: 2, overlapCommandsMin: 1 }) },
    crowds: random.pick([0, 0.1, 0.3]),
  };
  const { without = [], ...numbers } = changes;
  const calmed = Object.fromEntries(faultKinds.map((kind) => [kind, without.includes(kind) ? 0 : faults[kind]]));
  return { ...plan, ...numbers, faults: calmed as Faults };
}

function faultsOf(random: Random): Faults {
  const rates = faultKinds.map((kind) => {
    const isOn = random.chance(0.5);
    const share = (random.below(100) + 1) / 100;
    const rate = rateMax[kind] * share;
    const isCount = kind === 'oversize' || (incidents as readonly string[]).includes(kind);
    return [kind, isOn ? (isCount ? Math.ceil(rate) : rate) : 0] as const;
  });
  return Object.fromEntries(rates) as Faults;
}

function kindsOf(random: Random): readonly OperationKind[] {
  const some = operationKinds.filter((kind) => kind !== 'freeze' && random.chance(0.5));
  // Frozen now and then, not most of the time: an account that refuses everything tries nothing.
  const frozen: readonly OperationKind[] = random.chance(0.3) ? ['freeze', 'unfreeze', 'unfreeze', 'unfreeze'] : [];
  return ['earn', 'earn', 'earn', 'burn', 'burn', ...some, ...some, ...frozen];
}

/** Small ones, so that a history meets every bound. */
function limitsOf(random: Random): RuntimeLimits {
  const batchCommandsMax = random.pick([2, 5, 40]);
  const pendingMax = random.pick([8, 8, 60, 100, 100, 100]);
  // As few as the relations allow: reads of accounts that nobody moves push the others out all the time.
  const actorsMax = Math.max(pendingMax, 8);
  const backoffMs = random.between(2, 10);
  return {
    ...runtimeLimits,
    batchCommandsMax,
    flightsMax: random.pick([1, 2, 2, 2]),
    overlapCommandsMin: random.pick([1, 1, 2]),
    lookUpsMax: random.pick([2, 5, 50]),
    isOptimistic: random.chance(0.75),
    optimismAfterKeys: random.pick([0, 0, 1, 5]),
    mailboxMax: Math.min(pendingMax, random.pick([5, 100, 100, 100])),
    pendingMax,
    actorsMax,
    turnCommandsMax: random.between(1, batchCommandsMax),
    sweepMs: random.between(20, 150),
    backoffMs,
    backoffMsMax: random.between(backoffMs, 60),
    shelfPlaces: random.pick([8, 16, 64]),
    actorsRecentMax: random.pick([1, 4, actorsMax]),
  };
}
