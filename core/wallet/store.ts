/**
 * The table `wallets`. SQL only; every statement serves many callers at once.
 */
import { type ProgramId, type WalletId, walletAccount, type wallets } from '@local-plus/contracts';
import type { Creation, CreationKey, Database } from '../platform/postgres/index.ts';
import type { ProgramTerms, WalletFacts } from './domain.ts';

export interface WalletRow {
  readonly id: WalletId;
  readonly merchant_id: WalletFacts['merchantId'];
  readonly program_id: ProgramId;
  readonly unit: string;
  readonly customer_id: string | null;
  readonly external_id: string | null;
  readonly status: wallets.Wallet['status'];
  readonly created_at: Date;
}

/** What an earn has to know of a wallet, beside its program. */
export type Membership = Pick<WalletRow, 'id' | 'program_id' | 'status'>;

/** A wallet to be. */
export interface NewWallet {
  readonly key: CreationKey;
  readonly row: Omit<WalletRow, 'status' | 'created_at'>;
}

interface CreatedRow extends WalletRow {
  readonly creator: string;
  readonly idempotency_key: string;
  readonly request_hash: string;
}

const columns = 'id, merchant_id, program_id, unit, customer_id, external_id, status, created_at';
const createdColumns = columns
  .split(', ')
  .map((column) => `w.${column}`)
  .join(', ');

/** Null cannot stand in an array literal of ours: the empty text stands for it, which neither column can hold. */
const insertStatement = `insert into wallets
  (id, merchant_id, program_id, unit, customer_id, external_id, creator, idempotency_key, request_hash)
  select id, merchant_id, program_id, unit, nullif(customer_id, '')::uuid, nullif(external_id, ''), creator, key,
    decode(hash, 'hex')
  from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::text[], $9::text[])
    as wanted(id, merchant_id, program_id, unit, customer_id, external_id, creator, key, hash)
  on conflict do nothing returning ${columns}`;

const byKeyStatement = `select ${createdColumns}, w.creator, w.idempotency_key,
    encode(w.request_hash, 'hex') as request_hash
  from unnest($1::uuid[], $2::text[]) as wanted(creator, key)
  join wallets as w on w.creator = wanted.creator and w.idempotency_key = wanted.key`;

/** Before every id. */
const NIL = '00000000-0000-0000-0000-000000000000';

const ofProgramStatement = `select id from wallets
  where program_id = $1::uuid and id > $2::uuid order by id limit $3::int`;

const ofCustomersStatement = `select ${columns} from wallets
  where customer_id = any($2::uuid[]) and merchant_id = $1::uuid and ($3::uuid is null or id < $3::uuid)
  order by id desc limit $4::int`;

const byIdStatement = `select ${columns} from wallets where id = any($1::uuid[])`;

export class WalletStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** In the order of their ids, from behind `after` (null: the first). */
  async ofProgram(programId: ProgramId, after: WalletId | null, rowsMax: number): Promise<readonly WalletId[]> {
    const parameters = [programId, after ?? NIL, rowsMax];
    const rows = await this.#database.read<{ readonly id: WalletId }>(ofProgramStatement, parameters);
    return rows.map(({ id }) => id);
  }

  /** Of any of these customers, newest first, from below `after` (null: the newest). */
  ofCustomers(
    merchantId: string,
    customerIds: readonly string[],
    after: WalletId | null,
    rowsMax: number,
  ): Promise<readonly WalletRow[]> {
    return this.#database.read<WalletRow>(ofCustomersStatement, [merchantId, customerIds, after, rowsMax]);
  }

  /** In the order of `ids`; null for what does not exist. */
  async findMany(ids: readonly WalletId[]): Promise<readonly (WalletRow | null)[]> {
    const rows = await this.#database.read<WalletRow>(byIdStatement, [ids]);
    const found = new Map(rows.map((row) => [row.id, row]));
    return ids.map((id) => found.get(id) ?? null);
  }

  /**
   * In the order of `wanted`. `conflict`: the external id belongs to another wallet of the program, since nothing else
   * can stand in the way of a wallet whose key is new.
   */
  async createMany(wanted: readonly NewWallet[]): Promise<readonly Creation<WalletRow>[]> {
    const inserted = await this.#database.write<WalletRow>(insertStatement, insertParameters(wanted));
    const created = new Map(inserted.map((row) => [row.id, row]));
    const others = wanted.filter(({ row }) => !created.has(row.id));
    const earlier = others.length === 0 ? new Map<string, CreatedRow>() : await this.#earlier(others);
    return wanted.map(({ key, row }): Creation<WalletRow> => {
      const own = created.get(row.id);
      if (own !== undefined) return { type: 'created', row: own };
      const first = earlier.get(keyText(key.creator, key.idempotencyKey));
      if (first === undefined) return { type: 'conflict' };
      return first.request_hash === key.requestHash ? { type: 'replayed', row: first } : { type: 'key_reused' };
    });
  }

  async #earlier(others: readonly NewWallet[]): Promise<Map<string, CreatedRow>> {
    const creators = others.map(({ key }) => key.creator);
    const keys = others.map(({ key }) => key.idempotencyKey);
    const rows = await this.#database.read<CreatedRow>(byKeyStatement, [creators, keys]);
    return new Map(rows.map((row) => [keyText(row.creator, row.idempotency_key), row]));
  }
}

/** An Idempotency-Key has no spaces. */
function keyText(creator: string, idempotencyKey: string): string {
  return `${creator} ${idempotencyKey}`;
}

function insertParameters(wanted: readonly NewWallet[]): string[][] {
  return [
    wanted.map(({ row }) => row.id),
    wanted.map(({ row }) => row.merchant_id),
    wanted.map(({ row }) => row.program_id),
    wanted.map(({ row }) => row.unit),
    wanted.map(({ row }) => row.customer_id ?? ''),
    wanted.map(({ row }) => row.external_id ?? ''),
    wanted.map(({ key }) => key.creator),
    wanted.map(({ key }) => key.idempotencyKey),
    wanted.map(({ key }) => key.requestHash),
  ];
}

/** What all wallets of a program have in common is the program's: they share its texts. */
export function factsOf(row: Membership, { merchantId, programId, unit, rules }: ProgramTerms): WalletFacts {
  return {
    kind: 'wallet',
    walletId: row.id,
    accountId: walletAccount(row.id),
    merchantId,
    programId,
    unit,
    rules,
    status: row.status,
  };
}
