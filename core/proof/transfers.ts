/**
 * Both sides of each transfer, and what is between them. Looked up by pages, each by the index that the ledger uses.
 *
 * Of one batch: the other side is there. Across lanes (a *departure*): it arrived, or it came back because the other
 * account had refused it for good, or it is open; exactly one of them, and a program's transit account holds exactly what
 * did none of the first two. "At this moment" is the audit's cut: what arrived after it is on its way still.
 */
import { arrivalKey, isDeparture, returnKey, type TransactionKind } from '@local-plus/actors';
import {
  type AccountId,
  type IdempotencyKey,
  positionOf,
  programAccount,
  type TransactionId,
  transactionId,
} from '@local-plus/contracts';
import type { Database } from '../platform/postgres/index.ts';
import { placeOf } from './accounts.ts';
import type { Findings } from './findings.ts';
import type { AuditRow } from './rows.ts';
import { noAccount } from './snapshots.ts';

const side = `t.kind::text as kind, t.amount, t.program_id, t.detail ->> 'partner' as partner`;

const otherSidesStatement = `
select q.n::int as n, ${side}
from unnest($1::uuid[], $2::text[]) with ordinality as q(account_id, key, n),
  lateral (select * from transactions where account_id = q.account_id and idempotency_key = q.key limit 1) as t`;

/** What became of departures, of one moment: an open row goes only after an end has come. */
const endsStatement = `
select q.n::int as n, ${side}, (t.seq >> 53)::int as writer_id, (t.seq & 9007199254740991) as position,
  r.kind::text as back_kind, r.amount as back_amount, r.detail ->> 'returns' as back_of,
  (r.seq >> 53)::int as back_writer_id, (r.seq & 9007199254740991) as back_position,
  (extract(epoch from now() - o.opened_at) * 1000)::bigint as open_ms
from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[]) with ordinality
    as q(account_id, version, partner, arrival, back, n)
  left join lateral (select * from transactions where account_id = q.partner and idempotency_key = q.arrival limit 1)
    as t on true
  left join lateral (select * from transactions where account_id = q.account_id and idempotency_key = q.back limit 1)
    as r on true
  left join open_transfers as o on o.account_id = q.account_id and o.version = q.version::bigint`;

/** What came back: its departure, and whether the other account's refusal is stored. */
const departuresStatement = `
select q.n::int as n, t.version, t.amount, t.seq::text as seq,
  (extract(epoch from t.occurred_at) * 1000)::bigint as occurred_ms, f.code
from unnest($1::uuid[], $2::text[]) with ordinality as q(account_id, key, n),
  lateral (select * from transactions where account_id = q.account_id and idempotency_key = q.key limit 1) as t
  left join lateral (select code from refusals where account_id = (t.detail ->> 'partner')::uuid
    and idempotency_key = 'transfer ' || t.account_id::text || ' ' || t.idempotency_key limit 1) as f on true
where t.kind = 'transfer_out' and t.detail ->> 'across' = 'true'`;

const openStatement = `
select o.account_id as "accountId", o.version,
  coalesce(t.kind = 'transfer_out' and t.detail ->> 'across' = 'true', false) as "isDeparture"
from (
  select account_id, version from open_transfers
  where (account_id, version) > ($1::uuid, $2::bigint) and ($4::text = '' or account_id = $1::uuid)
  order by account_id, version limit $3::int
) as o left join transactions as t on t.account_id = o.account_id and t.version = o.version
order by o.account_id, o.version`;

interface OtherSide {
  readonly n: number;
  readonly kind: TransactionKind | null;
  readonly amount: number | null;
  readonly program_id: string | null;
  readonly partner: string | null;
}

interface Ends extends OtherSide {
  readonly writer_id: number | null;
  readonly position: number | null;
  readonly back_kind: TransactionKind | null;
  readonly back_amount: number | null;
  readonly back_of: string | null;
  readonly back_writer_id: number | null;
  readonly back_position: number | null;
  readonly open_ms: number | null;
}

interface Departure {
  readonly n: number;
  readonly version: number;
  readonly amount: number;
  readonly seq: string;
  readonly occurred_ms: number;
  readonly code: string | null;
}

interface Asked {
  readonly row: AuditRow;
  readonly other: { readonly accountId: AccountId; readonly key: IdempotencyKey };
}

/** Whether a row is inside the audit's cut. */
export type Sees = (writerId: number, position: number) => boolean;

