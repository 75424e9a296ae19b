/**
 * Linearizability of each account. The ledger's versions are the order in which things happened; what is left to show is that
 * this order agrees with the clients' clock. Pure.
 *
 * - A write has its version, and happened between its first attempt and its answer. A read, and a refusal, tell a version: that
 *   state was there at some moment between question and answer.
 * - R1 what was known before a question was asked is in its answer: no read, refusal or write has a version below what any
 *   answer before it told; a write's is above.
 * - R2 nobody is shown what was asked for only later, or what was never committed.
 * - R3 what is shown of a version is what the ledger has of it.
 */
import { z } from 'zod';
import { type CheckResult, type LedgerRow, Violations } from '../../reconcile/checks.ts';
import type { Call } from '../history.ts';
import type { StoredRefusal } from '../stage/observer.ts';
import type { Found } from './accounting.ts';
import { type Claim, nameOf } from './claims.ts';

/** Something that happened to an account, or was told of it, at an unknown moment of its time. */
interface Point {
  readonly version: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly isWrite: boolean;
  readonly name: string;
}

const shown = z.object({
  balance: z.int(),
  held: z.int(),
  available: z.int(),
  version: z.int(),
});

export interface OrderInput {
  readonly calls: readonly Call[];
  readonly claims: readonly Claim[];
  readonly found: ReadonlyMap<Claim, Found>;
  /** In the order of account, version. */
  readonly rows: readonly LedgerRow[];
  readonly refusals: readonly StoredRefusal[];
}

export function checkOrder(input: OrderInput): CheckResult[] {
  const order = new Violations('linearizable: what was known before a question is in its answer');
  const ahead = new Violations('linearizable: nothing is shown before it was asked for');
  const content = new Violations('I4 what is shown is what was committed');
  const rows = new Map<string, LedgerRow[]>();
  for (const row of input.rows) into(rows, row.accountId, row);
  const points = new Map<string, Point[]>();
  const begun = new Map<LedgerRow, number>();
  addWrites(input, points, begun);
  addReads(input.calls, points, rows, content);
  addRefusals(input, points, rows, content);
  for (const [accountId, ofAccount] of points) {
    judge(accountId, ofAccount, order);
    for (const point of ofAccount) {
      ahead.looked++;
      const row = rows.get(accountId)?.[point.version - 1];
      const startMs = row === undefined ? Number.NEGATIVE_INFINITY : (begun.get(row) ?? Number.NEGATIVE_INFINITY);
      if (startMs > point.endMs) ahead.add(`${point.name} told version ${point.version}, which was asked for later`);
    }
  }
  return [order.result(), ahead.result(), content.result()];
}

function addWrites({ found }: OrderInput, points: Map<string, Point[]>, begun: Map<LedgerRow, number>): void {
  for (const [claim, { own, arrivals, returns }] of found) {
    for (const row of [...own, ...arrivals, ...returns]) {
      begun.set(row, claim.startMs);
      const { startMs, endMs } = claim;
      into(points, row.accountId, { version: row.version, startMs, endMs, isWrite: true, name: nameOf(claim) });
    }
  }
}

function addReads(
  calls: readonly Call[],
  points: Map<string, Point[]>,
  rows: ReadonlyMap<string, readonly LedgerRow[]>,
  content: Violations,
): void {
  for (const call of calls) {
    const last = call.attempts.at(-1);
    if (call.operation !== 'balance' || call.outcome !== 'ok' || last === undefined) continue;
    content.looked++;
    const name = `the balance of wallet ${call.walletId} read at ${Math.round(last.sentMs)} ms`;
    const told = shown.safeParse(call.answer);
    if (!told.success) {
      content.add(`${name} is none`);
      continue;
    }
    const { version, balance, held, available } = told.data;
    const wrong = differs(rows.get(call.walletId), version, balance, held);
    if (wrong !== null) content.add(`${name} ${wrong}`);
    else if (available !== balance - held)
      content.add(`${name} has ${available} available of ${balance} with ${held} held`);
    into(points, call.walletId, { version, startMs: last.sentMs, endMs: last.endedMs, isWrite: false, name });
  }
}

/** The state that a refusal was decided on stands beside it. */
function addRefusals(
  { claims, refusals }: OrderInput,
  points: Map<string, Point[]>,
  rows: ReadonlyMap<string, readonly LedgerRow[]>,
  content: Violations,
): void {
  const byPlace = new Map(refusals.map((refusal) => [`${refusal.accountId} ${refusal.key}`, refusal]));
  for (const claim of claims) {
    const refusal = byPlace.get(`${claim.walletId} ${claim.key}`);
    if (claim.outcome !== 'refused' || refusal === undefined) continue;
    content.looked++;
    const { version, balance, held, amount, code } = refusal;
    const name = `the refusal of ${nameOf(claim)}`;
    const wrong = differs(rows.get(claim.walletId), version, balance, held);
    if (wrong !== null) content.add(`${name} ${wrong}`);
    else if (code === 'insufficient_funds' && claim.operation !== 'transfer' && balance - held >= amount) {
      content.add(`${name}: ${balance - held} were available, ${amount} were wanted`);
    }
    const { startMs, endMs } = claim;
    into(points, claim.walletId, { version, startMs, endMs, isWrite: false, name });
  }
}

/** R3. Versions are dense, which is another check's business: then the n-th row has version n. */
function differs(
  rows: readonly LedgerRow[] | undefined,
  version: number,
  balance: number,
  held: number,
): string | null {
  const row = rows?.[version - 1];
  if (version > 0 && row === undefined) return `tells version ${version}, which was never committed`;
  const expected = [row?.balanceAfter ?? 0, row?.heldAfter ?? 0];
  if (expected[0] === balance && expected[1] === held) return null;
  return `tells ${balance} with ${held} held at version ${version}; the ledger has ${expected[0]} with ${expected[1]}`;
}

/** R1, in one sweep over starts and ends. */
function judge(accountId: string, points: readonly Point[], order: Violations): void {
  const ended = points.toSorted((a, b) => a.endMs - b.endMs);
  let next = 0;
  let newest: Point | null = null;
  for (const point of points.toSorted((a, b) => a.startMs - b.startMs)) {
    order.looked++;
    for (let before = ended[next]; before !== undefined && before.endMs < point.startMs; before = ended[++next]) {
      if (newest === null || before.version > newest.version) newest = before;
    }
    if (newest === null) continue;
    const isBelow: boolean = point.isWrite ? point.version <= newest.version : point.version < newest.version;
    if (!isBelow) continue;
    order.add(
      `account ${accountId}: ${point.name} has version ${point.version}, asked for ${Math.round(point.startMs - newest.endMs)} ms after ${newest.name} was answered with version ${newest.version}`,
    );
  }
}

function into<Key, Item>(map: Map<Key, Item[]>, key: Key, item: Item): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [item]);
  else known.push(item);
}
