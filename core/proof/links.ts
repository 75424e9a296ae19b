/**
 * Rows that name other rows: the two sides of a transfer, and a reversal with what it reverses. Looked up by pages, each
 * by the index that the ledger itself uses.
 */
import type { AccountState, TransactionKind } from '@local-plus/actors';
import { decodeTransactionId, type ProgramAccountRole, programAccount, seqOf } from '@local-plus/contracts';
import type { Database } from '../platform/postgres/index.ts';
import { placeOf } from './accounts.ts';
import type { Findings } from './findings.ts';
import type { AuditRow } from './rows.ts';

/** The other side's key is made of this side's: with a space, so that no client's key can be it. */
const incomingKey = (fromAccountId: string, key: string): string => `transfer ${fromAccountId} ${key}`;

const otherSidesStatement = `
select q.n::int as n, t.kind::text as kind, t.amount, t.program_id, t.detail ->> 'partner' as partner
from unnest($1::uuid[], $2::text[]) with ordinality as q(account_id, key, n),
  lateral (select * from transactions where account_id = q.account_id and idempotency_key = q.key limit 1) as t`;

const originalsStatement = `
select q.n::int as n, t.account_id, t.version, t.kind::text as kind, t.amount,
  (extract(epoch from t.occurred_at) * 1000)::bigint as occurred_ms
from unnest($1::text[]) with ordinality as q(seq, n), lateral (select * from transactions where seq = q.seq::bigint) as t`;

/** The other leg of what is reversed; a kind that is not here cannot be reversed. */
const reversible: Readonly<Partial<Record<TransactionKind, ProgramAccountRole>>> = {
  earn: 'issued',
  load: 'issued',
  burn: 'redeemed',
  redeem: 'redeemed',
  capture: 'redeemed',
  adjust: 'adjusted',
};

interface OtherSide {
  readonly n: number;
  readonly kind: TransactionKind;
  readonly amount: number;
  readonly program_id: string;
  readonly partner: string | null;
}

interface Original {
  readonly n: number;
  readonly account_id: string;
  readonly version: number;
  readonly kind: TransactionKind;
  readonly amount: number;
  readonly occurred_ms: number;
}

interface AskedReversal {
  readonly row: AuditRow;
  /** How much of the original is reversed after it; null: the account's state is not known. */
  readonly reversedMax: number | null;
}

interface AskedTransfer {
  readonly row: AuditRow;
  readonly other: { readonly accountId: string; readonly key: string };
}

export class LinksAudit {
  readonly #database: Pick<Database, 'read'>;
  readonly #findings: Findings;
  /** What stands on each program's transit account. */
  readonly #transit = new Map<string, bigint>();
  #transfers: AskedTransfer[] = [];
  #reversals: AskedReversal[] = [];

  constructor(database: Pick<Database, 'read'>, findings: Findings) {
    this.#database = database;
    this.#findings = findings;
  }

  /** @param state after the row, where it is known */
  add(row: AuditRow, state: AccountState | null): void {
    const { kind } = row.row.posting;
    if (kind === 'transfer_out' || kind === 'transfer_in') this.#addTransfer(row);
    if (kind === 'reverse') this.#addReversal(row, state);
  }

