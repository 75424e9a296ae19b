/**
 * The tables `rule_versions`, `earn_rules` and `rule_additions`. SQL only; every change is one statement.
 */
import { limits, type ProgramId, type rules as wire } from '@local-plus/contracts';
import { audited } from '../audit/index.ts';
import {
  type Creation,
  type CreationKey,
  createOnce,
  type Database,
  UniqueViolation,
} from '../platform/postgres/index.ts';
import { hasWindowCap } from './domain.ts';
import { rulesLimits } from './limits.ts';

export interface VersionRow {
  readonly id: string;
  readonly program_id: ProgramId;
  readonly version: number;
  readonly name: string | null;
  readonly status: wire.RulesVersion['status'];
  readonly time_zone: string;
  readonly caps: wire.RulesVersion['caps'];
  readonly rules_count: number;
  readonly effective_from: Date | null;
  readonly published_at: Date | null;
  readonly publication_key: string | null;
  readonly publication_hash: string | null;
  readonly created_at: Date;
  readonly request_hash: string;
}

/** An earlier request that added rules. */
export interface Addition {
  readonly request_hash: string;
  readonly rules_count: number;
}

/** A request that changes a draft, by its key and what it asks. */
export interface ChangeKey {
  readonly idempotencyKey: string;
  /** Lower-case hex. */
  readonly requestHash: string;
}

export type NewVersion = Pick<VersionRow, 'id' | 'program_id' | 'name' | 'time_zone' | 'caps'> & {
  readonly rules: readonly wire.Rule[];
};

const columns = `id, program_id, version, name, status, time_zone, caps, rules_count, effective_from, published_at,
  publication_key, encode(publication_hash, 'hex') as publication_hash, created_at,
  encode(request_hash, 'hex') as request_hash`;

/** Nothing is inserted where the key is used, or another request took the number: which of the two, the key tells. */
const createStatement = `with next as (
    select coalesce(max(version), 0) + 1 as version from rule_versions where program_id = $5::uuid
  ), written as (
    insert into rule_versions (creator, idempotency_key, request_hash, id, program_id, name, time_zone, caps, version,
      rules_count, capped_count)
    select $1::uuid, $2, decode($3, 'hex'), $4::uuid, $5::uuid, $6, $7, $8::text::json, version,
      cardinality($9::text[]), $11::int
    from next where version <= ${limits.rulesVersionsMax}
    on conflict do nothing returning ${columns}
  ), filled as (
    insert into earn_rules (version_id, place, rule_id, rule)
    select written.id, added.place - 1, added.rule_id, added.rule::json
    from written, unnest($9::text[], $10::text[]) with ordinality as added(rule_id, rule, place)
  ) select * from written`;

/** The row's lock puts additions in order; the key's row makes one of two with the same key fail. */
const addStatement = `with moved as (
    update rule_versions set rules_count = rules_count + cardinality($4::text[]), capped_count = capped_count + $6::int
    where id = $1::uuid and status = 'draft'
      and rules_count + cardinality($4::text[]) <= ${limits.rulesMax}
      and capped_count + $6::int <= ${rulesLimits.cappedRulesMax}
      and not exists (select from rule_additions where version_id = $1::uuid and idempotency_key = $2)
    returning ${columns}
  ), noted as (
    insert into rule_additions (version_id, idempotency_key, request_hash, rules_count)
    select id, $2, decode($3, 'hex'), rules_count from moved
  ), filled as (
    insert into earn_rules (version_id, place, rule_id, rule)
    select moved.id, moved.rules_count - cardinality($4::text[]) + added.place - 1, added.rule_id, added.rule::json
    from moved, unnest($4::text[], $5::text[]) with ordinality as added(rule_id, rule, place)
  ) select * from moved`;

const additionStatement = `select encode(request_hash, 'hex') as request_hash, rules_count from rule_additions
  where version_id = $1::uuid and idempotency_key = $2`;

const publishStatement = `with moved as (
    update rule_versions
    set status = 'published', effective_from = $2, published_at = $3, publication_key = $4,
      publication_hash = decode($5, 'hex')
    where id = $1::uuid and status = 'draft' returning ${columns}
  ), ${audited(6, 'moved')}
  select * from moved`;

