/**
 * The tables `giftcard_batches` and `giftcard_batch_chunks`. SQL only.
 *
 * Every statement of a worker is fenced: it compares the epoch of the lease and how far the job is, and does nothing where
 * either is another one. So whoever was taken over from, however late its statement comes, changes nothing.
 */
import type {
  CatalogItemId,
  GiftcardBatchId,
  giftcardBatches,
  MerchantId,
  ProgramId,
  RequestId,
} from '@local-plus/contracts';
import { limits as wire } from '@local-plus/contracts';
import { audited } from '../../audit/index.ts';
import { announce } from '../../outbox/index.ts';
import {
  type Creation,
  type CreationKey,
  createOnce,
  type Database,
  type Parameter,
} from '../../platform/postgres/index.ts';
import { keptCodes } from '../codes/index.ts';
import { type JobEvent, openStatuses, statusesBefore, transitions } from './domain.ts';

export interface NewBatch {
  readonly id: GiftcardBatchId;
  readonly merchant_id: MerchantId;
  readonly program_id: ProgramId;
  readonly catalog_item_id: CatalogItemId | null;
  readonly cards_count: number;
  readonly amount: number;
  readonly expires_on: string | null;
  readonly has_pin: boolean;
  readonly activate: boolean;
  readonly public_key: giftcardBatches.PublicKey;
  readonly request_id: RequestId;
  readonly traceparent: string | null;
}

export interface BatchRow extends NewBatch {
  readonly status: giftcardBatches.BatchStatus;
  readonly drawn: number;
  readonly issued: number;
  readonly failed: number;
  readonly failure: string | null;
  readonly file: giftcardBatches.FileStatus;
  readonly file_expires_at: Date | null;
  readonly confirmation_key: string | null;
  readonly confirmation_lines: number | null;
  readonly cancellation_key: string | null;
  readonly lease_epoch: number;
  readonly ended_at: Date | null;
  readonly created_at: Date;
  readonly request_hash: string;
}

export interface Chunk {
  readonly place: number;
  readonly lines_count: number;
  readonly lines: string;
}

/** What a worker has a job by. */
export interface Lease {
  readonly id: GiftcardBatchId;
  readonly epoch: number;
  readonly leaseMs: number;
}

/** What became of a chunk. */
export interface Settled {
  readonly place: number;
  readonly issued: number;
  readonly failed: number;
  readonly failure: string | null;
  /** Without those of cards that were refused; null: as they are. */
  readonly lines: string | null;
}

const columns = `id, merchant_id, program_id, catalog_item_id, cards_count, amount, expires_on, has_pin, activate, public_key,
  request_id, traceparent, status, drawn, issued, failed, failure, file, file_expires_at, confirmation_key,
  confirmation_lines, cancellation_key, lease_epoch, ended_at, created_at, encode(request_hash, 'hex') as request_hash`;

const quoted = (statuses: readonly string[]): string => statuses.map((status) => `'${status}'`).join(', ');
const allowing = (event: JobEvent): string => `b.status in (${quoted(statusesBefore(event))})`;
/** The status after an event, from the one table. */
const after = (event: JobEvent): string => {
  const cases = statusesBefore(event).map((status) => `when '${status}' then '${transitions[status][event]}'`);
  return `case b.status ${cases.join(' ')} end`;
};
const isOpen = `b.status in (${quoted(openStatuses)})`;
const renewed = `lease_until = now() + make_interval(secs => $3::float8 / 1000), worked_at = now()`;
const fence = `b.id = $1::uuid and b.lease_epoch = $2::bigint`;

/** What is open has no file yet: so an index finds all that counts, and nothing else. */
export const boundedStatement = `select 1 from giftcard_batches as b
    where b.merchant_id = $5::uuid and b.file in ('pending', 'ready')
    having count(*) filter (where ${isOpen}) < ${wire.batchesOpenMax} and count(*) < ${wire.batchFilesMax}`;

/** Past the bounds nothing is created; of requests at the very same moment a few more may come through. */
const insertStatement = `with bounded as (${boundedStatement}
  ), written as (
    insert into giftcard_batches (creator, idempotency_key, request_hash, id, merchant_id, program_id, catalog_item_id,
      cards_count, amount, expires_on, has_pin, activate, public_key, request_id, traceparent)
    select $1::uuid, $2, decode($3, 'hex'), $4::uuid, $5::uuid, $6::uuid, $7::uuid, $8::int, $9::bigint, $10, $11::boolean,
      $12::boolean, $13::text::json, $14::uuid, $15
    from bounded
    on conflict do nothing returning ${columns}
  ), ${audited(16, 'written')} select * from written`;
