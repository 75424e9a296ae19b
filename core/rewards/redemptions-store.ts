/**
 * The tables `reward_redemptions` and `reward_cancellations`. SQL only; every change is one statement, with its event.
 */
import type {
  AccountId,
  GiftcardId,
  MerchantId,
  Problem,
  ProgramId,
  RequestId,
  TransactionId,
  rewards as wire,
} from '@local-plus/contracts';
import { announce } from '../outbox/index.ts';
import {
  type Creation,
  type CreationKey,
  createOnce,
  type Database,
  type Parameter,
  UniqueViolation,
} from '../platform/postgres/index.ts';
import { isAtRest, type Status } from './domain.ts';
import { rewardLimits } from './limits.ts';

export interface RedemptionRow {
  readonly id: string;
  readonly reward_id: string;
  readonly merchant_id: MerchantId;
  readonly program_id: ProgramId;
  readonly wallet_id: AccountId;
  readonly name: string;
  readonly gives: wire.Gives;
  readonly points: number;
  readonly status: Status;
  readonly code: string | null;
  readonly giftcard_id: GiftcardId | null;
  readonly transaction_id: TransactionId | null;
  /** Why it came to nothing, as its request was told. */
  readonly refusal: Problem | null;
  /** Attempts to cancel it. */
  readonly cancels: number;
  /** Attempts to give its points back, without a gift card, that the ledger has refused. */
  readonly return_tries: number;
  /** The next attempt is not due yet. */
  readonly is_paused: boolean;
  readonly correlation_id: RequestId;
  readonly traceparent: string | null;
  readonly created_at: Date;
  readonly completed_at: Date | null;
  readonly cancelled_at: Date | null;
  readonly request_hash: string;
}

export interface NewRedemption {
  readonly id: string;
  readonly reward_id: string;
  readonly wallet_id: AccountId;
  readonly customer_id: string | null;
  readonly code: string | null;
  readonly giftcard_id: GiftcardId | null;
  readonly correlation_id: RequestId;
  readonly traceparent: string | null;
}

/** Why none can be taken. */
export type NotTaken = 'reward_not_available' | 'out_of_stock' | 'reward_limit_reached';
export type Taken = Creation<RedemptionRow> | { readonly type: 'refused'; readonly code: NotTaken };

export interface Cancellation {
  readonly redemption_id: string;
  readonly request_hash: string;
  /** The ledger did not take the points back. */
  readonly refusal: Problem | null;
}

/** Where a redemption was seen to be: it is brought on from there only. */
export type Standing = Pick<RedemptionRow, 'id' | 'status' | 'cancels'>;

/** A step of it. */
export interface Move {
  readonly to: Status;
  readonly transactionId?: TransactionId;
  readonly refusal?: Problem;
  /** Of the attempt to cancel it that is under way. */
  readonly cancelRefusal?: Problem;
  /** By `newEvent`. */
  readonly event: string | null;
}

export interface RedemptionFilter {
  readonly programId: ProgramId;
  readonly rewardId: string | null;
  readonly code: string | null;
}

const columns = `id, reward_id, merchant_id, program_id, wallet_id, name, gives, points, status, code, giftcard_id,
  transaction_id, refusal, cancels, return_tries, coalesce(open_since > now(), false) as is_paused, correlation_id, traceparent,
  created_at, completed_at, cancelled_at,
  encode(request_hash, 'hex') as request_hash`;

const takeStatement = 'select reward_take($1::text::json) as outcome';
const byKeyStatement = `select ${columns} from reward_redemptions where creator = $1::uuid and idempotency_key = $2`;
const byIdStatement = `select ${columns} from reward_redemptions where id = $1::uuid`;
const ofWalletStatement = `select ${columns} from reward_redemptions
  where wallet_id = $1::uuid and ($2::uuid is null or id < $2::uuid) order by id desc limit $3::int`;
const openStatement = `select ${columns} from reward_redemptions
  where open_since < now() - interval '${rewardLimits.leaseSeconds} s' order by open_since limit $1::int`;

/**
 * What is brought on is what was read: a state comes again with each attempt to cancel. What ends without a reward gives back
 * what it took of the stock.
 */
const moveStatement = `with moved as (
    update reward_redemptions set status = $3, transaction_id = coalesce($4::uuid, transaction_id),
      refusal = coalesce($5::text::json, refusal), open_since = case when $6::boolean then null else now() end,
      completed_at = case when $3 = 'completed' then coalesce(completed_at, now()) else completed_at end,
      cancelled_at = case when $3 = 'cancelled' then now() end
    where id = $1::uuid and status = $2 and cancels = $9::int returning ${columns}
  ), restocked as (
    update rewards set stock_left = stock_left + 1 from moved
    where rewards.id = moved.reward_id and rewards.stock_left is not null and moved.status in ('refused', 'cancelled')
  ), noted as (
    update reward_cancellations as c set refusal = $7::text::json from moved
    where c.redemption_id = moved.id and c.attempt = moved.cancels and $7::text is not null
  ), told as (select from moved where $8::text is not null), ${announce(8, 'told')}
  select * from moved`;

const pauseStatement = `update reward_redemptions
  set return_tries = return_tries + 1, open_since = now() + make_interval(secs => $3::int)
  where id = $1::uuid and status = 'returning' and return_tries = $2::int`;

const cancelStatement = `with moved as (
    update reward_redemptions set status = 'cancelling', cancels = cancels + 1, open_since = now()
    where id = $4::uuid and status = 'completed' and giftcard_id is null
      and not exists (select from reward_cancellations where creator = $1::uuid and idempotency_key = $2)
    returning id, cancels
  )
  insert into reward_cancellations (creator, idempotency_key, request_hash, redemption_id, attempt, reason)
  select $1::uuid, $2, decode($3, 'hex'), id, cancels, $5 from moved
  returning redemption_id, refusal, encode(request_hash, 'hex') as request_hash`;
