/**
 * Both sides of each transfer, and what is between them, whichever databases they are in. Looked up by pages, each by the
 * index that the ledger uses.
 *
 * Of one batch: the other side is there. Across lanes (a *departure*): it arrived, or it came back because the other
 * account had refused it for good, or it is open; exactly one of them, and a program's transit account holds exactly what
 * did none of the first two. "At this moment" is the audit's cut: what arrived after it is on its way still.
 */
import { arrivalKey, isDeparture, returnKey } from '@local-plus/actors';
import {
  type AccountId,
  type IdempotencyKey,
  positionOf,
  programAccount,
  type TransactionId,
  transactionId,
} from '@local-plus/contracts';
import { placeOf } from './accounts.ts';
import type { Findings } from './findings.ts';
import type { Reader } from './places.ts';
import type { AuditRow } from './rows.ts';
import { noAccount } from './snapshots.ts';
import { type Departure, type Ends, type Key, type OtherSide, TransferSides } from './transfer-sides.ts';

const openStatement = `
select o.account_id as "accountId", o.version,
  coalesce(t.kind = 'transfer_out' and t.detail ->> 'across' = 'true', false) as "isDeparture"
from (
  select account_id, version from open_transfers
  where (account_id, version) > ($1::uuid, $2::bigint) and ($4::text = '' or account_id = $1::uuid)
  order by account_id, version limit $3::int
) as o left join transactions as t on t.account_id = o.account_id and t.version = o.version
order by o.account_id, o.version`;

interface Asked {
  readonly row: AuditRow;
  readonly other: Key;
}

export interface TransfersPorts {
  readonly findings: Findings;
  /** The database that has an account. */
  readonly of: (accountId: AccountId) => Reader;
  /** Whether a row is inside the audit's cut. */
  readonly sees: (writerId: number, position: number) => boolean;
}

export class TransfersAudit {
  readonly #ports: TransfersPorts;
  readonly #findings: Findings;
  readonly #lookUps: TransferSides;
  /** What stands on each program's transit account, and what of it departures explain. */
  readonly #transit = new Map<string, { sum: bigint; explained: bigint }>();
  #sides: Asked[] = [];
  #departures: Asked[] = [];
  #returns: AuditRow[] = [];
  /** Departures that are on their way, and for how long the oldest is. */
  open = 0;
  oldestMs = 0;

  constructor(ports: TransfersPorts) {
    this.#ports = ports;
    this.#findings = ports.findings;
    this.#lookUps = new TransferSides(ports.of);
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
  async checkOpenRows(database: Reader, accountId: string | null, pageRows: number): Promise<void> {
    let after = { accountId: accountId ?? noAccount, version: 0 };
    for (;;) {
      const parameters = [after.accountId, after.version, pageRows, accountId ?? ''];
      const page = await database.read<typeof after & { isDeparture: boolean }>(openStatement, parameters);
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
    const found = await this.#lookUps.others(asked.map(({ other }) => other));
    for (const [index, one] of asked.entries()) {
      const other = found.get(index);
      this.#compare(one, other);
      if (one.row.row.posting.kind === 'transfer_in' && other !== undefined) this.#explainArrival(one.row, other);
    }
  }

  /** It was cut off from its departure: two databases are not cut at one moment. Until that one is seen, transit is below. */
  #explainArrival({ row }: AuditRow, departure: OtherSide): void {
    if (this.#ports.sees(departure.writer_id, departure.position)) return;
    this.#transitOf(row.facts.programId).explained -= BigInt(row.posting.amount);
  }

  /** First what is open, then what arrived: an open row goes only after an end has come, so an end is found if it is gone. */
  async #settleDepartures(asked: readonly Asked[]): Promise<void> {
    const ends = await this.#lookUps.ends(asked.map(({ row }) => row));
    const arrived = await this.#lookUps.others(asked.map(({ other }) => other));
    for (const [index, one] of asked.entries()) this.#judge(one, arrived.get(index), ends.get(index) as Ends);
  }

  #judge(asked: Asked, arrival: OtherSide | undefined, ends: Ends): void {
    const { facts, posting } = asked.row.row;
    const { sees } = this.#ports;
    const hasArrived = arrival !== undefined;
    const hasReturned = ends.back_kind !== null;
    const isSeen =
      (hasArrived && sees(arrival.writer_id, arrival.position)) ||
      (hasReturned && sees(ends.back_writer_id ?? 0, ends.back_position ?? 0));
    if (!isSeen) this.#transitOf(facts.programId).explained += BigInt(posting.amount);
    if (hasArrived && hasReturned) {
      this.#findings.wrong('transfers', placeOf(asked.row), 'reached the other account, and came back as well');
    } else if (hasReturned) {
      const expected = `reverse ${posting.amount} of version ${posting.version}`;
      const seen = `${ends.back_kind} ${ends.back_amount} of version ${ends.back_of}`;
      if (seen === expected) return;
      this.#findings.wrong('transfers', placeOf(asked.row), 'what came back', { expected, found: seen });
    } else if (hasArrived || ends.open_ms === null) this.#compare(asked, arrival);
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
    const keys = rows.map(({ row }): Key => {
      const key = row.facts.idempotencyKey.slice(returnKey('' as IdempotencyKey).length) as IdempotencyKey;
      return { accountId: row.facts.accountId, key };
    });
    const departures = await this.#lookUps.departures(keys);
    const named = keys.flatMap(({ accountId, key }, index) => {
      const partner = departures.get(index)?.partner ?? null;
      return partner === null ? [] : [{ index, accountId: partner, key: arrivalKey(accountId, key) }];
    });
    const refusals = await this.#lookUps.refusals(named);
    const refused = new Set(named.flatMap(({ index }, place) => (refusals.has(place) ? [index] : [])));
    for (const [index, row] of rows.entries()) {
      const fault = faultOf(row, departures.get(index), refused.has(index));
      if (fault !== null) this.#findings.wrong('transfers', placeOf(row), fault);
    }
  }
}

function faultOf({ row }: AuditRow, departure: Departure | undefined, isRefused: boolean): string | null {
  const { posting } = row;
  if (departure === undefined) return 'comes back, but no transfer across lanes has its key';
  if (departure.version !== posting.detail?.returns || idOf(departure) !== posting.reversalOf) {
    return `comes back from another transfer than version ${departure.version}`;
  }
  if (departure.amount !== posting.amount) return `brings ${posting.amount} of ${departure.amount} back`;
  return isRefused ? null : 'came back, though the other account has not refused it';
}

function idOf({ occurred_ms, seq }: Departure): TransactionId {
  return transactionId(occurred_ms, positionOf(seq));
}
