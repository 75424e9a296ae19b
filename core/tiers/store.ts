/**
 * The tables `tier_schemes`, `tier_programs`, `wallet_tiers`, `tier_changes`, `tier_follower`, `tier_progress`. SQL only; every
 * change is one statement.
 *
 * - S1 who writes what follows from the ledger holds the follower's row, at its epoch, until the commit: no write of a process
 *   that was taken over from comes after the first look of the one that took over.
 * - S2 a wallet's row is written only if it is as it was read.
 */
import type { AccountId, ProgramId } from '@local-plus/contracts';
import { limits, type tiers as wire } from '@local-plus/contracts';
import { audited } from '../audit/index.ts';
import { announce } from '../outbox/index.ts';
import { type Creation, type CreationKey, createOnce, type Database } from '../platform/postgres/index.ts';
import type { Change, DayPoints, TierState } from './domain.ts';

export interface SchemeRow {
  readonly program_id: ProgramId;
  readonly version: number;
  readonly window_period: wire.TierScheme['window']['period'];
  readonly window_count: number;
  readonly grace_days: number;
  readonly tiers: wire.TierScheme['tiers'];
  readonly created_at: Date;
  readonly request_hash: string;
}

export type NewScheme = Omit<SchemeRow, 'version' | 'created_at' | 'request_hash'>;

/** A program with tiers, and what is to be done for it beside following the ledger. */
export interface TieredProgram {
  readonly program_id: ProgramId;
  readonly version: number;
  readonly applied_version: number;
  readonly walked_to: string | null;
  readonly is_walked: boolean;
}

export interface WalletTierRow extends TierState {
  readonly accountId: AccountId;
  readonly programId: ProgramId;
}

interface StoredTier {
  readonly account_id: AccountId;
  readonly program_id: ProgramId;
  readonly scheme_version: number;
  readonly version: number;
  readonly day: number;
  readonly days: readonly DayPoints[];
  readonly tier: string | null;
  readonly since: Date | null;
  readonly due_day: number | null;
  readonly changes: number;
}

export interface ChangeRow {
  readonly place: number;
  readonly from_tier: string | null;
  readonly to_tier: string | null;
  readonly direction: wire.TierChange['direction'];
  readonly cause: wire.TierChange['cause'];
  readonly points: number;
  readonly scheme_version: number;
  readonly at: Date;
}

export interface ProgressRow {
  readonly database_id: number;
  readonly writer_id: number;
  readonly seq: string;
}

/** A state that was read, or none, and what it became. */
export interface Moved {
  readonly before: TierState | null;
  readonly after: WalletTierRow;
}

const schemeColumns = `program_id, version, window_period, window_count, grace_days, tiers, created_at,
  encode(request_hash, 'hex') as request_hash`;
const tierColumns = 'account_id, program_id, scheme_version, version, day, days, tier, since, due_day, changes';

const createScheme = `with next as (
    select coalesce(max(version), 0) + 1 as version from tier_schemes where program_id = $4::uuid
  ), written as (
    insert into tier_schemes (creator, idempotency_key, request_hash, program_id, version, window_period, window_count,
      grace_days, tiers)
    select $1::uuid, $2, decode($3, 'hex'), $4::uuid, version, $5, $6::int, $7::int, $8::text::json
    from next where version = $9::int + 1 and version <= ${limits.tierSchemesMax}
    on conflict do nothing returning ${schemeColumns}
  ), known as (
    insert into tier_programs (program_id, version) select program_id, version from written
    on conflict (program_id) do update set version = greatest(tier_programs.version, excluded.version)
  ), ${audited(10, 'written')}
  select * from written`;
const schemeByKey = `select ${schemeColumns} from tier_schemes where creator = $1::uuid and idempotency_key = $2`;
const schemePage = `select ${schemeColumns} from tier_schemes
  where program_id = $1::uuid and version <= $2::int order by version desc limit $3::int`;
/** With the moment at which the program came to have tiers. */
const schemeStatement = `select ${schemeColumns}, (
    select created_at from tier_schemes where program_id = $1::uuid and version = 1
  ) as began_at from tier_schemes where program_id = $1::uuid and version = $2::int`;

const programsStatement = 'select program_id, version, applied_version, walked_to, is_walked from tier_programs';
const programStatement = `${programsStatement} where program_id = $1::uuid`;
const anyProgramStatement = 'select exists (select from tier_programs) as "isAny"';
const unfinishedStatement = `${programsStatement}
  where (not is_walked or applied_version < version) and program_id > $1::uuid order by program_id limit $2::int`;
const versionsStatement = 'select program_id, version from tier_programs where program_id = any($1::uuid[])';
const statesStatement = `select ${tierColumns} from wallet_tiers where account_id = any($1::uuid[])`;
const tiersStatement = 'select account_id, tier from wallet_tiers where account_id = any($1::uuid[])';
const dueStatement = `select account_id, program_id from wallet_tiers
  where due_day <= $1::int order by due_day limit $2::int`;
const otherSchemeStatement = `select account_id, program_id from wallet_tiers
  where program_id = $1::uuid and scheme_version < $2::int limit $3::int`;