const cancellationStatement = `select redemption_id, refusal, encode(request_hash, 'hex') as request_hash
  from reward_cancellations where creator = $1::uuid and idempotency_key = $2`;

/** With the conditions that were asked for and no others: each set of filters is planned for itself, by its own index. */
export function pageQuery(
  { programId, rewardId, code }: RedemptionFilter,
  after: string | null,
  rowsMax: number,
): { readonly statement: string; readonly parameters: readonly Parameter[] } {
  const parameters: Parameter[] = [];
  const place = (value: Parameter): string => `$${parameters.push(value)}`;
  const wanted = [`program_id = ${place(programId)}::uuid`];
  if (rewardId !== null) wanted.push(`reward_id = ${place(rewardId)}::uuid`);
  if (code !== null) wanted.push(`code = ${place(code)}`);
  if (after !== null) wanted.push(`id < ${place(after)}::uuid`);
  const statement = `select ${columns} from reward_redemptions where ${wanted.join(' and ')}
    order by id desc limit ${place(rowsMax)}::int`;
  return { statement, parameters };
}

export class RedemptionStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /** One of the stock and of each limit, and the row that says so; or nothing. */
  async take(key: CreationKey, row: NewRedemption): Promise<Taken> {
    const { creator, idempotencyKey, requestHash } = key;
    const wanted = {
      ...row,
      creator,
      idempotency_key: idempotencyKey,
      request_hash: `\\x${requestHash}`,
    };
    let refused: NotTaken | null = null;
    const take = async (): Promise<readonly RedemptionRow[]> => {
      const outcome = await this.#take(JSON.stringify(wanted));
      if (outcome === 'taken') return this.#database.read<RedemptionRow>(byIdStatement, [row.id]);
      if (outcome !== 'known') refused = outcome;
      return [];
    };
    const outcome = await createOnce(key, take, async () => {
      return this.#database.read<RedemptionRow>(byKeyStatement, [creator, idempotencyKey]);
    });
    return refused !== null && outcome.type === 'conflict' ? { type: 'refused', code: refused } : outcome;
  }

  async #take(wanted: string): Promise<'taken' | 'known' | NotTaken> {
    type Row = { readonly outcome: 'taken' | 'known' | NotTaken };
    try {
      const [row] = await this.#database.write<Row>(takeStatement, [wanted]);
      if (row === undefined) throw new Error('a function has an outcome');
      return row.outcome;
    } catch (error) {
      // The same key for another reward, at the same moment.
      if (error instanceof UniqueViolation) return 'known';
      throw error;
    }
  }

  async find(id: string): Promise<RedemptionRow | null> {
    return (await this.#database.read<RedemptionRow>(byIdStatement, [id]))[0] ?? null;
  }

  async ofKey({ creator, idempotencyKey }: CreationKey): Promise<RedemptionRow | null> {
    return (await this.#database.read<RedemptionRow>(byKeyStatement, [creator, idempotencyKey]))[0] ?? null;
  }

  /** Newest first, from below `after`; here and below. */
  ofWallet(walletId: AccountId, after: string | null, rowsMax: number): Promise<readonly RedemptionRow[]> {
    return this.#database.read<RedemptionRow>(ofWalletStatement, [walletId, after, rowsMax]);
  }

  page(filter: RedemptionFilter, after: string | null, rowsMax: number): Promise<readonly RedemptionRow[]> {
    const { statement, parameters } = pageQuery(filter, after, rowsMax);
    return this.#database.read<RedemptionRow>(statement, parameters);
  }

  /** Those that nobody has gone on with for a while, the longest first. */
  open(rowsMax: number): Promise<readonly RedemptionRow[]> {
    return this.#database.read<RedemptionRow>(openStatement, [rowsMax]);
  }

  /** null: it was not there any more: somebody else brought it on. */
  async move({ id, status, cancels }: Standing, move: Move): Promise<RedemptionRow | null> {
    const { to, transactionId = null, refusal, cancelRefusal, event } = move;
    const [row] = await this.#database.write<RedemptionRow>(moveStatement, [
      id,
      status,
      to,
      transactionId,
      refusal === undefined ? null : JSON.stringify(refusal),
      isAtRest[to],
      cancelRefusal === undefined ? null : JSON.stringify(cancelRefusal),
      event,
      cancels,
    ]);
    return row ?? null;
  }

  /** Its points were refused, and are given back later, under another key. Of two that were refused at once, one counts. */
  async pause({ id, return_tries }: RedemptionRow, seconds: number): Promise<void> {
    await this.#database.write(pauseStatement, [id, return_tries, seconds]);
  }

  /** `conflict`: its status does not allow it. */
  cancel(key: CreationKey, id: string, reason: string | null): Promise<Creation<Cancellation>> {
    const { creator, idempotencyKey, requestHash } = key;
    const begin = async (): Promise<readonly Cancellation[]> => {
      try {
        return await this.#database.write<Cancellation>(cancelStatement, [
          creator,
          idempotencyKey,
          requestHash,
          id,
          reason,
        ]);
      } catch (error) {
        // The same key at the same moment: the other one began it.
        if (error instanceof UniqueViolation) return [];
        throw error;
      }
    };
    return createOnce(key, begin, () => this.#cancellation(key));
  }

  async cancellation(key: CreationKey): Promise<Cancellation | null> {
    return (await this.#cancellation(key))[0] ?? null;
  }

  #cancellation({ creator, idempotencyKey }: CreationKey): Promise<readonly Cancellation[]> {
    return this.#database.read<Cancellation>(cancellationStatement, [creator, idempotencyKey]);
  }
}
