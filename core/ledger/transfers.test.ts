/**
 * Transfers across lanes on a real Postgres: two writers in this process, accounts split between them. Wherever a process
 * dies, all that left an account arrives or comes back, and the auditor and the reconciler find nothing.
 */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type AccountRequest,
  type Command,
  type Outcome,
  type Runtime,
  type TransferRequest,
  TransferSweep,
  Transfers,
  transferSweepLimits,
} from '@local-plus/actors';
import { facts } from '@local-plus/actors/conformance';
import { type AccountId, type ProgramId, uuidV7 } from '@local-plus/contracts';
import { reconcile } from '../../loadtest/reconcile/index.ts';
import type { Database } from '../platform/postgres/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { auditLedger } from '../proof/index.ts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { quiet } from '../test/log.ts';
import { eventually } from '../test/stack.ts';
import { OpenTransfers } from './open-transfers.ts';
import { connect, isAgain, newAccounts } from './test/clients.ts';
import { transferJson } from './wire.ts';

/** A guard against hanging: at 20 ms each, longer than a lane takes to be taken over on any machine. */
const TRIES_MAX = 2_000;

type Lane = 1 | 2;
type StepKind = 'transfer_out' | 'transfer_in' | 'return';

/** Whose death is simulated: nothing of it is heard any more. */
class Killed extends Error {}