const changesStatement = `select place, from_tier, to_tier, direction, cause, points, scheme_version, at
  from tier_changes where account_id = $1::uuid and place <= $2::int order by place desc limit $3::int`;

/** S1. */
const leaseStatement = `update tier_follower
  set holder = $1::uuid, until = now() + $2::int * interval '1 ms',
    epoch = case when holder = $1::uuid then epoch else epoch + 1 end
  where holder = $1::uuid or until < now() returning epoch`;
const giveUpStatement = `update tier_follower set until = '-infinity' where holder = $1::uuid and epoch = $2::bigint`;
const held = (parameter: number) =>
  `held as (select epoch from tier_follower where epoch = $${parameter}::bigint for share)`;

const progressStatement = 'select database_id, writer_id, seq::text as seq from tier_progress';
const saveProgressStatement = `with ${held(4)}
  insert into tier_progress (database_id, writer_id, seq) select $1::smallint, $2::smallint, $3::text::bigint from held
  on conflict (database_id, writer_id) do update set seq = greatest(tier_progress.seq, excluded.seq) returning writer_id`;
const walkedStatement = `with ${held(4)}
  update tier_programs set walked_to = $2::uuid, is_walked = $3::boolean from held
  where program_id = $1::uuid returning program_id`;
const appliedStatement = `with ${held(3)}
  update tier_programs set applied_version = $2::int from held where program_id = $1::uuid returning program_id`;

/** S1, S2. $1 has what becomes of each wallet, and by how many changes and up to which version it is known to have been. */
const written = `written as (
    insert into wallet_tiers as t (${tierColumns})
    select m.account_id, m.program_id, m.scheme_version, m.version, m.day, m.days, m.tier, m.since, m.due_day, m.changes
    from held, json_to_recordset($1::text::json) as m(account_id uuid, program_id uuid, scheme_version int,
      version bigint, day int, days json, tier text, since timestamptz, due_day int, changes int)
    order by m.account_id
    on conflict (account_id) do update set scheme_version = excluded.scheme_version, version = excluded.version,
      day = excluded.day, days = excluded.days, tier = excluded.tier, since = excluded.since,
      due_day = excluded.due_day, changes = excluded.changes
    where exists (
      select from json_to_recordset($1::text::json) as m(account_id uuid, before json)
      where m.account_id = t.account_id and (m.before ->> 'version')::bigint = t.version
        and (m.before ->> 'changes')::int = t.changes and (m.before ->> 'day')::int = t.day
        and (m.before ->> 'scheme_version')::int = t.scheme_version)
    returning account_id)`;
const writeStatement = `with ${held(2)}, ${written} select account_id from written`;
const writeChangeStatement = `with ${held(2)}, ${written}, noted as (
    insert into tier_changes (account_id, place, from_tier, to_tier, direction, cause, points, scheme_version, at)
    select account_id, $3::int, $4, $5, $6, $7, $8::bigint, $9::int, $10::timestamptz from written
  ), ${announce(11, 'written')}
  select account_id from written`;

