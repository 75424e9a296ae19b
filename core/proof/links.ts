/** Reversals with what they reverse. Looked up by pages, by the index that the ledger itself uses. */
import type { AccountState, TransactionKind } from '@local-plus/actors';
import { decodeTransactionId, type ProgramAccountRole, programAccount, seqOf } from '@local-plus/contracts';
import type { Database } from '../platform/postgres/index.ts';
import { placeOf } from './accounts.ts';
import type { Findings } from './findings.ts';
import type { AuditRow } from './rows.ts';

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

export class LinksAudit {
  readonly #database: Pick<Database, 'read'>;
  readonly #findings: Findings;
  #reversals: AskedReversal[] = [];

  constructor(database: Pick<Database, 'read'>, findings: Findings) {
    this.#database = database;
    this.#findings = findings;
  }

  /** @param state after the row, where it is known */
  add(row: AuditRow, state: AccountState | null): void {
    const { kind, detail } = row.row.posting;
    // What a transfer across lanes brings back is the audit of transfers'.
    if (kind === 'reverse' && detail?.returns === undefined) this.#addReversal(row, state);
  }

  /** Looks up what the rows since the last call name. */
  async settle(): Promise<void> {
    const reversals = this.#reversals;
    this.#reversals = [];
    if (reversals.length > 0) await this.#settleReversals(reversals);
  }

  #addReversal(row: AuditRow, state: AccountState | null): void {
    const reverses = row.row.posting.detail?.reverses;
    const found = state?.reversals.find(([version]) => version === reverses);
    this.#findings.looked('reversals');
    this.#reversals.push({ row, reversedMax: found?.[1] ?? null });
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
