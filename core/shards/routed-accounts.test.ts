/** Requests on their way to whoever owns their account, with the others as the test wants them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AccountRequest, Outcome } from '@local-plus/actors';
import type { AccountId } from '@local-plus/contracts';
import { requestOf } from '../ledger/test/clients.ts';
import { HandTimer } from '../test/hand-timer.ts';
import { quiet } from '../test/log.ts';
import { shardLimits } from './limits.ts';
import { ShardMap } from './map.ts';
import type { Fate } from './peer-link.ts';
import { RoutedAccounts } from './routed-accounts.ts';
import { messageSchema, questionsOf, type Reply, repliesOf, repliesText } from './wire.ts';

const ME = 1;
const account = (shard: number): AccountId =>
  `01890000-0000-7000-8000-0000000000${shard.toString(16).padStart(2, '0')}` as AccountId;

const outcomeOf = (request: AccountRequest, type: 'posted' | 'expired' | 'overloaded' = 'posted'): Outcome =>
  type === 'posted'
    ? {
        type,
        row: { facts: request.facts, posting: { version: 1 } as never, hash: null },
        transactionId: request.facts.requestId as never,
        replayed: false,
        also: [],
      }
    : { type };

class World {
  readonly map = new ShardMap(ME);
  nowMs = 0;
  pokes = 0;
  mayShow = true;
  /** What the database says when it is asked whether state may be shown. */
  confirmed: Promise<boolean> = Promise.resolve(false);
  readonly localKeys: string[] = [];
  readonly messages: { readonly to: number; readonly keys: readonly string[] }[] = [];
  /** What the others say to a message; by default they do what is asked. */
  fates: ((replies: readonly Reply[]) => Fate)[] = [];
  /** Messages wait for it while set. */
  gate: Promise<void> | null = null;
  readonly #timer = new HandTimer(() => this.nowMs, queueMicrotask);
  readonly routed: RoutedAccounts;

  /** Shards 0 – 99 are here, the others are of writer 2. */
  constructor() {
    for (let shard = 0; shard < 256; shard++) this.map.learn(shard, shard < 100 ? ME : 2, 1);
    this.routed = new RoutedAccounts({
      map: this.map,
      local: {
        submit: async (request) => {
          this.localKeys.push(request.facts.idempotencyKey);
          return outcomeOf(request);
        },
        post: (request, answer) => {
          this.localKeys.push(request.facts.idempotencyKey);
          answer(outcomeOf(request));
        },
        read: () => ({ balance: 1 }) as never,
        sendAway: () => 0,
        drain: async () => true,
        status: {} as never,
      },
      peers: { linkTo: (to) => ({ hasRoom: true, send: (body) => this.#deliver(to, body) }) },
      clock: { nowMs: () => this.nowMs, monotonicMs: () => this.nowMs },
      timer: this.#timer,
      log: quiet,
      limits: shardLimits,
      isJoined: () => true,
      mayShowState: () => this.mayShow,
      confirmState: () => this.confirmed,
      poke: () => {
        this.pokes++;
      },
    });
  }

  async #deliver(to: number, body: string): Promise<Fate> {
    const message = messageSchema(shardLimits.messageItemsMax).parse(JSON.parse(body));
    const questions = questionsOf(message, this.nowMs);
    const keys = questions.map((asked) => (asked.type === 'command' ? asked.request.facts.idempotencyKey : 'read'));
    this.messages.push({ to, keys });
    await this.gate;
    const replies = questions.map(
      (asked): Reply =>
        asked.type === 'command'
          ? { type: 'outcome', outcome: outcomeOf(asked.request) }
          : { type: 'state', state: null },
    );
    const fate = this.fates.shift();
    if (fate) return fate(replies);
    return { type: 'answered', replies: repliesOf(repliesText(replies), replies.length) };
  }

  ask(shard: number, key: string, leftMs = 1_000): Promise<Outcome> {
    return this.routed.submit({ ...requestOf(account(shard), 'earn', 1, key), deadlineMs: this.nowMs + leftMs });
  }

  async pass(ms: number): Promise<void> {
    await this.settle();
    this.nowMs += ms;
    this.#timer.runDue();
    await this.settle();
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

const wrongOwner =
  (owner: number, version: number) =>
  (replies: readonly Reply[]): Fate => ({
    type: 'answered',
    replies: replies.map(() => ({ type: 'wrong_owner', owner, version })),
  });
const lost = (): Fate => ({ type: 'unknown', why: 'the connection was lost' });
const notTaken = (): Fate => ({ type: 'not_taken', why: 'ECONNREFUSED' });

describe('requests for the accounts of others', () => {
  it('go to their owner, those of one moment together; one’s own go nowhere', async () => {
    const world = new World();
    const outcomes = await Promise.all([
      world.ask(1, 'a'),
      world.ask(200, 'b'),
      world.ask(201, 'c'),
      world.ask(200, 'd'),
    ]);
    assert.ok(outcomes.every(({ type }) => type === 'posted'));
    assert.deepEqual(world.localKeys, ['a']);
    assert.deepEqual(world.messages, [{ to: 2, keys: ['b', 'd', 'c'] }]);
    assert.equal(world.routed.waiting, 0);
  });

  it('are corrected by a wrong owner that knows better, and ask the table where it does not', async () => {
    const world = new World();
    world.fates = [wrongOwner(3, 5), wrongOwner(2, 1)];
    const asked = world.ask(200, 'a');
    await world.pass(10);
    await world.pass(20);
    await world.pass(40);
    assert.equal((await asked).type, 'posted');
    assert.deepEqual(
      world.messages.map(({ to }) => to),
      [2, 3, 3],
    );
    assert.ok(world.pokes > 0, 'older than what is known: the table is asked');
  });

  it('do not believe that a shard is their own: the table has to say it (S3)', async () => {
    const world = new World();
    world.fates = [wrongOwner(ME, 9)];
    const asked = world.ask(200, 'a');
    await world.pass(1);
    assert.deepEqual([world.map.standing(200), world.map.version(200), world.pokes], ['away', 1, 1]);
    world.map.learn(200, ME, 9);
    world.routed.changed();
    await world.pass(10);
    assert.equal((await asked).type, 'posted');
    assert.deepEqual(world.localKeys, ['a']);
  });

  it('keep their order within a shard, whatever has to go again (Q1)', async () => {
    const world = new World();
    world.fates = [notTaken, lost];
    const all = ['a', 'b'].map((key) => world.ask(200, key));
    await world.pass(1);
    all.push(world.ask(200, 'c'));
    for (let step = 0; step < 10; step++) await world.pass(20);
    await Promise.all(all);
    assert.deepEqual(
      world.messages.map(({ keys }) => keys.join('')),
      ['ab', 'abc', 'abc'],
    );
  });

  it('wait while their shard is on its way, then go where it went', async () => {
    const world = new World();
    world.map.leave([5]);
    const [first, second] = [world.ask(5, 'a'), world.ask(5, 'b')];
    await world.pass(20);
    assert.deepEqual([world.localKeys, world.messages, world.routed.waiting], [[], [], 2]);
    world.map.learn(5, 3, 2);
    world.routed.changed();
    await world.settle();
    assert.deepEqual(world.messages, [{ to: 3, keys: ['a', 'b'] }]);
    assert.deepEqual([(await first).type, (await second).type], ['posted', 'posted']);
  });

  it('expire where nothing of them can have happened, and are unavailable where it may (Q2, Q3)', async () => {
    const world = new World();
    world.map.leave([5]);
    const waiting = world.ask(5, 'a', 100);
    world.gate = new Promise(() => undefined);
    const underWay = world.ask(200, 'b', 100);
    await world.pass(60);
    await world.pass(60);
    assert.deepEqual([(await waiting).type, (await underWay).type], ['expired', 'unavailable']);
    const other = new World();
    other.fates = [lost, ...Array.from({ length: 20 }, () => notTaken)];
    const doubtful = other.ask(200, 'c', 100);
    for (let step = 0; step < 10; step++) await other.pass(30);
    assert.equal((await doubtful).type, 'unavailable');
    const late = new World();
    late.fates = [
      lost,
      (replies) => ({
        type: 'answered',
        replies: replies.map(() => ({ type: 'outcome', outcome: { type: 'overloaded' } })),
      }),
    ];
    const refused = late.ask(200, 'd');
    for (let step = 0; step < 10; step++) await late.pass(20);
    assert.equal((await refused).type, 'unavailable', 'the lost message may have been served');
  });

  it('are not sent any more when the process stood still past their deadline', async () => {
    const world = new World();
    assert.deepEqual(await world.ask(200, 'a', -700), { type: 'expired' });
    assert.deepEqual([world.messages, world.routed.waiting], [[], 0]);
  });

  it('of several owners are told so before anything happens (A4)', async () => {
    const world = new World();
    const request = requestOf(account(1), 'earn', 1, 'a');
    const { facts, command } = requestOf(account(200), 'earn', 1, 'b');
    assert.equal(world.routed.sameOwner(account(1), account(200)), false);
    assert.equal(world.routed.sameOwner(account(200), account(201)), true);
    const outcome = await world.routed.submit({ ...request, deadlineMs: 1_000, also: [{ facts, command }] });
    assert.equal(outcome.type, 'unavailable');
    assert.deepEqual([world.localKeys, world.messages], [[], []]);
  });

  it('are bounded, all and of one shard', async () => {
    const world = new World();
    world.gate = new Promise(() => undefined);
    const { waitingPerShardMax } = shardLimits;
    for (let number = 0; number < waitingPerShardMax; number++) void world.ask(200, `a${number}`);
    assert.equal((await world.ask(200, 'one more')).type, 'overloaded');
    assert.equal((await Promise.race([world.ask(1, 'here'), world.settle()]))?.type, 'posted', 'others go on');
  });

  it('from another process are served here or refused, never sent on (A2)', async () => {
    const world = new World();
    const request = (shard: number) => ({ ...requestOf(account(shard), 'earn', 1, `k${shard}`), deadlineMs: 1_000 });
    world.map.leave([7]);
    const replies = await world.routed.answer([
      { type: 'command', request: request(1), version: 1 },
      { type: 'command', request: request(200), version: 4 },
      { type: 'command', request: request(7), version: 1 },
    ]);
    assert.deepEqual(
      replies.map(({ type }) => type),
      ['outcome', 'wrong_owner', 'wrong_owner'],
    );
    assert.deepEqual(replies[1], { type: 'wrong_owner', owner: 2, version: 1 });
    assert.deepEqual([world.messages, world.pokes], [[], 1]);
  });

  it('show no state from memory while somebody else may have taken over (A5)', async () => {
    const world = new World();
    assert.notEqual(await world.routed.read(account(1)), null);
    world.mayShow = false;
    assert.equal(await world.routed.read(account(1)), null);
  });

  it('show state once the database has confirmed that it may be shown, unless the account has left meanwhile', async () => {
    const world = new World();
    world.mayShow = false;
    const { promise, resolve: confirm } = Promise.withResolvers<boolean>();
    world.confirmed = promise;
    const [stays, leaves] = [world.routed.read(account(1)), world.routed.read(account(2))];
    world.map.learn(2, 2, 2);
    confirm(true);
    assert.deepEqual(await stays, { balance: 1 });
    assert.equal(await leaves, null);
  });

  it('wait for that answer in a bounded number; one more is told at once', async () => {
    const world = new World();
    world.mayShow = false;
    const { promise, resolve: confirm } = Promise.withResolvers<boolean>();
    world.confirmed = promise;
    const waiting = Array.from({ length: shardLimits.waitingMax }, () => world.routed.read(account(1)));
    assert.equal(await world.routed.read(account(1)), null);
    confirm(true);
    assert.ok((await Promise.all(waiting)).every((state) => state !== null));
    assert.notEqual(await world.routed.read(account(1)), null, 'there is room again');
  });
});
