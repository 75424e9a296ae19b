/**
 * Payments in the test's own hands: the real process managers on the real ledger and Postgres, without HTTP and without the
 * sweep, behind ports that fail at a call that the test names.
 */
import type { Command, DeclineCode, Runtime } from '@local-plus/actors';
import type { AccountId, MerchantId, ProgramId } from '@local-plus/contracts';
import { type RequestId, uuidV7 } from '@local-plus/contracts';
import { ledgerDesk } from '../../ledger/desk.ts';
import type { AccountTerms, Desk, Order, Receipt } from '../../ledger/index.ts';
import { PostgresLedgerStore, storeDefaults } from '../../ledger/store.ts';
import { createDatabase, type Database } from '../../platform/postgres/index.ts';
import { quiet } from '../../test/log.ts';
import { runtimeOn } from '../../test/runtime.ts';
import { countedIn, refundParts, type Source, usualRefundOrder } from '../domain.ts';
import { Movements } from '../movements.ts';
import type { Sources } from '../ports.ts';
import { PaymentProcess } from '../process.ts';
import { RefundProcess } from '../refunds.ts';
import { type RefundRow, RefundStore } from '../refunds-store.ts';
import { type PaymentRow, PaymentStore } from '../store.ts';

export class Killed extends Error {
  override readonly name = 'Killed';
}

/** Dies at the n-th call of a port, before it does anything or after it did. */
export class Fuse {
  #left: number;
  readonly #when: 'before' | 'after';
  isBlown = false;

  constructor(call: number, when: 'before' | 'after') {
    this.#left = call;
    this.#when = when;
  }