export class TransfersAudit {
  readonly #database: Pick<Database, 'read'>;
  readonly #findings: Findings;
  readonly #sees: Sees;
  /** What stands on each program's transit account, and what of it departures explain. */
  readonly #transit = new Map<string, { sum: bigint; explained: bigint }>();
  #sides: Asked[] = [];
  #departures: Asked[] = [];
  #returns: AuditRow[] = [];
  /** Departures that are on their way, and for how long the oldest is. */
  open = 0;
  oldestMs = 0;

  constructor(database: Pick<Database, 'read'>, findings: Findings, sees: Sees) {
    this.#database = database;
    this.#findings = findings;
    this.#sees = sees;
  }

  add(row: AuditRow): void {
    const { kind, detail } = row.row.posting;
    if (kind === 'transfer_out' || kind === 'transfer_in') this.#addSide(row);
    else if (kind === 'reverse' && detail?.returns !== undefined) this.#addReturn(row);
  }

  /** Looks up what the rows since the last call name. */
  async settle(): Promise<void> {
    const [sides, departures, returns] = [this.#sides, this.#departures, this.#returns];
    [this.#sides, this.#departures, this.#returns] = [[], [], []];
    if (sides.length > 0) await this.#settleSides(sides);
    if (departures.length > 0) await this.#settleDepartures(departures);
    if (returns.length > 0) await this.#settleReturns(returns);
  }

  /** Only when all rows of the ledger have been added. */
  checkTransit(): void {
    for (const [programId, { sum, explained }] of this.#transit) {
      if (sum === explained) continue;
      const compared = { expected: explained, found: sum };
      this.#findings.wrong('transfers', {}, `the transit account of program ${programId}`, compared);
    }
  }

  /** Open rows of which nothing departed would be swept for ever, and stand for nothing. */
  async checkOpenRows(accountId: string | null, pageRows: number): Promise<void> {
    let after = { accountId: accountId ?? noAccount, version: 0 };
    for (;;) {
      const parameters = [after.accountId, after.version, pageRows, accountId ?? ''];
      const page = await this.#database.read<typeof after & { isDeparture: boolean }>(openStatement, parameters);
      for (const { accountId: account, version, isDeparture: isThere } of page) {
        if (isThere) continue;
        this.#findings.wrong('transfers', { accountId: account, version }, 'is open, but no transfer across lanes');
      }
      const last = page.at(-1);
      if (last === undefined || page.length < pageRows) return;
      after = last;
    }
  }

  #addSide(row: AuditRow): void {
    const { facts, posting } = row.row;
    this.#count(row);
    const partner = posting.detail?.partner;
    if (partner === undefined) {
      this.#findings.wrong('transfers', placeOf(row), `is a ${posting.kind} that does not name the other account`);
      return;
    }
    if (posting.kind === 'transfer_out') {
      const other = { accountId: partner, key: arrivalKey(facts.accountId, facts.idempotencyKey) };
      (isDeparture(row.row) ? this.#departures : this.#sides).push({ row, other });
      return;
    }
    const key = this.#keyBehind(row, arrivalKey(partner, '' as IdempotencyKey));
    if (key !== null) this.#sides.push({ row, other: { accountId: partner, key } });
  }

  #addReturn(row: AuditRow): void {
    this.#count(row);
    const { facts, posting } = row.row;
    if (posting.contraAccountId !== programAccount(facts.programId, 'transit')) {
      this.#findings.wrong('transfers', placeOf(row), 'comes back from another account than transit');
    } else if (this.#keyBehind(row, returnKey('' as IdempotencyKey)) !== null) this.#returns.push(row);
  }

  #count({ row }: AuditRow): void {
    this.#findings.looked('transfers');
    this.#transitOf(row.facts.programId).sum -= BigInt(row.posting.balanceDelta);
  }

  #transitOf(programId: string): { sum: bigint; explained: bigint } {
    let transit = this.#transit.get(programId);
    if (transit === undefined) {
      transit = { sum: 0n, explained: 0n };
      this.#transit.set(programId, transit);
    }
    return transit;
  }

