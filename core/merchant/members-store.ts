/**
 * The table `merchant_members`. SQL only.
 *
 * - M1 a merchant that has an owner keeps one: who would change or remove an owner locks all owners first, in one order, and
 *   looks at what they have become by then.
 */
import type { MerchantId, members } from '@local-plus/contracts';
import { audited } from '../audit/index.ts';
import { type Creation, type CreationKey, createOnce, type Database } from '../platform/postgres/index.ts';

export interface MemberRow {
  readonly id: string;
  readonly merchant_id: MerchantId;
  readonly subject: string;
  readonly role: members.Role;
  readonly created_at: Date;
  readonly removed_at: Date | null;
}

interface Requested {
  readonly request_hash: string;
}

/** What becomes of a member. */
export type MemberChange =
  | { readonly kind: 'member_role'; readonly role: members.Role }
  | { readonly kind: 'member_removal' };

const columns = `id, merchant_id, subject, role, created_at, removed_at`;
const hashColumn = `encode(request_hash, 'hex') as request_hash`;

const insert = `with written as (
    insert into merchant_members (creator, idempotency_key, request_hash, id, merchant_id, subject, role)
    values ($1, $2, decode($3, 'hex'), $4, $5, $6, $7) on conflict do nothing returning ${columns}, ${hashColumn}
  ), ${audited(8, 'written')} select * from written`;
const byKey = `select ${columns}, ${hashColumn} from merchant_members where creator = $1 and idempotency_key = $2`;
const one = `select ${columns} from merchant_members where merchant_id = $1 and id = $2`;
const page = `select ${columns} from merchant_members
  where merchant_id = $1 and removed_at is null and ($2::uuid is null or id < $2::uuid) order by id desc limit $3`;
const roleOf = `select role from merchant_members where merchant_id = $1 and subject = $2 and removed_at is null`;

/**
 * $6: the new role; null: it is removed. $9: the role as it was read, which its entry in the trail tells of. The count of owners
 * comes before the target's own lock: no two wait for each other.
 */
const change = `with owners as materialized (
    select id from merchant_members
    where merchant_id = $4::uuid and role = 'owner' and removed_at is null order by id for update
  ), target as (
    select m.id, m.role, o.owners from merchant_members as m, (select count(*) as owners from owners) as o
    where m.id = $5::uuid and m.merchant_id = $4::uuid and m.role = $9 and m.removed_at is null for update of m
  ), noted as (
    insert into merchant_changes (creator, idempotency_key, request_hash, merchant_id, kind, value)
    select $1::uuid, $2, decode($3, 'hex'), $4::uuid, $7, json_build_object('member_id', id, 'role', $6::text)::jsonb
    from target where role <> 'owner' or coalesce($6::text, '') = 'owner' or owners > 1
    on conflict do nothing returning merchant_id, request_hash
  ), changed as (
    update merchant_members as m set role = coalesce($6::text, m.role), changed_at = now(),
      removed_at = case when $6::text is null then now() end
    from noted where m.id = $5::uuid returning m.id
  ), ${audited(8, 'changed')} select ${hashColumn} from noted`;
const isLastOwner = `select count(*)::int as owners, count(*) filter (where id = $2::uuid)::int as found
  from merchant_members where merchant_id = $1::uuid and role = 'owner' and removed_at is null`;
const changeOfKey = `select ${hashColumn} from merchant_changes where creator = $1 and idempotency_key = $2`;

export class MemberStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /** `conflict`: the subject is a member already. */
  create(
    key: CreationKey,
    row: Pick<MemberRow, 'id' | 'merchant_id' | 'subject' | 'role'>,
    entry: string,
  ): Promise<Creation<MemberRow & Requested>> {
    const { creator, idempotencyKey, requestHash } = key;
    const values = [row.id, row.merchant_id, row.subject, row.role, entry];
    return createOnce(
      key,
      () => this.#database.write<MemberRow & Requested>(insert, [creator, idempotencyKey, requestHash, ...values]),
      () => this.#database.read<MemberRow & Requested>(byKey, [creator, idempotencyKey]),
    );
  }

  /** Also one that was removed. */
  async member(merchantId: MerchantId, id: string): Promise<MemberRow | null> {
    return (await this.#database.read<MemberRow>(one, [merchantId, id]))[0] ?? null;
  }

  /** Those that were not removed, newest first, before an id. */
  members(merchantId: MerchantId, before: string | null, rowsMax: number): Promise<readonly MemberRow[]> {
    return this.#database.read<MemberRow>(page, [merchantId, before, rowsMax]);
  }

  /** null: the subject is no member. */
  async role(merchantId: string, subject: string): Promise<members.Role | null> {
    return (await this.#database.read<{ role: members.Role }>(roleOf, [merchantId, subject]))[0]?.role ?? null;
  }

  /** Whether the merchant has this owner and no other one. */
  async isLastOwner(merchantId: MerchantId, id: string): Promise<boolean> {
    type Count = { readonly owners: number; readonly found: number };
    const [count] = await this.#database.read<Count>(isLastOwner, [merchantId, id]);
    return count?.owners === 1 && count.found === 1;
  }

  /** Once for one key. `conflict`: there is no such member (any more), it has another role, or it is the last owner. */
  change(
    key: CreationKey,
    { merchant_id, id, role: before }: Pick<MemberRow, 'merchant_id' | 'id' | 'role'>,
    wanted: MemberChange,
    entry: string,
  ): Promise<Creation<Requested>> {
    const { creator, idempotencyKey, requestHash } = key;
    const role = wanted.kind === 'member_role' ? wanted.role : null;
    const values = [merchant_id, id, role, wanted.kind, entry, before];
    return createOnce(
      key,
      () => this.#database.write<Requested>(change, [creator, idempotencyKey, requestHash, ...values]),
      () => this.#database.read<Requested>(changeOfKey, [creator, idempotencyKey]),
    );
  }
}