  /** Looks up what the rows since the last call name. */
  async settle(): Promise<void> {
    const [transfers, reversals] = [this.#transfers, this.#reversals];
    [this.#transfers, this.#reversals] = [[], []];
    if (transfers.length > 0) await this.#settleTransfers(transfers);
    if (reversals.length > 0) await this.#settleReversals(reversals);
  }

  /** Only when all rows of the ledger have been added. */
  checkTransit(): void {
    for (const [programId, sum] of this.#transit) {
      if (sum === 0n) continue;
      this.#findings.wrong('transfers', {}, `the transit account of program ${programId}`, { expected: 0, found: sum });
    }
  }

  #addTransfer(row: AuditRow): void {
    const { facts, posting } = row.row;
    this.#findings.looked('transfers');
    const sum = this.#transit.get(facts.programId) ?? 0n;
    this.#transit.set(facts.programId, sum - BigInt(posting.balanceDelta));
    const partner = posting.detail?.partner;
    if (partner === undefined) {
      this.#findings.wrong('transfers', placeOf(row), `is a ${posting.kind} that does not name the other account`);
      return;
    }
    if (posting.kind === 'transfer_out') {
      const key = incomingKey(facts.accountId, facts.idempotencyKey);
      this.#transfers.push({ row, other: { accountId: partner, key } });
      return;
    }
    const prefix = incomingKey(partner, '');
    if (!facts.idempotencyKey.startsWith(prefix)) {
      this.#findings.wrong('transfers', placeOf(row), 'its key does not name the other side', {
        expected: `${prefix}…`,
        found: facts.idempotencyKey,
      });
      return;
    }
    this.#transfers.push({ row, other: { accountId: partner, key: facts.idempotencyKey.slice(prefix.length) } });
  }

  #addReversal(row: AuditRow, state: AccountState | null): void {
    const reverses = row.row.posting.detail?.reverses;
    const found = state?.reversals.find(([version]) => version === reverses);
    this.#findings.looked('reversals');
    this.#reversals.push({ row, reversedMax: found?.[1] ?? null });
  }

  async #settleTransfers(asked: readonly AskedTransfer[]): Promise<void> {
    const accounts = asked.map(({ other }) => other.accountId);
    const keys = asked.map(({ other }) => other.key);
    const found = new Map<number, OtherSide>();
    for (const side of await this.#database.read<OtherSide>(otherSidesStatement, [accounts, keys])) {
      found.set(side.n - 1, side);
    }
    for (const [index, { row, other }] of asked.entries()) {
      const side = found.get(index);
      const { facts, posting } = row.row;
      const wanted = posting.kind === 'transfer_out' ? 'transfer_in' : 'transfer_out';
      const expected = `${wanted} ${posting.amount} with ${facts.accountId} in program ${facts.programId}`;
      const seen =
        side === undefined
          ? 'nothing'
          : `${side.kind} ${side.amount} with ${side.partner} in program ${side.program_id}`;
      if (seen === expected) continue;
      const what = `the other side of the ${posting.kind}, on account ${other.accountId}`;
      this.#findings.wrong('transfers', placeOf(row), what, { expected, found: seen });
    }
  }

  async #settleReversals(asked: readonly AskedReversal[]): Promise<void> {
    const seqs = asked.map(({ row }) => {
      const decoded = decodeTransactionId(row.row.posting.reversalOf ?? '');
      return decoded === null ? '-1' : seqOf(decoded.position);
    });
    const found = new Map<number, Original>();
    for (const original of await this.#database.read<Original>(originalsStatement, [seqs])) {
      found.set(original.n - 1, original);
    }
    for (const [index, reversal] of asked.entries()) {
      const fault = faultOf(reversal, found.get(index));
      if (fault !== null) this.#findings.wrong('reversals', placeOf(reversal.row), fault);
    }
  }
}

function faultOf({ row, reversedMax }: AskedReversal, original: Original | undefined): string | null {
  const { facts, posting } = row.row;
  const isNamed =
    original !== undefined &&
    original.account_id === facts.accountId &&
    original.version === posting.detail?.reverses &&
    original.occurred_ms === decodeTransactionId(posting.reversalOf ?? '')?.occurredAtMs;
  if (!isNamed) return `there is no transaction ${posting.reversalOf} at version ${posting.detail?.reverses}`;
  const role = reversible[original.kind];
  if (role === undefined) return `reverses a ${original.kind}, which cannot be reversed`;
  if (posting.contraAccountId !== programAccount(facts.programId, role)) {
    return `reverses a ${original.kind} on another account than ${role}`;
  }
  const reversed = reversedMax ?? posting.amount;
  return reversed > original.amount ? `brings what is reversed of ${original.amount} to ${reversed}` : null;
}
