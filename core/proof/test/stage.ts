/** An honest ledger for the tests of proof: the real runtime on a real store, with a calendar that the test turns. */
import assert from 'node:assert/strict';
import type { Command, LedgerStore, Original, Part, Posted, Runtime } from '@local-plus/actors';
import { type AccountId, type IdempotencyKey, type ProgramId, type RequestId, uuidV7 } from '@local-plus/contracts';
import { sha256Hex128 } from '../../platform/digest/index.ts';
import { createDatabase, type Database } from '../../platform/postgres/index.ts';
import { systemClock, systemTimer } from '../../platform/time/index.ts';
import { quiet } from '../../test/log.ts';
import { runtimeOn } from '../../test/runtime.ts';
import { DayCloser } from '../close.ts';
import { auditConnection, closingLimits } from '../limits.ts';

/** What a command is, but for the program, which is the stage's. */
type Asked = Command extends infer One ? (One extends Command ? Omit<One, 'programId'> : never) : never;

export class Stage {
  readonly programId = uuidV7<ProgramId>(Date.UTC(2026, 0, 1));
  readonly #runtime: Runtime;
  #nowMs = 0;
  #keys = 0;

  constructor(store: LedgerStore, writerId: number) {
    const clock = { nowMs: () => this.#nowMs, monotonicMs: systemClock.monotonicMs };
    this.#runtime = runtimeOn(store, writerId, { clock });
  }

  start(): Promise<void> {
    return this.#runtime.start();
  }

  stop(): Promise<void> {
    return this.#runtime.stop(1_000);
  }

  /** @param moment RFC 3339 */
  turnTo(moment: string): void {
    this.#nowMs = Date.parse(moment);
  }

  /** Later ones sort after earlier ones. */
  account(): AccountId {
    this.#nowMs++;
    return uuidV7<AccountId>(this.#nowMs);
  }

  async post(
    accountId: AccountId,
    asked: Asked,
    note: { reference?: string; metadata?: string } = {},
  ): Promise<Posted> {
    this.#nowMs += 7;
    const outcome = await this.#runtime.submit({ ...this.#part(accountId, asked, note), ...deadline() });
    assert.equal(outcome.type, 'posted');
    assert.ok(outcome.type === 'posted');
    return outcome;
  }

  async refuse(accountId: AccountId, asked: Asked): Promise<void> {
    const outcome = await this.#runtime.submit({ ...this.#part(accountId, asked, {}), ...deadline() });
    assert.equal(outcome.type, 'refused');
  }

  async transfer(from: AccountId, to: AccountId, amount: number): Promise<void> {
    const { programId } = this;
    const out = this.#part(from, { kind: 'transfer_out', amount, partner: to }, {});
    const key = `transfer ${from} ${out.facts.idempotencyKey}` as IdempotencyKey;
    const into: Part = {
      facts: { ...out.facts, accountId: to, idempotencyKey: key },
      command: { kind: 'transfer_in', amount, partner: from, programId },
    };
    const outcome = await this.#runtime.submit({ ...out, also: [into], ...deadline() });
    assert.equal(outcome.type, 'posted');
  }

  #part(accountId: AccountId, asked: Asked, note: { reference?: string; metadata?: string }): Part {
    const { programId } = this;
    this.#keys++;
    return {
      facts: {
        accountId,
        programId,
        idempotencyKey: `key-"${this.#keys}"` as IdempotencyKey,
        requestHash: sha256Hex128(String(this.#keys)),
        requestId: uuidV7<RequestId>(this.#nowMs),
        traceparent: null,
        reference: note.reference ?? null,
        metadata: note.metadata ?? null,
      },
      command: { ...asked, programId } as Command,
    };
  }
}

export function originalOf({ row, transactionId }: Posted): Original {
  const { version, kind, amount, balanceDelta, detail } = row.posting;
  return { transactionId, version, kind, amount, balanceDelta, detail };
}

function deadline(): { deadlineMs: number } {
  return { deadlineMs: systemClock.monotonicMs() + 10_000 };
}

export function openDatabase(url: string): Database {
  return createDatabase({ ...auditConnection, url, name: 'proof-test', connectMs: 2_000, log: quiet });
}

/** @param moment what its clock says, RFC 3339 */
export function closerAt(database: Database, moment: string): DayCloser {
  return new DayCloser({
    clock: { nowMs: () => Date.parse(moment) },
    timer: systemTimer,
    log: quiet,
    database,
    // Small pages, so that a day has several.
    limits: { ...closingLimits, pageRows: 2 },
  });
}

/** Closes whatever is due then; how many days it were. */
export async function closeDays(database: Database, moment: string): Promise<number> {
  const closer = closerAt(database, moment);
  let days = 0;
  while ((await closer.closeNext()) !== null) days++;
  return days;
}
