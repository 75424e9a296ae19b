/**
 * The tables `giftcard_codes` and `giftcard_pin_unlocks`. SQL only.
 *
 * Tries of PINs are counted by the statement that gives out what they are compared with: the row's lock puts them one after
 * the other, so that of any number at the same time no more are let through than are left.
 */
import type { GiftcardId, MerchantId } from '@local-plus/contracts';
import { audited } from '../../audit/index.ts';
import type { Database } from '../../platform/postgres/index.ts';
import { codeLimits } from './limits.ts';

/** Hashes and salts are lower-case hex. */
export interface KeptCode {
  readonly card_id: GiftcardId;
  readonly merchant_id: MerchantId;
  readonly key_id: string;
  readonly code_hash: string;
  readonly last_four: string;
  readonly pin_salt: string | null;
  readonly pin_hash: string | null;
}

export interface FoundRow extends Omit<KeptCode, 'merchant_id'> {
  /** A try of its PIN was counted, and may be looked at. */
  readonly tried: boolean;
  /** Milliseconds until PINs are looked at again; 0: they are now. */
  readonly locked_ms: number;
}

export interface PinRow {
  readonly card_id: GiftcardId;
  readonly last_four: string;
  readonly has_pin: boolean;
  readonly pin_locked_until: Date | null;
}

const columns = 'card_id, merchant_id, key_id, code_hash, last_four, pin_salt, pin_hash';

/** From the JSON text of {@link KeptCode}s. */
function insertCodes(parameter: number): string {
  return `insert into giftcard_codes (${columns})
    select card_id, merchant_id, key_id, decode(code_hash, 'hex'), last_four, decode(pin_salt, 'hex'), decode(pin_hash, 'hex')
    from json_to_recordset($${parameter}::text::json) as kept (card_id uuid, merchant_id uuid, key_id text, code_hash text,
      last_four text, pin_salt text, pin_hash text)`;
}

/**
 * One more `with` member, for a statement of another module that issues cards: codes that were drawn become theirs. A card that
 * has one already fails the statement.
 *
 * @param parameter the number of the statement's parameter that has `DrawnCodes.kept`
 * @param from the `with` member that has a row when the cards are issued: none, no codes
 */
export function keptCodes(parameter: number, from: string): string {
  return `kept_codes_${parameter} as (${insertCodes(parameter)} where exists (select from ${from}))`;
}

const assignStatement = `${insertCodes(1)} on conflict do nothing returning card_id`;
const lastFoursStatement = 'select card_id, last_four from giftcard_codes where card_id = any($1::uuid[])';

/** How long the lock is that this try brings with it, if it is wrong: none, or a time that doubles. */
const lock = `case when c.pin_tries + 1 >= ${codeLimits.pinTriesMax} then now() + make_interval(secs =>
    least(${codeLimits.pinLockMaxS}, ${codeLimits.pinLockFirstS} * power(2, least(c.pin_tries + 1 - ${codeLimits.pinTriesMax}, 30)))) end`;

/** $1 the merchant, $2 hashes of the code under every key, $3 whether a PIN came with it. */
const findStatement = `with found as (
    select card_id, key_id, code_hash, last_four, pin_salt, pin_hash, pin_locked_until from giftcard_codes
    where merchant_id = $1::uuid and code_hash = any($2::text::bytea[])
  ), tried as (
    update giftcard_codes as c set pin_tries = c.pin_tries + 1, pin_locked_until = ${lock}
    from found
    where $3::boolean and c.card_id = found.card_id and c.pin_hash is not null
      and (c.pin_locked_until is null or c.pin_locked_until <= now())
    returning c.card_id, c.key_id, c.pin_salt, c.pin_hash
  )
  select f.card_id, coalesce(t.key_id, f.key_id) as key_id, encode(f.code_hash, 'hex') as code_hash, f.last_four,
    encode(coalesce(t.pin_salt, f.pin_salt), 'hex') as pin_salt, encode(coalesce(t.pin_hash, f.pin_hash), 'hex') as pin_hash,
    t.card_id is not null as tried,
    greatest(0, ceil(extract(epoch from f.pin_locked_until - now()) * 1000))::float8 as locked_ms
  from found as f left join tried as t on t.card_id = f.card_id`;