  /** The key that a key of ours is made of; null: it is made of none. */
  #keyBehind(row: AuditRow, prefix: string): IdempotencyKey | null {
    const { idempotencyKey } = row.row.facts;
    if (idempotencyKey.startsWith(prefix)) return idempotencyKey.slice(prefix.length) as IdempotencyKey;
    const compared = { expected: `${prefix}…`, found: idempotencyKey };
    this.#findings.wrong('transfers', placeOf(row), 'its key does not name the other side', compared);
    return null;
  }

  async #settleSides(asked: readonly Asked[]): Promise<void> {
    const accounts = asked.map(({ other }) => other.accountId);
    const keys = asked.map(({ other }) => other.key);
    const found = byPlace(await this.#database.read<OtherSide>(otherSidesStatement, [accounts, keys]));
    for (const [index, one] of asked.entries()) this.#compare(one, found.get(index));
  }

  async #settleDepartures(asked: readonly Asked[]): Promise<void> {
    const found = byPlace(
      await this.#database.read<Ends>(endsStatement, [
        asked.map(({ row }) => row.row.facts.accountId),
        asked.map(({ row }) => String(row.row.posting.version)),
        asked.map(({ other }) => other.accountId),
        asked.map(({ other }) => other.key),
        asked.map(({ row }) => returnKey(row.row.facts.idempotencyKey)),
      ]),
    );
    for (const [index, one] of asked.entries()) this.#judge(one, found.get(index) as Ends);
  }

  #judge(asked: Asked, ends: Ends): void {
    const { facts, posting } = asked.row.row;
    const hasArrived = ends.kind !== null;
    const hasReturned = ends.back_kind !== null;
    const isSeen =
      (hasArrived && this.#sees(ends.writer_id ?? 0, ends.position ?? 0)) ||
      (hasReturned && this.#sees(ends.back_writer_id ?? 0, ends.back_position ?? 0));
    if (!isSeen) this.#transitOf(facts.programId).explained += BigInt(posting.amount);
    if (hasArrived && hasReturned) {
      this.#findings.wrong('transfers', placeOf(asked.row), 'reached the other account, and came back as well');
    } else if (hasReturned) {
      const expected = `reverse ${posting.amount} of version ${posting.version}`;
      const seen = `${ends.back_kind} ${ends.back_amount} of version ${ends.back_of}`;
      if (seen === expected) return;
      this.#findings.wrong('transfers', placeOf(asked.row), 'what came back', { expected, found: seen });
    } else if (hasArrived || ends.open_ms === null) this.#compare(asked, hasArrived ? ends : undefined);
    else {
      this.open++;
      this.oldestMs = Math.max(this.oldestMs, ends.open_ms);
    }
  }

  #compare({ row, other }: Asked, found: OtherSide | undefined): void {
    const { facts, posting } = row.row;
    const wanted = posting.kind === 'transfer_out' ? 'transfer_in' : 'transfer_out';
    const expected = `${wanted} ${posting.amount} with ${facts.accountId} in program ${facts.programId}`;
    const seen =
      found === undefined
        ? 'nothing'
        : `${found.kind} ${found.amount} with ${found.partner} in program ${found.program_id}`;
    if (seen === expected) return;
    const what = `the other side of the ${posting.kind}, on account ${other.accountId}`;
    this.#findings.wrong('transfers', placeOf(row), what, { expected, found: seen });
  }

  async #settleReturns(rows: readonly AuditRow[]): Promise<void> {
    const accounts = rows.map(({ row }) => row.facts.accountId);
    const keys = rows.map(({ row }) => row.facts.idempotencyKey.slice(returnKey('' as IdempotencyKey).length));
    const found = byPlace(await this.#database.read<Departure>(departuresStatement, [accounts, keys]));
    for (const [index, row] of rows.entries()) {
      const fault = faultOf(row, found.get(index));
      if (fault !== null) this.#findings.wrong('transfers', placeOf(row), fault);
    }
  }
}

function faultOf({ row }: AuditRow, departure: Departure | undefined): string | null {
  const { posting } = row;
  if (departure === undefined) return 'comes back, but no transfer across lanes has its key';
  if (departure.version !== posting.detail?.returns || idOf(departure) !== posting.reversalOf) {
    return `comes back from another transfer than version ${departure.version}`;
  }
  if (departure.amount !== posting.amount) return `brings ${posting.amount} of ${departure.amount} back`;
  return departure.code === null ? 'came back, though the other account has not refused it' : null;
}

function idOf({ occurred_ms, seq }: Departure): TransactionId {
  return transactionId(occurred_ms, positionOf(seq));
}

function byPlace<Found extends { readonly n: number }>(found: readonly Found[]): ReadonlyMap<number, Found> {
  return new Map(found.map((one) => [one.n - 1, one]));
}
