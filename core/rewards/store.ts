/**
 * The tables `rewards` and `reward_changes`. SQL only; every change is one statement, with its audit entry.
 */
import type { MerchantId, ProgramId, rewards as wire } from '@local-plus/contracts';
import { audited } from '../audit/index.ts';
import {
  type Creation,
  type CreationKey,
  createOnce,
  type Database,
  UniqueViolation,
} from '../platform/postgres/index.ts';
import { type RewardChange, transitionOf } from './domain.ts';

export interface RewardRow {
  readonly id: string;
  readonly merchant_id: MerchantId;
  readonly program_id: ProgramId;
  readonly name: string;
  readonly description: string | null;
  readonly gives: wire.Gives;
  readonly points: number;
  readonly stock: number | null;
  readonly stock_left: number | null;
  readonly limits: wire.Reward['limits'];
  readonly tiers: readonly string[] | null;
  readonly valid_from: Date | null;
  readonly valid_until: Date | null;
  readonly status: wire.RewardStatus;
  readonly published_at: Date | null;
  readonly withdrawn_at: Date | null;
  readonly created_at: Date;
  readonly request_hash: string;
}

export type NewReward = Pick<RewardRow, 'id' | 'merchant_id' | 'program_id' | 'name' | 'description' | 'gives'> &
  Pick<RewardRow, 'points' | 'stock' | 'limits' | 'tiers' | 'valid_from' | 'valid_until'>;

/** What a change was answered. */
export interface ChangeRow {
  readonly request_hash: string;
  readonly answer: wire.ChangedStatus | wire.ChangedStock;
}

const columns = `id, merchant_id, program_id, name, description, gives, points, stock, stock_left, limits, tiers, valid_from,
  valid_until, status, published_at, withdrawn_at, created_at, encode(request_hash, 'hex') as request_hash`;

const createStatement = `with written as (
    insert into rewards (creator, idempotency_key, request_hash, id, merchant_id, program_id, name, description, gives, points,
      stock, stock_left, limits, tiers, valid_from, valid_until)
    values ($1::uuid, $2, decode($3, 'hex'), $4::uuid, $5::uuid, $6::uuid, $7, $8, $9::text::json, $10::bigint, $11::bigint,
      $11::bigint, $12::text::json, $13::text::json, $14::timestamptz, $15::timestamptz)
    on conflict do nothing returning ${columns}
  ), ${audited(16, 'written')}
  select * from written`;
const byKeyStatement = `select ${columns} from rewards where creator = $1::uuid and idempotency_key = $2`;
const byIdStatement = `select ${columns} from rewards where id = $1::uuid`;
const pageStatement = `select ${columns} from rewards
  where program_id = $1::uuid and ($2::text is null or status = $2) and ($3::uuid is null or id < $3::uuid)
  order by id desc limit $4::int`;

/** Nothing is changed where the key is used; of two that use it at the same moment, one fails. */
const changedBy = (set: string, from: string, answer: string) => `with moved as (
    update rewards set ${set} where id = $4::uuid and ${from}
      and not exists (select from reward_changes where creator = $1::uuid and idempotency_key = $2)
    returning *
  ), noted as (
    insert into reward_changes (creator, idempotency_key, request_hash, reward_id, kind, answer)
    select $1::uuid, $2, decode($3, 'hex'), id, $6, ${answer} from moved
    returning answer, encode(request_hash, 'hex') as request_hash
  ), ${audited(5, 'moved')}
  select * from noted`;
const wireTime = (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
const statusStatement = ({ change, at }: { change: RewardChange; at: string }) => {
  const { from, to } = transitionOf(change);
  return changedBy(
    `status = '${to}', ${at} = now()`,
    `status in (${from.map((each) => `'${each}'`).join(', ')})`,
    `json_build_object('id', id, 'status', status, 'at', ${wireTime(at)})`,
  );
};
const statusStatements: Readonly<Record<RewardChange, string>> = {
  publish: statusStatement({ change: 'publish', at: 'published_at' }),
  withdraw: statusStatement({ change: 'withdraw', at: 'withdrawn_at' }),
};
const stockStatement = changedBy(
  'stock = stock + $7::bigint, stock_left = stock_left + $7::bigint',
  `status <> 'withdrawn' and stock_left + $7::bigint >= 0 and stock + $7::bigint <= $8::bigint`,
  `json_build_object('id', id, 'stock', stock, 'stock_left', stock_left)`,
);
const changeByKeyStatement = `select answer, encode(request_hash, 'hex') as request_hash from reward_changes
  where creator = $1::uuid and idempotency_key = $2`;

export class RewardStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  create(key: CreationKey, row: NewReward, audit: string): Promise<Creation<RewardRow>> {
    const { creator, idempotencyKey, requestHash } = key;
    const values = [
      row.id,
      row.merchant_id,
      row.program_id,
      row.name,
      row.description,
      JSON.stringify(row.gives),
      row.points,
      row.stock,
      JSON.stringify(row.limits),
      row.tiers === null ? null : JSON.stringify(row.tiers),
      row.valid_from,
      row.valid_until,
      audit,
    ];
    return createOnce(
      key,
      () => this.#database.write<RewardRow>(createStatement, [creator, idempotencyKey, requestHash, ...values]),
      () => this.#database.read<RewardRow>(byKeyStatement, [creator, idempotencyKey]),
    );
  }

  async find(id: string): Promise<RewardRow | null> {
    return (await this.#database.read<RewardRow>(byIdStatement, [id]))[0] ?? null;
  }

  /** Newest first, from below `after`. */
  page(
    programId: ProgramId,
    status: wire.RewardStatus | null,
    afterId: string | null,
    rowsMax: number,
  ): Promise<readonly RewardRow[]> {
    return this.#database.read<RewardRow>(pageStatement, [programId, status, afterId, rowsMax]);
  }

  /** `conflict`: its status does not allow it. */
  changeStatus(key: CreationKey, id: string, change: RewardChange, audit: string): Promise<Creation<ChangeRow>> {
    return this.#change(key, statusStatements[change], [id, audit, change]);
  }

  /** `conflict`: its status does not allow it, it has no stock, or not so much of it. */
  changeStock(
    key: CreationKey,
    id: string,
    add: number,
    stockMax: number,
    audit: string,
  ): Promise<Creation<ChangeRow>> {
    return this.#change(key, stockStatement, [id, audit, 'stock', add, stockMax]);
  }

  #change(key: CreationKey, statement: string, values: readonly (string | number)[]): Promise<Creation<ChangeRow>> {
    const { creator, idempotencyKey, requestHash } = key;
    const write = async (): Promise<readonly ChangeRow[]> => {
      try {
        return await this.#database.write<ChangeRow>(statement, [creator, idempotencyKey, requestHash, ...values]);
      } catch (error) {
        // The same key at the same moment: the other one did it.
        if (error instanceof UniqueViolation) return [];
        throw error;
      }
    };
    return createOnce(key, write, () =>
      this.#database.read<ChangeRow>(changeByKeyStatement, [creator, idempotencyKey]),
    );
  }
}
