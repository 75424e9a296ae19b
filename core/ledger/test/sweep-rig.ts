/** A stage for the sweep: a real runtime on a ledger in memory; clocks and timers move when the test says so. */
import assert from 'node:assert/strict';
import {
  type AccountRequest,
  type AccountState,
  type Clock,
  type Command,
  type DueAccount,
  MemoryLedger,
  type Outcome,
} from '@local-plus/actors';
import { facts, newAccountId } from '@local-plus/actors/conformance';
import { type AccountId, type ProgramId, uuidV7 } from '@local-plus/contracts';
import { HandTimer } from '../../test/hand-timer.ts';
import { runtimeOn } from '../../test/runtime.ts';
import { DueSweep, type DueSweepLimits, dueSweepLimits } from '../sweep.ts';

export const DAY_MS = 86_400_000;
export const programId = uuidV7<ProgramId>(1_700_000_000_000);

export class Rig {
  readonly ledger = new MemoryLedger();
  /** Noon of a day. */
  nowMs = 20_000 * DAY_MS + DAY_MS / 2;
  monotonicMs = 0;
  readonly logged: string[] = [];
  finds: number[] = [];
  reads = 0;
  submits: AccountRequest[] = [];
  atATime = 0;
  atATimeMax = 0;
  /** Takes the place of what the port would do. */
  onFind: (() => Promise<readonly DueAccount[]>) | null = null;
  onRead: ((accountId: AccountId) => AccountState | null) | null = null;
  onSubmit: (request: AccountRequest) => Promise<Outcome>;
  readonly clock: Clock = { nowMs: () => this.nowMs, monotonicMs: () => this.monotonicMs };
  readonly timer = new HandTimer(() => this.monotonicMs);
  readonly log = {
    info: (event: string) => void this.logged.push(event),
    warn: (event: string) => void this.logged.push(event),
    error: (event: string) => void this.logged.push(event),
  };
  readonly runtime = runtimeOn(this.ledger.connect(), 1, { clock: this.clock, timer: this.timer, log: this.log });

  constructor() {
    this.onSubmit = (request) => this.runtime.submit(request);
  }

  sweep(limits: Partial<DueSweepLimits> = {}): DueSweep {
    return new DueSweep({
      find: async (nowMs, accountsMax) => {
        this.finds.push(accountsMax);
        return this.onFind ? this.onFind() : this.ledger.due(nowMs, accountsMax);
      },
      read: (accountId) => {
        this.reads++;
        return this.onRead ? this.onRead(accountId) : this.runtime.read(accountId);
      },
      submit: async (request) => {
        this.submits.push(request);
        this.atATimeMax = Math.max(this.atATimeMax, ++this.atATime);
        return this.onSubmit(request).finally(() => this.atATime--);
      },
      clock: this.clock,
      timer: this.timer,
      log: this.log,
      limits: { ...dueSweepLimits, ...limits },
    });
  }

  /** Lets everything run that can without time passing. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Both clocks move at once; then what is due runs, and whatever it asks for without a delay. */
  async pass(ms: number): Promise<void> {
    this.nowMs += ms;
    this.monotonicMs += ms;
    for (let round = 0; round < 50; round++) {
      if (!this.timer.runDue()) break;
      await this.settle();
    }
  }

  async post(accountId: AccountId, key: string, command: Command): Promise<void> {
    const answered = this.runtime.submit({ facts: facts(accountId, key, { programId }), command, deadlineMs: 1e12 });
    assert.equal((await answered).type, 'posted');
  }

  /** 100 points that never expire, and holds that end after so many seconds. */
  async holding(...seconds: readonly number[]): Promise<AccountId> {
    const accountId = newAccountId();
    await this.post(accountId, 'earn', { kind: 'earn', amount: 100, programId, expiry: null });
    for (const [index, expiresInS] of seconds.entries()) {
      await this.post(accountId, `hold-${index}`, { kind: 'hold', amount: 10, programId, expiresInS });
    }
    return accountId;
  }

  /** Kinds and keys of what was posted of an account after its first `after` versions. */
  posted(accountId: AccountId, after: number): string[] {
    const rows = this.ledger.transactions(accountId).slice(after);
    return rows.map(({ posting, facts: about }) => `${posting.kind} ${posting.amount} by ${about.idempotencyKey}`);
  }
}

export async function started(): Promise<Rig> {
  const rig = new Rig();
  await rig.runtime.start();
  return rig;
}