const byKeyStatement = `select ${columns} from giftcard_batches where creator = $1::uuid and idempotency_key = $2`;
const byIdStatement = `select ${columns} from giftcard_batches where id = $1::uuid`;
const newestStatement = `select ${columns} from giftcard_batches
  where merchant_id = $1::uuid and ($2::uuid is null or id < $2::uuid) order by id desc limit $3::int`;

/** What nobody has begun is at its end at once. */
const cancelStatement = `with cancelled as (
    update giftcard_batches as b set status = ${after('cancel')}, cancellation_key = $3,
      ended_at = case when ${after('cancel')} = 'cancelled' then now() end,
      file = case when ${after('cancel')} = 'cancelled' then 'none' else b.file end
    where b.id = $1::uuid and b.merchant_id = $2::uuid and ${allowing('cancel')} returning ${columns}
  ), ended as (select from cancelled where ended_at is not null),
  ${audited(4, 'cancelled')}, ${announce(5, 'ended')} select * from cancelled`;

const openStatement = `select b.id from giftcard_batches as b
  where ${isOpen} and (b.lease_until is null or b.lease_until < now()) order by b.worked_at limit $1::int`;
const claimStatement = `update giftcard_batches as b set status = ${after('begin')}, lease_epoch = b.lease_epoch + 1,
    lease_until = now() + make_interval(secs => $2::float8 / 1000)
  where b.id = $1::uuid and ${allowing('begin')} and (b.lease_until is null or b.lease_until < now())
  returning ${columns}`;
const releaseStatement = `update giftcard_batches as b set lease_until = null, worked_at = now() where ${fence}`;

/** $4 the place, $5 how many, $6 their lines, $7 their codes. A job that is cancelled draws no more. */
const drawStatement = `with fenced as (
    update giftcard_batches as b set drawn = b.drawn + $5::int, ${renewed}
    where ${fence} and b.status = 'running' and b.drawn = $4::int and b.issued + b.failed = $4::int
    returning b.id
  ), ${keptCodes(7, 'fenced')}
  insert into giftcard_batch_chunks (batch_id, place, lines_count, lines)
  select id, $4::int, $5::int, $6 from fenced returning place`;

/** $4 the place, $5 issued, $6 failed, $7 why, $8 what is left of the lines, if not all. */
const settleStatement = `with fenced as (
    update giftcard_batches as b set issued = b.issued + $5::int, failed = b.failed + $6::int,
      failure = coalesce($7, b.failure), ${renewed}
    where ${fence} and b.issued + b.failed = $4::int and b.drawn = $4::int + $5::int + $6::int
    returning ${columns}
  ), kept as (
    update giftcard_batch_chunks as c set lines = $8, lines_count = $5::int
    from fenced where $8::text is not null and c.batch_id = fenced.id and c.place = $4::int
  )
  select * from fenced`;

/** Only what has nothing under way is at its end. $3 the event of the outbox. */
const endStatement = (event: JobEvent): string => `with ended as (
    update giftcard_batches as b set status = ${after(event)}, ended_at = now(), lease_until = null,
      file = case when b.issued > 0 then 'ready' else 'none' end,
      file_expires_at = case when b.issued > 0 then now() + make_interval(days => ${wire.batchFileDays}) end
    where ${fence} and ${allowing(event)} and b.issued + b.failed = b.drawn returning ${columns}
  ), ${announce(3, 'ended')} select * from ended`;

const chunkStatement = `select place, lines_count, lines from giftcard_batch_chunks where batch_id = $1::uuid and place = $2::int`;
const chunksStatement = `select place, lines_count, lines from giftcard_batch_chunks
  where batch_id = $1::uuid and place > $2::int order by place limit $3::int`;
const countsStatement = `select place, lines_count from giftcard_batch_chunks where batch_id = $1::uuid order by place`;

/** $4 the lines that were received. */
const confirmStatement = `with confirmed as (
    update giftcard_batches as b set file = 'delivered', confirmation_key = $3, confirmation_lines = $4::int
    where b.id = $1::uuid and b.merchant_id = $2::uuid and b.file = 'ready' and b.issued = $4::int returning ${columns}
  ), deleted as (
    delete from giftcard_batch_chunks as c using confirmed where c.batch_id = confirmed.id
  ), ${audited(5, 'confirmed')} select * from confirmed`;

const expiredStatement = `select id from giftcard_batches where file = 'ready' and file_expires_at <= now()
  order by file_expires_at limit $1::int`;
const expireStatement = `with expired as (
    update giftcard_batches as b set file = 'expired'
    where b.id = $1::uuid and b.file = 'ready' and b.file_expires_at <= now() returning b.id
  ) delete from giftcard_batch_chunks as c using expired where c.batch_id = expired.id`;

