/**
 * What is to be done for the lines of a request: parsed, and put together where they are a group. Pure.
 *
 * - G1 a group is all or none: if one of its lines cannot be read as a line, none of the others is tried.
 * - G2 a group stands in one piece, and once: lines that share its name elsewhere make it none.
 * - G3 a line whose group cannot be read may have belonged to the one beside it: that one is not tried.
 * - G4 a key of a group stands once in the request: it would otherwise depend on the ledger's pace whose it is.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { bulk, type FieldError, limits, type ProblemCode, readJsonText, validate } from '@local-plus/contracts';
import { bulkLimits } from './limits.ts';

/** Why a line is refused before the ledger is asked. */
export interface LineFault {
  readonly code: ProblemCode;
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
}

/** In the order of the lines; `index` is that of its first. */
export type Unit =
  | { readonly type: 'faulty'; readonly index: number; readonly fault: LineFault }
  | { readonly type: 'line'; readonly index: number; readonly line: bulk.BulkLine }
  | { readonly type: 'group'; readonly index: number; readonly lines: readonly bulk.BulkLine[] };

/** A group's name; null: of none; undefined: that cannot be read. */
type GroupName = string | null | undefined;
type Reading = { readonly group: GroupName } & (
  | { readonly line: bulk.BulkLine }
  | { readonly line: null; readonly fault: LineFault }
);

/** Consecutive lines of one group. */
interface Run {
  readonly name: string;
  readonly index: number;
  readonly readings: readonly Reading[];
  /** G3. */
  readonly isDoubtful: boolean;
}

/** Lets others have their turn between slices: parsing 5,000 lines takes as long as a thousand requests. */
export async function planOf(texts: readonly string[], linesPerTurn = bulkLimits.linesPerTurn): Promise<Unit[]> {
  const readings: Reading[] = [];
  for (const text of texts) {
    if (readings.length > 0 && readings.length % linesPerTurn === 0) await turn();
    readings.push(read(text));
  }
  const runs = runsOf(readings);
  if (runs.length === 0) return readings.map(unitOf);
  const counts = countsOf(readings, runs);
  const units: Unit[] = [];
  let nextRun = 0;
  for (let index = 0; index < readings.length; ) {
    const run = runs[nextRun];
    if (run?.index === index) {
      units.push(...unitsOf(run, counts));
      index += run.readings.length;
      nextRun++;
    } else {
      units.push(unitOf(readings[index] as Reading, index));
      index++;
    }
  }
  return units;
}

function read(text: string): Reading {
  const reading = readJsonText(text);
  if (!reading.ok) {
    return { group: undefined, line: null, fault: { code: 'invalid_json', errors: [reading.error] } };
  }
  const validation = validate(bulk.line, reading.value);
  if (validation.ok) return { group: validation.value.group ?? null, line: validation.value };
  const fault: LineFault = { code: 'invalid_request', errors: validation.errors };
  return { group: groupOf(reading.value), line: null, fault };
}

/** Of what is JSON, but no line. */
function groupOf(value: unknown): GroupName {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { group } = value as { group?: unknown };
  if (group === undefined) return null;
  const parsed = bulk.group.safeParse(group);
  return parsed.success ? parsed.data : undefined;
}

function unitOf(reading: Reading, index: number): Unit {
  return reading.line === null
    ? { type: 'faulty', index, fault: reading.fault }
    : { type: 'line', index, line: reading.line };
}

function runsOf(readings: readonly Reading[]): Run[] {
  const runs: Run[] = [];
  for (let index = 0; index < readings.length; ) {
    const name = readings[index]?.group;
    let end = index + 1;
    if (name !== null && name !== undefined) {
      while (readings[end]?.group === name) end++;
      const isDoubtful = isUnknown(readings[index - 1]) || isUnknown(readings[end]);
      runs.push({ name, index, readings: readings.slice(index, end), isDoubtful });
    }
    index = end;
  }
  return runs;
}

function isUnknown(reading: Reading | undefined): boolean {
  return reading !== undefined && reading.group === undefined;
}

interface Counts {
  readonly runs: ReadonlyMap<string, number>;
  /** By wallet and key; only where there are groups. */
  readonly keys: ReadonlyMap<string, number>;
}

function countsOf(readings: readonly Reading[], runs: readonly Run[]): Counts {
  const byName = new Map<string, number>();
  for (const { name } of runs) byName.set(name, (byName.get(name) ?? 0) + 1);
  const keys = new Map<string, number>();
  for (const { line } of readings) {
    if (line !== null) keys.set(keyOf(line), (keys.get(keyOf(line)) ?? 0) + 1);
  }
  return { runs: byName, keys };
}

function keyOf(line: bulk.BulkLine): string {
  return `${line.wallet_id} ${line.idempotency_key}`;
}

function unitsOf(run: Run, counts: Counts): Unit[] {
  const whole = faultOf(run, counts);
  const lines = run.readings.flatMap(({ line }) => (line === null ? [] : [line]));
  const isSound = whole === null && lines.length === run.readings.length;
  const [only] = lines;
  if (isSound && only !== undefined) {
    // A group of one is the line itself.
    return lines.length === 1
      ? [{ type: 'line', index: run.index, line: only }]
      : [{ type: 'group', index: run.index, lines }];
  }
  const others: LineFault = whole ?? { code: 'group_refused' };
  return run.readings.map((reading, at) => {
    const fault = reading.line === null ? reading.fault : (ownFault(reading.line, run, counts) ?? others);
    return { type: 'faulty', index: run.index + at, fault };
  });
}

/** What is wrong with the group as such, and so with each of its lines. */
function faultOf(run: Run, counts: Counts): LineFault | null {
  const { readings, name } = run;
  if ((counts.runs.get(name) ?? 0) > 1) return groupFault('not_consecutive', 'The lines of a group follow each other.');
  if (readings.length > limits.bulkGroupLinesMax) {
    return groupFault('too_big', `A group has at most ${limits.bulkGroupLinesMax} lines.`);
  }
  const wallets = new Set(readings.flatMap(({ line }) => (line === null ? [] : [line.wallet_id])));
  if (wallets.size > 1) return groupFault('several_wallets', 'The lines of a group are of one wallet.');
  const isTorn = readings.some(({ line }) => line !== null && ownFault(line, run, counts) !== null);
  return run.isDoubtful || isTorn ? { code: 'group_refused' } : null;
}

/** G4. A group of one shares its key as a line does. */
function ownFault(line: bulk.BulkLine, { readings }: Run, counts: Counts): LineFault | null {
  if (readings.length === 1 || (counts.keys.get(keyOf(line)) ?? 0) < 2) return null;
  const detail = 'A key of a group stands once in the request.';
  return { code: 'invalid_request', errors: [{ pointer: '/idempotency_key', code: 'duplicate', detail }] };
}

function groupFault(code: string, detail: string): LineFault {
  return { code: 'invalid_request', errors: [{ pointer: '/group', code, detail }] };
}