const forgiveStatement = 'update giftcard_codes set pin_tries = 0, pin_locked_until = null where card_id = $1::uuid';
/** Only what is still as it was found. */
const rekeyStatement = `update giftcard_codes set key_id = $2, code_hash = decode($3, 'hex'),
    pin_salt = decode($4, 'hex'), pin_hash = decode($5, 'hex')
  where card_id = $1::uuid and code_hash = decode($6, 'hex') and (pin_hash is null) = ($5::text is null)`;

const pinColumns = `card_id, last_four, pin_hash is not null as has_pin,
  case when pin_locked_until > now() then pin_locked_until end as pin_locked_until`;
const pinStatement = `select ${pinColumns} from giftcard_codes where card_id = $1::uuid and merchant_id = $2::uuid`;
/** The key's row first: of two with one key at once the later one waits for it, and does nothing. */
const unlockStatement = `with asked as (
    insert into giftcard_pin_unlocks (card_id, idempotency_key)
    select card_id, $3 from giftcard_codes where card_id = $1::uuid and merchant_id = $2::uuid and pin_hash is not null
    on conflict do nothing returning card_id
  ), unlocked as (
    update giftcard_codes set pin_tries = 0, pin_locked_until = null where card_id in (select card_id from asked)
    returning card_id
  ), ${audited(4, 'unlocked')} select * from unlocked`;

/** One key after the other, by the index, however many rows there are. */
const keysStatement = `with recursive used (key_id) as (
    (select key_id from giftcard_codes order by key_id limit 1)
    union all
    select (select c.key_id from giftcard_codes as c where c.key_id > used.key_id order by c.key_id limit 1)
    from used where used.key_id is not null
  ) select key_id from used where key_id is not null`;

export class CodeStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /** The cards that have their code by this call; the others had one before. */
  async assign(kept: string): Promise<ReadonlySet<GiftcardId>> {
    const rows = await this.#database.write<Pick<KeptCode, 'card_id'>>(assignStatement, [kept]);
    return new Set(rows.map(({ card_id }) => card_id));
  }

  async lastFours(cardIds: readonly GiftcardId[]): Promise<ReadonlyMap<GiftcardId, string>> {
    const rows = await this.#database.read<Pick<KeptCode, 'card_id' | 'last_four'>>(lastFoursStatement, [cardIds]);
    return new Map(rows.map(({ card_id, last_four }) => [card_id, last_four]));
  }

  /** A write, even where nothing is found: a try is counted by it. */
  async find(merchantId: MerchantId, codeHashes: readonly string[], hasPin: boolean): Promise<FoundRow | null> {
    const hashes = `{${codeHashes.map((hash) => `"\\\\x${hash}"`).join(',')}}`;
    return (await this.#database.write<FoundRow>(findStatement, [merchantId, hashes, hasPin]))[0] ?? null;
  }

  /** The PIN was right: what was counted counts no more. */
  async forgive(cardId: GiftcardId): Promise<void> {
    await this.#database.write(forgiveStatement, [cardId]);
  }

  /** @param codeHash as it was found: nothing happens if it is another one by now */
  async rekey(row: Omit<KeptCode, 'merchant_id' | 'last_four'>, codeHash: string): Promise<void> {
    const { card_id, key_id, code_hash, pin_salt, pin_hash } = row;
    await this.#database.write(rekeyStatement, [card_id, key_id, code_hash, pin_salt, pin_hash, codeHash]);
  }

  async pin(cardId: GiftcardId, merchantId: MerchantId): Promise<PinRow | null> {
    return (await this.#database.read<PinRow>(pinStatement, [cardId, merchantId]))[0] ?? null;
  }

  /** Once for one key. false: there is nothing to unlock, or a request with this key did it before. */
  async unlockPin(cardId: GiftcardId, merchantId: MerchantId, idempotencyKey: string, entry: string): Promise<boolean> {
    const parameters = [cardId, merchantId, idempotencyKey, entry];
    return (await this.#database.write(unlockStatement, parameters)).length > 0;
  }

  /** The ids of keys under which there are codes. */
  async keyIds(): Promise<readonly string[]> {
    return (await this.#database.read<{ readonly key_id: string }>(keysStatement)).map(({ key_id }) => key_id);
  }
}
