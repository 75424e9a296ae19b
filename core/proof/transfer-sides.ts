/**
 * What other rows say of transfers: each is asked of the database that has its account, many at a time. SQL only; what it
 * means is judged in transfers.ts.
 */
import { returnKey, type TransactionKind } from '@local-plus/actors';
import type { AccountId, IdempotencyKey } from '@local-plus/contracts';
import type { Reader } from './places.ts';
import type { AuditRow } from './rows.ts';

const side = `t.kind::text as kind, t.amount, t.program_id, t.detail ->> 'partner' as partner,
  (t.seq >> 53)::int as writer_id, (t.seq & 9007199254740991) as position`;

const otherSidesStatement = `
select q.n::int as n, ${side}
from unnest($1::uuid[], $2::text[]) with ordinality as q(account_id, key, n),
  lateral (select * from transactions where account_id = q.account_id and idempotency_key = q.key limit 1) as t`;

/** What became of departures in their own account's database: whether they came back, or are open. */
const endsStatement = `
select q.n::int as n, r.kind::text as back_kind, r.amount as back_amount, r.detail ->> 'returns' as back_of,
  (r.seq >> 53)::int as back_writer_id, (r.seq & 9007199254740991) as back_position,
  (extract(epoch from now() - o.opened_at) * 1000)::bigint as open_ms
from unnest($1::uuid[], $2::text[], $3::text[]) with ordinality as q(account_id, version, back, n)
  left join lateral (select * from transactions where account_id = q.account_id and idempotency_key = q.back limit 1)
    as r on true
  left join open_transfers as o on o.account_id = q.account_id and o.version = q.version::bigint`;

/** The departure of what came back. */
const departuresStatement = `
select q.n::int as n, t.version, t.amount, t.seq::text as seq, t.detail ->> 'partner' as partner,
  (extract(epoch from t.occurred_at) * 1000)::bigint as occurred_ms
from unnest($1::uuid[], $2::text[]) with ordinality as q(account_id, key, n),
  lateral (select * from transactions where account_id = q.account_id and idempotency_key = q.key limit 1) as t
where t.kind = 'transfer_out' and t.detail ->> 'across' = 'true'`;

/** Whether the other account's refusal is stored. */
const refusalsStatement = `
select q.n::int as n, f.code
from unnest($1::uuid[], $2::text[]) with ordinality as q(account_id, key, n),
  lateral (select code from refusals where account_id = q.account_id and idempotency_key = q.key limit 1) as f`;

export interface OtherSide {
  readonly n: number;
  readonly kind: TransactionKind;
  readonly amount: number;
  readonly program_id: string;
  readonly partner: string | null;
  readonly writer_id: number;
  readonly position: number;
}

export interface Ends {
  readonly n: number;
  readonly back_kind: TransactionKind | null;
  readonly back_amount: number | null;
  readonly back_of: string | null;
  readonly back_writer_id: number | null;
  readonly back_position: number | null;
  readonly open_ms: number | null;
}

export interface Departure {
  readonly n: number;
  readonly version: number;
  readonly amount: number;
  readonly seq: string;
  readonly partner: AccountId | null;
  readonly occurred_ms: number;
}

export interface Refusal {
  readonly n: number;
  readonly code: string;
}

/** What is looked up of another account. */
export interface Key {
  readonly accountId: AccountId;
  readonly key: IdempotencyKey;
}

/** What was found, by the place of what was asked. */
type Found<Row> = ReadonlyMap<number, Row>;

interface Place {
  readonly index: number;
  readonly accountId: AccountId;
}

export class TransferSides {
  readonly #of: (accountId: AccountId) => Reader;

  /** @param of the database that has an account */
  constructor(of: (accountId: AccountId) => Reader) {
    this.#of = of;
  }

  others(keys: readonly Key[]): Promise<Found<OtherSide>> {
    return this.#lookUp(otherSidesStatement, keys);
  }

  /** Of every departure there is one. */
  ends(departures: readonly AuditRow[]): Promise<Found<Ends>> {
    const places = departures.map(({ row }, index) => ({ index, accountId: row.facts.accountId }));
    return this.#byDatabase(places, (database, some) => {
      const rows = some.map(({ index }) => (departures[index] as AuditRow).row);
      return database.read<Ends>(endsStatement, [
        rows.map(({ facts }) => facts.accountId),
        rows.map(({ posting }) => String(posting.version)),
        rows.map(({ facts }) => returnKey(facts.idempotencyKey)),
      ]);
    });
  }

  departures(keys: readonly Key[]): Promise<Found<Departure>> {
    return this.#lookUp(departuresStatement, keys);
  }

  refusals(keys: readonly Key[]): Promise<Found<Refusal>> {
    return this.#lookUp(refusalsStatement, keys);
  }

  #lookUp<Row extends { readonly n: number }>(statement: string, keys: readonly Key[]): Promise<Found<Row>> {
    const places = keys.map(({ accountId }, index) => ({ index, accountId }));
    return this.#byDatabase(places, (database, some) => {
      const asked = some.map(({ index }) => keys[index] as Key);
      return database.read<Row>(statement, [asked.map(({ accountId }) => accountId), asked.map(({ key }) => key)]);
    });
  }

  /** One question for each database that has some of the accounts. */
  async #byDatabase<Row extends { readonly n: number }>(
    places: readonly Place[],
    ask: (database: Reader, some: readonly Place[]) => Promise<readonly Row[]>,
  ): Promise<Found<Row>> {
    const groups = new Map<Reader, Place[]>();
    for (const place of places) {
      const database = this.#of(place.accountId);
      const known = groups.get(database);
      if (known) known.push(place);
      else groups.set(database, [place]);
    }
    const all = new Map<number, Row>();
    for (const [database, some] of groups) {
      for (const row of await ask(database, some)) all.set((some[row.n - 1] as Place).index, row);
    }
    return all;
  }
}
