/**
 * A run in which nothing is wrong, made by hand: two wallets, two writers, a move of one wallet's shard between them, every
 * operation, a refusal, an unknown outcome of each kind, a replay. Tests break it in one place each.
 */
import { type AccountId, shards, transactionId, uuidV7 } from '@local-plus/contracts';
import type { LedgerRow } from '../../../reconcile/checks.ts';
import type { Call, Outcome, Wish } from '../../history.ts';
import type { Move, StoredRefusal } from '../../stage/observer.ts';
import type { Evidence } from '../index.ts';

type Writable<Type> = { -readonly [Member in keyof Type]: Type[Member] };

/** What a test may change. */
export interface Run extends Evidence {
  readonly calls: Writable<Call>[];
  readonly rows: Writable<LedgerRow>[];
  readonly refusals: Writable<StoredRefusal>[];
  readonly moves: Writable<Move>[];
  /** In the other wallet's shard, which never moves. */
  readonly wallet: string;
  /** Its shard goes from writer 1 to writer 2 before its last earn. */
  readonly moved: string;
}

const STEP_MS = 10;
const ANSWER_MS = 4;
const EPOCH_MS = 1_790_000_000_000;

class Builder {
  readonly calls: Writable<Call>[] = [];
  readonly rows: Writable<LedgerRow>[] = [];
  readonly refusals: Writable<StoredRefusal>[] = [];
  nowMs = 0;
  #keys = 0;
  readonly #batches = new Map<number, number>();

  /** The newest row of an account. */
  newest(accountId: string): LedgerRow | undefined {
    return this.rows.findLast((row) => row.accountId === accountId);
  }

  batchOf(writerId: number): number {
    return this.#batches.get(writerId) ?? 0;
  }

  wish(operation: Wish['operation'], walletId: string, amount: number | null, more: Partial<Wish> = {}): Wish {
    const key = operation === 'balance' ? '' : `key-${++this.#keys}`;
    return { operation, key, walletId, amount, toWalletId: null, target: null, ...more };
  }

  /** A call that takes a moment, then a pause: so all calls are one after the other. */
  call(wish: Wish, outcome: Outcome, answer: unknown, status = outcome === 'ok' ? 201 : 409): void {
    const attempt = { sentMs: this.nowMs, endedMs: this.nowMs + ANSWER_MS, status, code: null, isReplayed: false };
    this.calls.push({ ...wish, purpose: 'load', attempts: [attempt], outcome, answer });
    this.nowMs += STEP_MS;
  }

  row(
    accountId: string,
    kind: string,
    amount: number,
    delta: number,
    key: string,
    heldDelta = 0,
    writerId = 1,
  ): LedgerRow {
    const before = this.newest(accountId);
    const occurredAtMs = EPOCH_MS + this.nowMs;
    const batch = this.batchOf(writerId) + 1;
    this.#batches.set(writerId, batch);
    const row = {
      accountId,
      version: (before?.version ?? 0) + 1,
      transactionId: transactionId(occurredAtMs, { writerId, batch, place: 0 }),
      kind,
      amount,
      balanceDelta: delta,
      balanceAfter: (before?.balanceAfter ?? 0) + delta,
      heldAfter: (before?.heldAfter ?? 0) + heldDelta,
      idempotencyKey: key,
      occurredAt: new Date(occurredAtMs).toISOString(),
    };
    this.rows.push(row);
    return row;
  }

  refusal(wish: Wish, code: string): void {
    const { version = 0, balanceAfter = 0, heldAfter = 0 } = this.newest(wish.walletId) ?? {};
    const state = { version, balance: balanceAfter, held: heldAfter };
    this.refusals.push({ accountId: wish.walletId, key: wish.key, code, amount: wish.amount ?? 0, ...state });
  }

  read(walletId: string): void {
    const { version = 0, balanceAfter: balance = 0, heldAfter: held = 0 } = this.newest(walletId) ?? {};
    const answer = { wallet_id: walletId, balance, held, available: balance - held, version };
    this.call(this.wish('balance', walletId, null), 'ok', answer, 200);
  }
}

export function honestRun(): Run {
  const build = new Builder();
  const [wallet, moved] = twoWallets();
  const simple = (kind: 'earn' | 'burn', walletId: string, amount: number, writerId = 1): Wish => {
    const wish = build.wish(kind, walletId, amount);
    build.call(
      wish,
      'ok',
      answerOf(build.row(walletId, kind, amount, kind === 'earn' ? amount : -amount, wish.key, 0, writerId)),
    );
    return wish;
  };
  simple('earn', wallet, 100);
  simple('earn', moved, 50);
  simple('burn', wallet, 30);
  build.read(wallet);

  const hold = build.wish('hold', wallet, 20);
  const held = build.row(wallet, 'hold', 20, 0, hold.key, 20);
  build.call(hold, 'ok', { id: held.transactionId, wallet_id: wallet, amount: 20, created_at: held.occurredAt });
  const capture = build.wish('capture', wallet, 20, { target: held.transactionId });
  build.call(capture, 'ok', answerOf(build.row(wallet, 'capture', 20, -20, capture.key, -20)));

  const burn = build.wish('burn', wallet, 10_000);
  build.refusal(burn, 'insufficient_funds');
  build.call(burn, 'refused', { code: 'insufficient_funds' });

  const transfer = build.wish('transfer', wallet, 5, { toWalletId: moved });
  const out = build.row(wallet, 'transfer_out', 5, -5, transfer.key);
  build.row(moved, 'transfer_in', 5, 5, `transfer ${wallet} ${transfer.key}`);
  const told = {
    id: out.transactionId,
    from_wallet_id: wallet,
    to_wallet_id: moved,
    amount: 5,
    created_at: out.occurredAt,
  };
  build.call(transfer, 'ok', told);

  const lost = build.wish('earn', wallet, 7);
  build.row(wallet, 'earn', 7, 7, lost.key);
  build.call(lost, 'unknown', null, 0);
  build.call(build.wish('earn', wallet, 8), 'unknown', null, 0);

  const shard = shards.shardOf(moved as AccountId);
  const [fromBatch, toBatch] = [build.batchOf(1), build.batchOf(2)];
  const moves = [{ shard, version: 2, from: 1, fromBatch, to: 2, toBatch }];
  simple('earn', moved, 9, 2);
  build.read(moved);
  const first = build.calls[0] as Call;
  build.call(first, 'ok', first.answer);

  const { calls, refusals } = build;
  const rows = build.rows.sort((a, b) => a.accountId.localeCompare(b.accountId) || a.version - b.version);
  return { calls, rows, refusals, moves, firstOwners: Array.from({ length: 256 }, () => 1), wallet, moved };
}

function answerOf(row: LedgerRow): object {
  return {
    id: row.transactionId,
    wallet_id: row.accountId,
    kind: row.kind,
    amount: row.amount,
    balance_after: row.balanceAfter,
    held_after: row.heldAfter,
    version: row.version,
    created_at: row.occurredAt,
  };
}

/** Of two shards. */
function twoWallets(): [string, string] {
  const first = uuidV7<AccountId>(EPOCH_MS);
  for (;;) {
    const second = uuidV7<AccountId>(EPOCH_MS);
    if (shards.shardOf(second) !== shards.shardOf(first)) return [first, second];
  }
}