describe('transfers across lanes on Postgres', () => {
  const programId = uuidV7<ProgramId>(Date.now());
  const lanes = new Map<Lane, Runtime>();
  const owners = new Map<AccountId, Lane>();
  let postgres: TestDatabase;
  let database: Database;
  let open: OpenTransfers;
  let keys = 0;

  before(async () => {
    postgres = await startDatabase();
    database = postgres.pool({ connectionsMax: 4, statementMs: 20_000 });
    open = new OpenTransfers(database);
    await restart(1);
    await restart(2);
  });
  after(async () => {
    for (const lane of lanes.values()) await lane.stop(1_000);
    await postgres.close();
  });

  /** The process of a lane dies, with what is in its memory; another one takes the lane over. */
  async function restart(writerId: Lane): Promise<void> {
    const lane = connect(postgres.url, writerId);
    await lanes.get(writerId)?.stop(0);
    lanes.set(writerId, lane);
    await lane.start();
  }

  async function accounts(lane: Lane, count: number, points: number): Promise<AccountId[]> {
    const made = newAccounts(count);
    for (const accountId of made) {
      owners.set(accountId, lane);
      const expiry = { period: 'days', count: 30, endOfMonth: false } as const;
      if (points > 0) await post(accountId, { kind: 'earn', amount: points, programId, expiry });
    }
    return made;
  }

  async function post(accountId: AccountId, command: Command): Promise<void> {
    const about = facts(accountId, `post-${++keys}`, { programId });
    const outcome = await submit({ facts: about, command, deadlineMs: performance.now() + 60_000 });
    assert.equal(outcome.type, 'posted');
  }

  function submit(request: AccountRequest): Promise<Outcome> {
    return (lanes.get(owners.get(request.facts.accountId) as Lane) as Runtime).submit(request);
  }

  /** @param cut rejects where the process dies: before a step, or before the close */
  function process(cut: (step: StepKind | 'close') => void = () => undefined) {
    const ports = { clock: systemClock, timer: systemTimer, log: quiet };
    const close: OpenTransfers['close'] = async (departure) => {
      cut('close');
      return open.close(departure);
    };
    const transfers = new Transfers({
      ...ports,
      close,
      submit: async (request) => {
        cut(request.command.kind as StepKind);
        return submit(request);
      },
      sameOwner: (a, b) => owners.get(a) === owners.get(b),
    });
    const sweep = new TransferSweep({
      ...ports,
      find: (_ageMs, transfersMax) => open.find(0, transfersMax),
      transfers,
      close,
      limits: { ...transferSweepLimits, sweepMs: 50 },
    });
    return { transfers, sweep };
  }

  function request(from: AccountId, to: AccountId, amount: number, key = `key-${++keys}`): TransferRequest {
    const requestHash = hash('sha256', `${to} ${amount}`, 'hex').slice(0, 32);
    return { facts: facts(from, key, { programId, requestHash }), to, amount, deadlineMs: performance.now() + 5_000 };
  }

  /** Until it is known, as a client does. */
  async function settled(transfers: Transfers, asked: TransferRequest): Promise<Outcome> {
    for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
      const outcome = await transfers.transfer({ ...asked, deadlineMs: performance.now() + 5_000 });
      if (outcome.type === 'posted' || outcome.type === 'refused') return outcome;
      assert.ok(isAgain(outcome), outcome.type);
      await pause(20);
    }
    return assert.fail('it never settled');
  }

  async function balances(...ids: readonly AccountId[]): Promise<number[]> {
    const states = await Promise.all(ids.map((id) => (lanes.get(owners.get(id) as Lane) as Runtime).read(id)));
    return states.map((state) => state?.balance ?? Number.NaN);
  }

  async function swept(processes = 1): Promise<void> {
    const sweeps = Array.from({ length: processes }, () => process().sweep);
    for (const sweep of sweeps) sweep.start();
    await eventually('nothing is open', async () => (await open.find(0, 1)).length === 0);
    await Promise.all(sweeps.map((sweep) => sweep.stop()));
  }

  /** What the tables say of themselves; the words of the auditor and of the reconciler. */
  async function judged(): Promise<{ first: string | null; notes: readonly string[]; reconciled: string | null }> {
    const { first, notes } = await auditLedger({ database });
    const { results } = await reconcile(
      { databases: [{ url: postgres.url }], kafka_brokers: null },
      [],
      () => undefined,
    );
    const reconciled = results.find((result) => result.first !== null)?.first ?? null;
    return { first: first === null ? null : `${first.rule}: ${first.what}`, notes, reconciled };
  }

  const sound = { first: null, reconciled: null };

  async function assertSound(): Promise<void> {
    const { notes, ...rest } = await judged();
    assert.deepEqual(rest, sound);
    assert.ok(!notes.some((note) => note.includes('on their way')), String(notes));
  }

  it('arrive with their lots; the body is that of one lane, and a replay has the same', async () => {
    const [from] = (await accounts(1, 1, 100)) as [AccountId];
    const [to] = (await accounts(2, 1, 0)) as [AccountId];
    const { transfers } = process();
    const asked = request(from, to, 60);
    const first = await transfers.transfer(asked);
    const again = await transfers.transfer({ ...asked, deadlineMs: performance.now() + 5_000 });
    assert.ok(first.type === 'posted' && again.type === 'posted' && !first.replayed && again.replayed);
    const body = transferJson(first.row, first.transactionId, 'PTS');
    assert.equal(transferJson(again.row, again.transactionId, 'PTS'), body);
    assert.deepEqual(await balances(from, to), [40, 60]);
    const lots = await Promise.all([from, to].map((id) => lanes.get(owners.get(id) as Lane)?.read(id)));
    assert.deepEqual(
      lots[1]?.lots.map(([day]) => day),
      lots[0]?.lots.map(([day]) => day),
    );
    await eventually('it is closed', async () => (await open.find(0, 1)).length === 0);
    await assertSound();
  });

  /** One transfer whose process dies before a step, and both lanes after it. */
  async function die(from: AccountId, to: AccountId, step: StepKind | 'close'): Promise<TransferRequest> {
    const dying = process((at) => {
      if (at === step) throw new Killed();
    });
    const asked = request(from, to, 60);
    await dying.transfers.transfer(asked).catch((cause) => assert.ok(cause instanceof Killed));
    const { first, reconciled, notes } = await judged();
    assert.deepEqual({ first, reconciled }, sound);
    const isOnItsWay = notes.some((note) => note.startsWith('1 transfers are on their way'));
    assert.equal(isOnItsWay, step !== 'close');
    await restart(1);
    await restart(2);
    return asked;
  }

  const deaths = [
    ['transfer_in', false],
    ['close', false],
    ['transfer_in', true],
    ['return', true],
    ['close', true],
  ] as const;
  for (const [step, isRefused] of deaths) {
    for (const isSwept of [false, true]) {
      const how = isSwept ? 'is finished by the sweep' : 'goes on with the client';
      it(`one whose process dies before its ${step}${isRefused ? ', refused,' : ''} ${how}`, async () => {
        const [from] = (await accounts(1, 1, 100)) as [AccountId];
        const [to] = (await accounts(2, 1, 0)) as [AccountId];
        if (isRefused) await post(to, { kind: 'freeze', reason: 'lost', programId });
        const asked = await die(from, to, step);
        if (isSwept) await swept(2);
        const outcome = await settled(process().transfers, asked);
        assert.equal(outcome.type, isRefused ? 'refused' : 'posted');
        assert.deepEqual(await balances(from, to), isRefused ? [100, 0] : [40, 60]);
        await swept();
        await assertSound();
      });
    }
  }

  it('I1: a thousand opposite ones at once, with a lane that is taken over, lose nothing', async () => {
    const left = await accounts(1, 3, 60_000);
    const right = await accounts(2, 3, 60_000);
    const [frozen] = (await accounts(2, 1, 0)) as [AccountId];
    await post(frozen, { kind: 'freeze', reason: 'lost', programId });
    const { transfers } = process();
    const tally = { posted: 0, refused: 0 };
    const all = Promise.all(
      Array.from({ length: 1_000 }, async (_, index) => {
        const [one, two] = [left[index % 3] as AccountId, (index % 10 === 0 ? frozen : right[index % 2]) as AccountId];
        const [from, to] = index % 2 === 0 || two === frozen ? [one, two] : [two, one];
        const asked = request(from, to, 1 + (index % 97));
        const [outcome, same] = await Promise.all([settled(transfers, asked), settled(transfers, asked)]);
        assert.equal(outcome.type, same.type);
        if (outcome.type === 'posted' || outcome.type === 'refused') tally[outcome.type]++;
      }),
    );
    await eventually('some have been answered', () => tally.posted > 50);
    await restart(2);
    await all;
    assert.deepEqual(tally, { posted: 900, refused: 100 });
    await swept(2);
    const total = (await balances(...left, ...right, frozen)).reduce((sum, balance) => sum + balance, 0);
    assert.equal(total, 360_000);
    await assertSound();
  });

  const damages: readonly (readonly [string, string, RegExp])[] = [
    [
      'an arrival that is not there',
      `delete from transactions where (account_id, version) in
        (select account_id, version from transactions where kind = 'transfer_in' limit 1)`,
      /the other side of the transfer_out/,
    ],
    [
      'what came back under another key',
      `update transactions set idempotency_key = 'return x' where (account_id, version) in
        (select account_id, version from transactions where detail ->> 'returns' is not null limit 1)`,
      /the other side of the transfer_out|no transfer across lanes has its key/,
    ],
    [
      'what came back though nobody refused it',
      `delete from refusals where kind = 'transfer_in'`,
      /came back, though the other account has not refused it/,
    ],
    [
      'what came back and arrived as well',
      `update transactions as t set idempotency_key = 'transfer ' || d.account_id || ' ' || d.idempotency_key
        from transactions as d join transactions as r on r.reversal_of is not null and r.account_id = d.account_id
          and r.version = d.version + 1 and r.detail ->> 'returns' = d.version::text
        where t.account_id = (d.detail ->> 'partner')::uuid and t.kind = 'freeze'`,
      /reached the other account, and came back as well/,
    ],
    ['an open row of nothing', `insert into open_transfers values (gen_random_uuid(), 3)`, /is open, but no transfer/],
  ];
  for (const [what, damage, words] of damages) {
    it(`the auditor names ${what}`, async () => {
      for (const table of ['transactions', 'refusals', 'open_transfers']) {
        await postgres.sql.unsafe(`create table kept_${table} as table ${table}`);
      }
      await postgres.sql.unsafe(damage);
      const { results } = await auditLedger({ database });
      const found = results.find(({ rule }) => rule === 'transfers')?.first;
      for (const table of ['transactions', 'refusals', 'open_transfers']) {
        await postgres.sql.unsafe(`truncate ${table}; insert into ${table} select * from kept_${table}`);
        await postgres.sql.unsafe(`drop table kept_${table}`);
      }
      assert.match(found?.what ?? 'nothing', words);
    });
  }
});