export class BatchStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /** `conflict`: the merchant has too many. */
  create(key: CreationKey, row: NewBatch, entry: string): Promise<Creation<BatchRow>> {
    const { creator, idempotencyKey, requestHash } = key;
    const values: readonly Parameter[] = [
      ...[creator, idempotencyKey, requestHash, row.id, row.merchant_id, row.program_id, row.catalog_item_id],
      ...[row.cards_count, row.amount, row.expires_on, row.has_pin, row.activate, JSON.stringify(row.public_key)],
      ...[row.request_id, row.traceparent, entry],
    ];
    return createOnce(
      key,
      () => this.#database.write<BatchRow>(insertStatement, values),
      () => this.#database.read<BatchRow>(byKeyStatement, [creator, idempotencyKey]),
    );
  }

  async ofKey({ creator, idempotencyKey }: CreationKey): Promise<BatchRow | null> {
    return (await this.#database.read<BatchRow>(byKeyStatement, [creator, idempotencyKey]))[0] ?? null;
  }

  async batch(id: GiftcardBatchId): Promise<BatchRow | null> {
    return (await this.#database.read<BatchRow>(byIdStatement, [id]))[0] ?? null;
  }

  /** Newest first; before that one. */
  batches(merchantId: MerchantId, before: GiftcardBatchId | null, rowsMax: number): Promise<readonly BatchRow[]> {
    return this.#database.read<BatchRow>(newestStatement, [merchantId, before, rowsMax]);
  }

  /** null: it is cancelled already, or at its end. */
  async cancel(
    id: GiftcardBatchId,
    merchantId: MerchantId,
    key: string,
    entry: string,
    announced: string,
  ): Promise<BatchRow | null> {
    const parameters = [id, merchantId, key, entry, announced];
    return (await this.#database.write<BatchRow>(cancelStatement, parameters))[0] ?? null;
  }

  /** Jobs that nobody works on, what waited longest first. */
  open(jobsMax: number): Promise<readonly { readonly id: GiftcardBatchId }[]> {
    return this.#database.read(openStatement, [jobsMax]);
  }

  /** null: somebody else has it, or it is at its end. */
  async claim(id: GiftcardBatchId, leaseMs: number): Promise<BatchRow | null> {
    return (await this.#database.write<BatchRow>(claimStatement, [id, leaseMs]))[0] ?? null;
  }

  async release({ id, epoch }: Lease): Promise<void> {
    await this.#database.write(releaseStatement, [id, epoch]);
  }

  /** Lines and codes of a chunk, both or neither. false: it is not this worker's any more, or cancelled. */
  async draw(lease: Lease, chunk: Chunk, kept: string): Promise<boolean> {
    const { id, epoch, leaseMs } = lease;
    const { place, lines_count, lines } = chunk;
    return (
      (await this.#database.write(drawStatement, [id, epoch, leaseMs, place, lines_count, lines, kept])).length > 0
    );
  }

  /** null: it is not this worker's any more. */
  async settle({ id, epoch, leaseMs }: Lease, settled: Settled): Promise<BatchRow | null> {
    const { place, issued, failed, failure, lines } = settled;
    const parameters = [id, epoch, leaseMs, place, issued, failed, failure, lines];
    return (await this.#database.write<BatchRow>(settleStatement, parameters))[0] ?? null;
  }

  async end({ id, epoch }: Lease, event: JobEvent, announced: string): Promise<BatchRow | null> {
    return (await this.#database.write<BatchRow>(endStatement(event), [id, epoch, announced]))[0] ?? null;
  }

  async chunk(id: GiftcardBatchId, place: number): Promise<Chunk | null> {
    return (await this.#database.read<Chunk>(chunkStatement, [id, place]))[0] ?? null;
  }

  /** Behind that place, in order. */
  chunks(id: GiftcardBatchId, place: number, rowsMax: number): Promise<readonly Chunk[]> {
    return this.#database.read<Chunk>(chunksStatement, [id, place, rowsMax]);
  }

  /** Of all chunks, in order; at most as many as a job has cards. */
  counts(id: GiftcardBatchId): Promise<readonly Omit<Chunk, 'lines'>[]> {
    return this.#database.read(countsStatement, [id]);
  }

  /** null: another number of lines, or it is not ready. */
  async confirm(
    id: GiftcardBatchId,
    merchantId: MerchantId,
    key: string,
    lines: number,
    entry: string,
  ): Promise<BatchRow | null> {
    return (await this.#database.write<BatchRow>(confirmStatement, [id, merchantId, key, lines, entry]))[0] ?? null;
  }

  /** Whose codes nobody came for. */
  expired(filesMax: number): Promise<readonly { readonly id: GiftcardBatchId }[]> {
    return this.#database.read(expiredStatement, [filesMax]);
  }

  async expire(id: GiftcardBatchId): Promise<void> {
    await this.#database.write(expireStatement, [id]);
  }
}
