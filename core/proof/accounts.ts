/**
 * The audit of accounts, row by row in the order of account, version: density, balances, the chain, the machine, restoring.
 * Pure; keeps one account's state and at most the rows that restoring it would read.
 *
 * A row that is wrong is named, and then believed: otherwise every later row of its account would be wrong as well.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  type AccountHead,
  type AccountRecord,
  type AccountState,
  accountLimits,
  apply,
  chainText,
  detailText,
  openedAccount,
  type Posting,
  restore,
} from '@local-plus/actors';
import { type ProgramAccountRole, programAccount } from '@local-plus/contracts';
import { sha256Hex } from '../platform/digest/index.ts';
import type { Findings, Place } from './findings.ts';
import type { AuditRow } from './rows.ts';

/** The other leg of each kind; of a reversal, that of what it reverses. */
const contraRoles: Readonly<Record<Posting['kind'], readonly ProgramAccountRole[]>> = {
  earn: ['issued'],
  burn: ['redeemed'],
  hold: ['redeemed'],
  capture: ['redeemed'],
  release: ['redeemed'],
  reverse: ['issued', 'redeemed', 'adjusted', 'transit'],
  adjust: ['adjusted'],
  expire: ['expired'],
  load: ['issued'],
  redeem: ['redeemed'],
  transfer_out: ['transit'],
  transfer_in: ['transit'],
  freeze: ['adjusted'],
  unfreeze: ['adjusted'],
};

/** When a writer began to hash its rows, and the last row after which it had not. */
interface WriterChain {
  firstHashed: number;
  lastBare: { readonly position: number; readonly place: Place } | null;
}

export class AccountsAudit {
  readonly #findings: Findings;
  readonly #writers = new Map<number, WriterChain>();
  #last: AuditRow | null = null;
  /** null: the account's rows up to here do not add up, so nothing can be said of what follows from them. */
  #state: AccountState | null = null;
  /** From the row that restoring begins at up to the newest. */
  #restoredFrom: AuditRow[] = [];

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** The state after the newest row, where it is known. */
  get state(): AccountState | null {
    return this.#state;
  }

  isFirstOfAccount({ row }: AuditRow): boolean {
    return this.#last?.row.facts.accountId !== row.facts.accountId;
  }

  /** @param before for the first row of an account whose audit does not begin at version 1: what its state comes from */
  add(next: AuditRow, before: readonly AuditRow[] = []): void {
    if (this.isFirstOfAccount(next)) this.#open(before);
    this.#checkPlace(next);
    this.#checkBalance(next);
    this.#checkChain(next);
    this.#checkMachine(next);
    this.#checkCheckpoint(next);
    this.#last = next;
  }

  /** After the last row. */
  end(): void {
    this.#closeAccount();
    this.#last = null;
    for (const { firstHashed, lastBare } of this.#writers.values()) {
      if (lastBare === null || lastBare.position < firstHashed) continue;
      this.#findings.wrong('chain', lastBare.place, 'has no hash, though its writer had begun to hash rows');
    }
  }

  #open(before: readonly AuditRow[]): void {
    this.#closeAccount();
    this.#last = before.at(-1) ?? null;
    this.#restoredFrom = [...before];
    if (this.#last === null) this.#state = openedAccount;
    else {
      const restored = attempt(() => restore(recordOf(before)));
      this.#state = restored.value;
      if (restored.value === null) this.#findings.wrong('restore', placeOf(this.#last), restored.fault);
    }
  }

  #checkPlace(next: AuditRow): void {
    const findings = this.#findings;
    const { posting } = next.row;
    const place = placeOf(next);
    findings.looked('versions');
    const expected = (this.#last?.row.posting.version ?? 0) + 1;
    if (posting.version !== expected) {
      findings.wrong('versions', place, 'stands in the wrong place', { expected, found: posting.version });
    } else if (this.#last?.writerId === next.writerId && this.#last.position >= next.position) {
      findings.wrong('versions', place, 'was committed before the version below it');
    }
    findings.looked('entries');
    const roles = contraRoles[posting.kind];
    const accounts = roles.map((role) => programAccount(next.row.facts.programId, role));
    if (!accounts.includes(posting.contraAccountId)) {
      const compared = { expected: `${roles.join(' or ')} of its program`, found: posting.contraAccountId };
      findings.wrong('entries', place, 'has its other leg on a wrong account', compared);
    }
  }

  #checkBalance(next: AuditRow): void {
    const { balanceDelta, balanceAfter: found } = next.row.posting;
    this.#findings.looked('balances');
    const expected = (this.#last?.row.posting.balanceAfter ?? 0) + balanceDelta;
    if (found !== expected) this.#findings.wrong('balances', placeOf(next), 'balance_after', { expected, found });
  }

