/**
 * The tables `programs` and `program_versions`. SQL only; every change is one statement.
 */
import { limits, type MerchantId, type ProgramId } from '@local-plus/contracts';
import { audited } from '../audit/index.ts';
import {
  type Creation,
  type CreationKey,
  createOnce,
  type Database,
  type Parameter,
} from '../platform/postgres/index.ts';
import { programLimits } from './limits.ts';
import type { RuleColumns } from './terms.ts';

interface Requested {
  readonly request_hash: string;
}

/** As it was created: what it asks of the ledger is its first version. */
export interface ProgramRow extends Requested, RuleColumns {
  readonly id: ProgramId;
  readonly merchant_id: MerchantId;
  readonly name: string;
  readonly unit: string;
  readonly scale: number;
  readonly created_at: Date;
}

export interface ProgramVersionRow extends Requested, RuleColumns {
  /** Of the first version: the program's. */
  readonly id: string;
  readonly program_id: ProgramId;
  readonly version: number;
  readonly effective_from: Date;
  readonly created_at: Date;
}

/** A program with its further versions: the one in force at a moment, if there is one, then those after it, the next one first. */
export interface ScheduledProgram extends ProgramRow {
  readonly versions: readonly (RuleColumns & { readonly from_ms: number })[];
  /** That moment, Unix milliseconds: of what was in force before, the row says nothing. */
  readonly known_from_ms: number;
}

type Scheduled = Omit<ScheduledProgram, 'known_from_ms'>;

/** What the number and the moment of the next version have to be. */
export interface VersionBounds {
  readonly newest: number;
  readonly earliest: Date;
}

const { programVersionsMax, programVersionLeadMs } = limits;
const hashColumn = `encode(request_hash, 'hex') as request_hash`;
const ruleColumns = `point_expiry, point_expiry_end_of_month, reversal_policy, reversal_negative_limit,
  hold_expires_in_s`;
const programColumns = `id, merchant_id, name, unit, scale, ${ruleColumns}, created_at, ${hashColumn}`;
const versionColumns = `id, program_id, version, effective_from, ${ruleColumns}, created_at, ${hashColumn}`;

const insertProgram = `with written as (
    insert into programs (creator, idempotency_key, request_hash, id, merchant_id, name, unit, scale, point_expiry,
      point_expiry_end_of_month, reversal_policy, reversal_negative_limit, hold_expires_in_s)
    values ($1, $2, decode($3, 'hex'), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
    on conflict do nothing returning ${programColumns}
  ), ${audited(14, 'written')}
  select * from written`;
const programByKey = `select ${programColumns} from programs where creator = $1 and idempotency_key = $2`;

const scheduledColumns = `${ruleColumns}, version, (extract(epoch from effective_from) * 1000)::bigint as from_ms`;
const scheduledById = `select ${programColumns}, coalesce((
    select json_agg(v order by v.from_ms, v.version) from (
      (select ${scheduledColumns} from program_versions
        where program_id = p.id and effective_from <= $2 order by effective_from desc, version desc limit 1)
      union all
      (select ${scheduledColumns} from program_versions
        where program_id = p.id and effective_from > $2
        order by effective_from, version limit ${programLimits.upcomingMax})
    ) as v), '[]') as versions
  from programs as p where id = any($1::uuid[])`;

/** By the database's clock, which is one; and nothing is inserted where the key is used, or another took the number. */
const earliest = `date_trunc('milliseconds', now()) + interval '${programVersionLeadMs} ms'`;
const insertVersion = `with next as (
    select coalesce(max(version), 1) + 1 as version from program_versions where program_id = $5::uuid
  ), written as (
    insert into program_versions (creator, idempotency_key, request_hash, id, program_id, version, effective_from,
      ${ruleColumns})
    select $1::uuid, $2, decode($3, 'hex'), $4::uuid, $5::uuid, version, coalesce($6::timestamptz, ${earliest}),
      $7, $8::boolean, $9, $10::bigint, $11::int
    from next where version <= ${programVersionsMax} and coalesce($6::timestamptz, ${earliest}) >= ${earliest}
    on conflict do nothing returning ${versionColumns}
  ), ${audited(12, 'written')}
  select * from written`;