export class TierStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /**
   * `conflict`: there are others by now, the number was taken at the same moment, or there are none left.
   *
   * @param newest the number of the tiers that this follows, and that the audit entry says were before it; 0: of none
   */
  createScheme(key: CreationKey, row: NewScheme, newest: number, audit: string): Promise<Creation<SchemeRow>> {
    const { creator, idempotencyKey, requestHash } = key;
    const { program_id, window_period, window_count, grace_days, tiers } = row;
    const asked = [program_id, window_period, window_count, grace_days, JSON.stringify(tiers), newest, audit];
    return createOnce(
      key,
      () => this.#database.write<SchemeRow>(createScheme, [creator, idempotencyKey, requestHash, ...asked]),
      () => this.#database.read<SchemeRow>(schemeByKey, [creator, idempotencyKey]),
    );
  }

  /** Newest first, from that number down. */
  schemes(programId: ProgramId, versionMax: number, rowsMax: number): Promise<readonly SchemeRow[]> {
    return this.#database.read<SchemeRow>(schemePage, [programId, versionMax, rowsMax]);
  }

  async scheme(programId: ProgramId, version: number): Promise<(SchemeRow & { readonly began_at: Date }) | null> {
    const rows = await this.#database.read<SchemeRow & { readonly began_at: Date }>(schemeStatement, [
      programId,
      version,
    ]);
    return rows[0] ?? null;
  }

  async isAnyProgram(): Promise<boolean> {
    return (await this.#database.read<{ readonly isAny: boolean }>(anyProgramStatement))[0]?.isAny ?? false;
  }

  /** Those that are not walked over, or not by their newest tiers, in the order of their ids, from behind `after`. */
  unfinished(after: ProgramId, rowsMax: number): Promise<readonly TieredProgram[]> {
    return this.#database.read<TieredProgram>(unfinishedStatement, [after, rowsMax]);
  }

  /** The number of the newest tiers of each of these that has any. */
  async versions(programIds: readonly ProgramId[]): Promise<ReadonlyMap<ProgramId, number>> {
    const rows = await this.#database.read<Pick<TieredProgram, 'program_id' | 'version'>>(versionsStatement, [
      programIds,
    ]);
    return new Map(rows.map(({ program_id, version }) => [program_id, version]));
  }

  async program(programId: ProgramId): Promise<TieredProgram | null> {
    return (await this.#database.read<TieredProgram>(programStatement, [programId]))[0] ?? null;
  }

  async states(accountIds: readonly AccountId[]): Promise<ReadonlyMap<AccountId, WalletTierRow>> {
    const rows = await this.#database.read<StoredTier>(statesStatement, [accountIds]);
    return new Map(rows.map((row) => [row.account_id, stateFrom(row)]));
  }

  /** In the order of `accountIds`; null: of none, or never looked at. */
  async tiers(accountIds: readonly AccountId[]): Promise<readonly (string | null)[]> {
    const rows = await this.#database.read<Pick<StoredTier, 'account_id' | 'tier'>>(tiersStatement, [accountIds]);
    const found = new Map(rows.map(({ account_id, tier }) => [account_id, tier]));
    return accountIds.map((accountId) => found.get(accountId) ?? null);
  }

  /** Wallets whose tier has fallen by then, the longest due first. */
  due(day: number, rowsMax: number): Promise<readonly Pick<StoredTier, 'account_id' | 'program_id'>[]> {
    return this.#database.read(dueStatement, [day, rowsMax]);
  }

  ofOlderScheme(
    programId: ProgramId,
    version: number,
    rowsMax: number,
  ): Promise<readonly Pick<StoredTier, 'account_id' | 'program_id'>[]> {
    return this.#database.read(otherSchemeStatement, [programId, version, rowsMax]);
  }

  /** Newest first, from that place down. */
  changes(accountId: AccountId, placeMax: number, rowsMax: number): Promise<readonly ChangeRow[]> {
    return this.#database.read<ChangeRow>(changesStatement, [accountId, placeMax, rowsMax]);
  }

  /** The epoch under which this process follows the ledger for so long; null: another one does. */
  async lease(holder: string, leaseMs: number): Promise<number | null> {
    return (
      (await this.#database.write<{ readonly epoch: number }>(leaseStatement, [holder, leaseMs]))[0]?.epoch ?? null
    );
  }

  async giveUp(holder: string, epoch: number): Promise<void> {
    await this.#database.write(giveUpStatement, [holder, epoch]);
  }

  progress(): Promise<readonly ProgressRow[]> {
    return this.#database.read<ProgressRow>(progressStatement);
  }

  /** False, here and below: another process follows now, or a wallet is not as it was read; nothing was changed. */
  async saveProgress({ database_id, writer_id, seq }: ProgressRow, epoch: number): Promise<boolean> {
    const rows = await this.#database.write(saveProgressStatement, [database_id, writer_id, seq, epoch]);
    return rows.length === 1;
  }

  async saveWalk(programId: ProgramId, to: string | null, isWalked: boolean, epoch: number): Promise<boolean> {
    return (await this.#database.write(walkedStatement, [programId, to, isWalked, epoch])).length === 1;
  }

  async saveApplied(programId: ProgramId, version: number, epoch: number): Promise<boolean> {
    return (await this.#database.write(appliedStatement, [programId, version, epoch])).length === 1;
  }

  /** Wallets whose tier stays. False: not all of them were written. */
  async write(moved: readonly Moved[], epoch: number): Promise<boolean> {
    const rows = await this.#database.write(writeStatement, [JSON.stringify(moved.map(movedJson)), epoch]);
    return rows.length === moved.length;
  }

  /** @param event the change as the outbox has it */
  async writeChange(moved: Moved, change: Change, event: string, epoch: number): Promise<boolean> {
    const rows = await this.#database.write(writeChangeStatement, [
      JSON.stringify([movedJson(moved)]),
      epoch,
      change.place,
      change.from,
      change.to,
      change.direction,
      change.cause,
      change.points,
      moved.after.schemeVersion,
      new Date(change.atMs),
      event,
    ]);
    return rows.length === 1;
  }
}

function stateFrom(row: StoredTier): WalletTierRow {
  return {
    accountId: row.account_id,
    programId: row.program_id,
    schemeVersion: row.scheme_version,
    version: row.version,
    day: row.day,
    days: row.days,
    tier: row.tier,
    sinceMs: row.since?.getTime() ?? null,
    dueDay: row.due_day,
    changes: row.changes,
  };
}

function movedJson({ before, after }: Moved): object {
  return {
    account_id: after.accountId,
    program_id: after.programId,
    scheme_version: after.schemeVersion,
    version: after.version,
    day: after.day,
    days: after.days,
    tier: after.tier,
    since: after.sinceMs === null ? null : new Date(after.sinceMs).toISOString(),
    due_day: after.dueDay,
    changes: after.changes,
    before: before && {
      version: before.version,
      changes: before.changes,
      day: before.day,
      scheme_version: before.schemeVersion,
    },
  };
}