  #checkChain(next: AuditRow): void {
    const { hash: found, posting } = next.row;
    const previous = this.#last?.row.hash ?? null;
    const findings = this.#findings;
    this.#noteWriter(next);
    if (found === null) {
      if (previous !== null) findings.wrong('chain', placeOf(next), 'has no hash, though the row before it has one');
      return;
    }
    findings.looked('chain');
    const expected = attempt(() => sha256Hex(chainText(previous, next.row)));
    if (found !== expected.value) {
      findings.wrong('chain', placeOf(next), 'hash', { expected: expected.value ?? expected.fault, found });
    } else if (next.detail !== detailText(posting.detail)) {
      findings.wrong('chain', placeOf(next), 'detail is not the text that was hashed');
    } else if (!next.isWholeMs) {
      findings.wrong('chain', placeOf(next), 'occurred_at has a fraction of a millisecond that was not hashed');
    }
  }

  #noteWriter(next: AuditRow): void {
    let writer = this.#writers.get(next.writerId);
    if (writer === undefined) {
      writer = { firstHashed: Number.POSITIVE_INFINITY, lastBare: null };
      this.#writers.set(next.writerId, writer);
    }
    if (next.row.hash !== null) writer.firstHashed = Math.min(writer.firstHashed, next.position);
    else if (next.position > (writer.lastBare?.position ?? -1)) {
      writer.lastBare = { position: next.position, place: placeOf(next) };
    }
  }

  #checkMachine(next: AuditRow): void {
    const { posting } = next.row;
    this.#findings.looked('machine');
    const before = this.#state;
    const after = before === null ? null : attempt(() => apply(before, posting));
    if (after !== null && after.value === null) this.#findings.wrong('machine', placeOf(next), after.fault);
    // A row that is wrong, or follows from one that is, is a place to begin again only if it says all.
    this.#state = after?.value ?? (saysAll(next) ? restoredFrom([next]) : null);
  }

  #checkCheckpoint(next: AuditRow): void {
    const { posting } = next.row;
    if (saysAll(next)) this.#restoredFrom = [next];
    else this.#restoredFrom.push(next);
    if (this.#restoredFrom.length > accountLimits.checkpointEvery + 1) {
      this.#findings.wrong(
        'restore',
        placeOf(next),
        `is more than ${accountLimits.checkpointEvery} rows from its base`,
      );
      this.#restoredFrom.shift();
    }
    if (next.checkpoint === null) {
      const isMissing = posting.baseVersion === posting.version;
      if (isMissing) this.#findings.wrong('restore', placeOf(next), 'has no checkpoint, but restoring begins at it');
      return;
    }
    this.#findings.looked('restore');
    const state = this.#state;
    const checkpoint = next.checkpoint;
    if (state !== null) {
      const read = attempt(() => restore({ base: checkpoint, tail: [], hash: null }));
      this.#compare(next, { ...state, baseVersion: posting.version }, read, 'the checkpoint');
    }
  }

  /** What the next command of this account would be decided on. */
  #closeAccount(): void {
    const last = this.#last;
    if (last === null || this.#state === null || this.#restoredFrom.length === 0) return;
    this.#findings.looked('restore');
    const restored = attempt(() => restore(recordOf(this.#restoredFrom)));
    this.#compare(last, this.#state, restored, `restoring from version ${last.row.posting.baseVersion ?? 'itself'}`);
  }

  #compare(at: AuditRow, expected: AccountState, read: Attempt<AccountState>, what: string): void {
    if (read.value === null) this.#findings.wrong('restore', placeOf(at), `${what}: ${read.fault}`);
    else if (!isDeepStrictEqual(read.value, expected)) {
      const compared = { expected: JSON.stringify(expected), found: JSON.stringify(read.value) };
      this.#findings.wrong('restore', placeOf(at), what, compared);
    }
  }
}

export function placeOf({ row }: AuditRow): Place {
  return { accountId: row.facts.accountId, version: row.posting.version };
}

/** By itself, or by its checkpoint. */
function saysAll({ row, checkpoint }: AuditRow): boolean {
  const { baseVersion, version } = row.posting;
  return baseVersion === null || (checkpoint !== null && baseVersion === version);
}

function restoredFrom(rows: readonly AuditRow[]): AccountState | null {
  return attempt(() => restore(recordOf(rows))).value;
}

/** The record as the ledger's store gives it to the machine; `rows` end with the account's newest. */
function recordOf(rows: readonly AuditRow[]): AccountRecord {
  const { posting, hash: link } = (rows.at(-1) as AuditRow).row;
  if (posting.baseVersion === null) return { base: headOf(posting), tail: [], hash: link };
  const postings = rows.map(({ row }) => row.posting);
  if (posting.baseVersion === 0) return { base: null, tail: postings, hash: link };
  const at = rows.findIndex(({ row }) => row.posting.version === posting.baseVersion);
  const base = rows[at];
  if (base === undefined || (base.checkpoint === null && base.row.posting.baseVersion !== null))
    throw new Error(`version ${posting.baseVersion}, which restoring begins at, says what the account was`);
  return { base: base.checkpoint ?? headOf(base.row.posting), tail: postings.slice(at + 1), hash: link };
}

function headOf({ version, balanceAfter, heldAfter, occurredAtMs }: Posting): AccountHead {
  return { version, balance: balanceAfter, held: heldAfter, lastAtMs: occurredAtMs };
}

interface Attempt<Value> {
  readonly value: Value | null;
  /** Why there is no value: the assertion that did not hold. */
  readonly fault: string;
}

/** Rows of any content come here: whatever the machine throws over them is a finding, not a fault of the audit. */
function attempt<Value>(make: () => Value): Attempt<Value> {
  try {
    return { value: make(), fault: '' };
  } catch (error) {
    return { value: null, fault: `breaks the rule that ${error instanceof Error ? error.message : String(error)}` };
  }
}