  /** Once it is blown nothing works any more: the process is dead. */
  async around<Result>(run: () => Promise<Result>): Promise<Result> {
    if (this.isBlown) throw new Killed();
    this.#left--;
    if (this.#left !== 0) return run();
    this.isBlown = true;
    if (this.#when === 'before') throw new Killed();
    await run();
    throw new Killed();
  }
}

export const neverBlown = (): Fuse => new Fuse(Number.POSITIVE_INFINITY, 'before');

/** A process of core, as far as payments go. */
export interface Hand {
  readonly store: PaymentStore;
  readonly refunds: RefundStore;
  readonly process: PaymentProcess;
  readonly refunding: RefundProcess;
}

export class PaymentRig {
  readonly #runtime: Runtime;
  readonly #database: Database;
  readonly #merchantId: MerchantId;
  readonly desk: Desk;
  /** What sources decline with, by their own state; null: they admit everything. */
  declines: DeclineCode | null = null;
  readonly programId: ProgramId;
  /** What else happens to an order before it is posted; or what comes of it instead. */
  meddle: (order: Order) => Promise<Receipt | undefined> = async () => undefined;

  constructor(databaseUrl: string, merchantId: string, programId: string) {
    this.#merchantId = merchantId as MerchantId;
    this.programId = programId as ProgramId;
    this.#runtime = runtimeOn(new PostgresLedgerStore({ databaseUrl, ...storeDefaults }), 1);
    const bounds = { connectionsMax: 4, connectMs: 3_000, statementMs: 10_000, statementGraceMs: 1_000 };
    this.#database = createDatabase({ ...bounds, url: databaseUrl, name: 'payments-test', log: quiet });
    this.desk = ledgerDesk({
      runtime: this.#runtime,
      transfers: { transfer: () => Promise.reject(new Error('payments transfer nothing')) },
    });
  }

  start(): Promise<void> {
    return this.#runtime.start();
  }

  async stop(): Promise<void> {
    await this.#runtime.stop(1_000);
    await this.#database.close(1_000);
  }

  hand(fuse: Fuse = neverBlown()): Hand {
    const { read, write } = this.#database;
    const database = {
      read: (...asked: Parameters<typeof read>) => fuse.around(() => read(...asked)),
      write: (...asked: Parameters<typeof write>) => fuse.around(() => write(...asked)),
    } as Pick<Database, 'read' | 'write'>;
    const desk: Desk = {
      ...this.desk,
      post: (order) =>
        fuse.around(async () => {
          return (await this.meddle(order)) ?? this.desk.post(order);
        }),
    };
    const store = new PaymentStore(database);
    const refunds = new RefundStore(database);
    const movements = new Movements(desk, this.#sources);
    const ports = { nowMs: Date.now, log: quiet, movements };
    return {
      store,
      refunds,
      process: new PaymentProcess({ ...ports, store }),
      refunding: new RefundProcess({ ...ports, payments: store, refunds }),
    };
  }

  /** Creates and settles a payment of a point per cent, as a request would; whatever kills the hand is thrown. */
  async pay(
    { store, process }: Hand,
    parts: readonly (readonly [walletId: string, amount: number])[],
  ): Promise<PaymentRow> {
    const id = uuidV7<string>(Date.now());
    const created = await store.create(
      { creator: this.#merchantId, idempotencyKey: id, requestHash: '00'.repeat(32) },
      {
        id,
        merchant_id: this.#merchantId,
        amount: parts.reduce((sum, [, amount]) => sum + amount, 0),
        currency: 'EUR',
        capture: true,
        sources: parts.map(([walletId, amount]) => sourceOf(walletId, amount)),
        refund_order: usualRefundOrder(parts.length),
        reference: null,
        request_id: uuidV7<RequestId>(Date.now()),
        traceparent: null,
        expiresInS: null,
      },
    );
    if (created.type !== 'created') throw new Error(created.type);
    return process.settle(created.row, soon());
  }

  async refund({ store, refunds, refunding }: Hand, paymentId: string, amount: number): Promise<RefundRow> {
    const payment = await store.one(paymentId);
    if (payment === null) throw new Error('there is no such payment');
    const parts = refundParts(payment.sources, payment.refund_order, amount);
    const id = uuidV7<string>(Date.now());
    const refund = await refunds.create(
      payment,
      countedIn(payment.sources, parts, 1),
      { creator: this.#merchantId, idempotencyKey: id, requestHash: '00'.repeat(32) },
      {
        id,
        amount,
        parts: parts.map((part) => ({ ...part, transactionId: null, refusal: null })),
        reason: null,
        request_id: uuidV7<RequestId>(Date.now()),
        traceparent: null,
      },
    );
    if (refund === null) throw new Error('the payment has changed');
    return refunding.settle(refund, soon());
  }

  /** A command of the test's own on a wallet. */
  async post(walletId: string, command: Asked, key: string): Promise<void> {
    const { programId } = this;
    await this.desk.post({
      terms: this.#termsOf(walletId),
      command: { ...command, programId } as Command,
      key: key as Order['key'],
      requestId: uuidV7<RequestId>(Date.now()),
      traceparent: null,
      deadlineMs: soon(),
    });
  }

  readonly #sources: Sources = {
    find: (_type, id) => ({ terms: this.#termsOf(id), currency: null }),
    admit: async (_type, id, _activity, command) => {
      const terms = this.#termsOf(id);
      const wanted = command(terms);
      const code = this.declines;
      if (code === null || wanted.kind !== 'hold') return { terms, command: wanted };
      const { programId } = terms;
      return { terms, command: { kind: 'decline', of: wanted.kind, amount: wanted.amount, code, programId } };
    },
  };

  #termsOf(walletId: string): AccountTerms {
    return {
      accountId: walletId as AccountId,
      merchantId: this.#merchantId,
      programId: this.programId,
      kind: 'wallet',
      unit: 'PTS',
      rules: { expiry: null, reversalPolicy: { type: 'refuse' }, holdExpiresInS: 60 },
    } as AccountTerms;
  }
}

type Asked = Command extends infer One ? (One extends Command ? Omit<One, 'programId'> : never) : never;

export function soon(): number {
  return performance.now() + 10_000;
}

function sourceOf(id: string, amount: number): Source {
  return {
    type: 'wallet',
    id,
    unit: 'PTS',
    amount,
    points: amount,
    rate: { version: 1, points: 1, amount: 1 },
    hold: null,
    captureId: null,
    refundedAmount: 0,
    refundedPoints: 0,
    undoTries: 0,
  };
}