const byKeyStatement = `select ${columns} from rule_versions where creator = $1::uuid and idempotency_key = $2`;
const byIdStatement = `select ${columns} from rule_versions where id = $1::uuid and program_id = $2::uuid`;
const pageStatement = `select ${columns} from rule_versions
  where program_id = $1::uuid and version <= $2::int order by version desc limit $3::int`;
const rulesStatement = `select rule from earn_rules
  where version_id = $1::uuid and place >= $2::int order by place limit $3::int`;

/** What is in force at a moment, then what is to come, the next one first. */
const inForceStatement = `(select ${columns} from rule_versions
    where program_id = $1::uuid and status = 'published' and effective_from <= $2
    order by effective_from desc, version desc limit 1)
  union all
  (select ${columns} from rule_versions
    where program_id = $1::uuid and status = 'published' and effective_from > $2
    order by effective_from, version limit ${rulesLimits.upcomingMax})`;

export class RulesStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /** `conflict`: another request took the number at the same moment, or there are no numbers left. */
  create(key: CreationKey, wanted: NewVersion): Promise<Creation<VersionRow>> {
    const { creator, idempotencyKey, requestHash } = key;
    const { id, program_id, name, time_zone, caps, rules } = wanted;
    return createOnce(
      key,
      () =>
        this.#database.write<VersionRow>(createStatement, [
          creator,
          idempotencyKey,
          requestHash,
          id,
          program_id,
          name,
          time_zone,
          JSON.stringify(caps),
          ...rulesParameters(rules),
        ]),
      () => this.#database.read<VersionRow>(byKeyStatement, [creator, idempotencyKey]),
    );
  }

  /**
   * `none`: the key is used, the version is no draft any more, or it would have too many rules. `taken`: it has a rule with
   * one of the ids, or the key was used at the same moment.
   */
  async add(id: string, key: ChangeKey, rules: readonly wire.Rule[]): Promise<VersionRow | 'none' | 'taken'> {
    const { idempotencyKey, requestHash } = key;
    try {
      const parameters = [id, idempotencyKey, requestHash, ...rulesParameters(rules)];
      const [row] = await this.#database.write<VersionRow>(addStatement, parameters);
      return row ?? 'none';
    } catch (error) {
      if (error instanceof UniqueViolation) return 'taken';
      throw error;
    }
  }

  async addition(id: string, idempotencyKey: string): Promise<Addition | null> {
    return (await this.#database.read<Addition>(additionStatement, [id, idempotencyKey]))[0] ?? null;
  }

  /** null: there is no such draft (any more). */
  async publish(id: string, key: ChangeKey, effectiveFrom: Date, now: Date, audit: string): Promise<VersionRow | null> {
    const { idempotencyKey, requestHash } = key;
    const parameters = [id, effectiveFrom, now, idempotencyKey, requestHash, audit];
    return (await this.#database.write<VersionRow>(publishStatement, parameters))[0] ?? null;
  }

  async version(programId: ProgramId, id: string): Promise<VersionRow | null> {
    return (await this.#database.read<VersionRow>(byIdStatement, [id, programId]))[0] ?? null;
  }

  /** Newest first, from that number down. */
  versions(programId: ProgramId, versionMax: number, rowsMax: number): Promise<readonly VersionRow[]> {
    return this.#database.read<VersionRow>(pageStatement, [programId, versionMax, rowsMax]);
  }

  /** In the order in which they were added, from that place on. */
  async rules(id: string, place: number, rowsMax: number): Promise<readonly wire.Rule[]> {
    const rows = await this.#database.read<{ readonly rule: wire.Rule }>(rulesStatement, [id, place, rowsMax]);
    return rows.map(({ rule }) => rule);
  }

  /** Published versions: the one in force at a moment first, if there is one, then those after it, soonest first. */
  inForce(programId: ProgramId, moment: Date): Promise<readonly VersionRow[]> {
    return this.#database.read<VersionRow>(inForceStatement, [programId, moment]);
  }
}

function rulesParameters(rules: readonly wire.Rule[]): [ids: string[], rules: string[], capped: number] {
  const capped = rules.filter(hasWindowCap).length;
  return [rules.map(({ id }) => id), rules.map((rule) => JSON.stringify(rule)), capped];
}