const versionByKey = `select ${versionColumns} from program_versions where creator = $1::uuid and idempotency_key = $2`;
const versionBounds = `select coalesce(max(version), 1) as newest, ${earliest} as earliest
  from program_versions where program_id = $1::uuid`;

const allVersions = `(
    select id, id as program_id, 1 as version, created_at as effective_from, ${ruleColumns}, created_at, request_hash
    from programs where id = $1::uuid
    union all
    select id, program_id, version, effective_from, ${ruleColumns}, created_at, request_hash
    from program_versions where program_id = $1::uuid
  ) as v`;
const versionPage = `select ${versionColumns} from ${allVersions}
  where version <= $2::int order by version desc limit $3::int`;
const versionById = `select ${versionColumns} from ${allVersions} where id = $2::uuid`;

export class ProgramStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  createProgram(
    key: CreationKey,
    row: Omit<ProgramRow, 'created_at' | 'request_hash'>,
    audit: string,
  ): Promise<Creation<ProgramRow>> {
    const { id, merchant_id, name, unit, scale } = row;
    const values = [...keyValues(key), id, merchant_id, name, unit, scale, ...ruleValues(row), audit];
    return createOnce(
      key,
      () => this.#database.write<ProgramRow>(insertProgram, values),
      () => this.#database.read<ProgramRow>(programByKey, [key.creator, key.idempotencyKey]),
    );
  }

  /** `conflict`: the number was taken at the same moment, there are none left, or the moment is too soon. */
  createVersion(
    key: CreationKey,
    row: Pick<ProgramVersionRow, 'id' | 'program_id'> & RuleColumns & { readonly effective_from: Date | null },
    audit: string,
  ): Promise<Creation<ProgramVersionRow>> {
    const { id, program_id, effective_from } = row;
    const values = [...keyValues(key), id, program_id, effective_from, ...ruleValues(row), audit];
    return createOnce(
      key,
      () => this.#database.write<ProgramVersionRow>(insertVersion, values),
      () => this.#database.read<ProgramVersionRow>(versionByKey, [key.creator, key.idempotencyKey]),
    );
  }

  async versionBounds(programId: ProgramId): Promise<VersionBounds> {
    const [bounds] = await this.#database.read<VersionBounds>(versionBounds, [programId]);
    if (bounds === undefined) throw new Error('an aggregate has a row');
    return bounds;
  }

  /**
   * In the order of `ids`, as scheduled at `nowMs` and a little before, which a clock that is set right steps back by; null for
   * what does not exist.
   */
  async scheduled(ids: readonly ProgramId[], nowMs: number): Promise<readonly (ScheduledProgram | null)[]> {
    const known_from_ms = nowMs - programLimits.clocksApartMs;
    const rows = await this.#database.read<Scheduled>(scheduledById, [ids, new Date(known_from_ms)]);
    const found = new Map(rows.map((row) => [row.id, { ...row, known_from_ms }]));
    return ids.map((id) => found.get(id) ?? null);
  }

  /** Newest first, from that number down. */
  versions(programId: ProgramId, versionMax: number, rowsMax: number): Promise<readonly ProgramVersionRow[]> {
    return this.#database.read<ProgramVersionRow>(versionPage, [programId, versionMax, rowsMax]);
  }

  async version(programId: ProgramId, id: string): Promise<ProgramVersionRow | null> {
    return (await this.#database.read<ProgramVersionRow>(versionById, [programId, id]))[0] ?? null;
  }
}

function keyValues({ creator, idempotencyKey, requestHash }: CreationKey): Parameter[] {
  return [creator, idempotencyKey, requestHash];
}

function ruleValues(row: RuleColumns): Parameter[] {
  return [
    row.point_expiry,
    row.point_expiry_end_of_month,
    row.reversal_policy,
    row.reversal_negative_limit,
    row.hold_expires_in_s,
  ];
}
