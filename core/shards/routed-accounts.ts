/**
 * Any process answers any request: what is served here goes to the runtime, what is another's goes to its owner, and what is
 * on its way waits.
 *
 *     post → here? → runtime                                    (one process that owns all: nothing else is looked at)
 *          → queue of the shard → message to the owner → reply | wrong owner, lost → queue, in front
 *
 * - A1 nobody else speaks to the runtime: so what is not served here never gets there, and a drain is a drain.
 * - A2 one hop at most: what came from another process is served here or refused with what is known of the owner.
 * - A3 a question goes again only under its own key, within its deadline, paced.
 * - A4 a request of several parts is served where all its accounts are; else it is told `unavailable` before anything of it
 *   happened.
 * - A5 committed state is shown from memory only while nobody else can have taken over.
 */
import type { AccountRequest, AccountState, Clock, Log, Outcome, Part, Timer } from '@local-plus/actors';
import { type AccountId, shards as contract } from '@local-plus/contracts';
import type { AccountRuntime, LocalRuntime } from '../ledger/index.ts';
import type { ShardLimits } from './limits.ts';
import type { ShardMap } from './map.ts';
import type { Fate } from './peer-link.ts';
import { ShardQueue, Waiting } from './waiting.ts';
import { type Arrived, messageText, type Question, type Reply, shardOfQuestion } from './wire.ts';

/** How to reach another process; null: nobody knows where it is. */
export interface Peers {
  linkTo(writerId: number): Peer | null;
}

export interface Peer {
  readonly hasRoom: boolean;
  send(body: string, count: number, timeMs: number): Promise<Fate>;
}

export interface RoutingPorts {
  readonly map: ShardMap;
  readonly local: LocalRuntime;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly log: Log;
  readonly limits: ShardLimits;
  /** The map and the members are known. */
  readonly isJoined: () => boolean;
  /** A5, and the same once the database was asked. */
  readonly mayShowState: () => boolean;
  readonly confirmState: () => Promise<boolean>;
  /** The map may be old. */
  readonly poke: () => void;
}

/** Plain numbers, read when scraped. */
export class RoutingCounters {
  /** Questions sent to other processes, and the messages that they went in. */
  forwarded = 0;
  messages = 0;
  /** Served for other processes; refused because they are not served here. */
  served = 0;
  wrongOwnersTold = 0;
  /** Replies that said so to this process; messages that were not taken, or lost. */
  wrongOwnersHeard = 0;
  notTaken = 0;
  lost = 0;
}

export class RoutedAccounts implements AccountRuntime {
  readonly #ports: RoutingPorts;
  readonly #map: ShardMap;
  readonly #local: LocalRuntime;
  readonly #queues = new Map<number, ShardQueue>();
  readonly counters = new RoutingCounters();
  #waiting = 0;
  /** Reads that wait for a beat. */
  #confirming = 0;
  #dispatchSoon = false;
  #cancelSweep: (() => void) | null = null;
  #isStopped = false;
  /** Processes that did not answer lately: said once, and once when they do again. */
  readonly #troubled = new Set<number>();

  constructor(ports: RoutingPorts) {
    this.#ports = ports;
    this.#map = ports.map;
    this.#local = ports.local;
  }

  /** Questions that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  submit(request: AccountRequest): Promise<Outcome> {
    if (this.#map.ownsAll && this.#waiting === 0) return this.#local.submit(request);
    return new Promise((answer) => this.post(request, answer));
  }

  post(request: AccountRequest, answer: (outcome: Outcome) => void): void {
    if (this.#map.ownsAll && this.#waiting === 0) return this.#local.post(request, answer);
    const shard = contract.shardOf(request.facts.accountId);
    if (!this.#queues.has(shard) && this.#serves(shard, request.also)) return this.#local.post(request, answer);
    if (!this.#ports.isJoined()) return answer({ type: 'unavailable' });
    this.#ask({ type: 'command', request }, request.deadlineMs, (reply) => {
      answer(reply.type === 'outcome' ? reply.outcome : { type: 'unavailable' });
    });
  }

  read(accountId: AccountId): Promise<AccountState | null> | AccountState | null {
    const shard = contract.shardOf(accountId);
    if (this.#map.standing(shard) === 'here' && !this.#queues.has(shard)) return this.#readHere(accountId);
    if (!this.#ports.isJoined()) return null;
    const { clock, limits } = this.#ports;
    return new Promise((answer) => {
      this.#ask({ type: 'read', accountId }, clock.monotonicMs() + limits.readMs, (reply) => {
        answer(reply.type === 'state' ? reply.state : null);
      });
    });
  }

  sameOwner(a: AccountId, b: AccountId): boolean {
    if (this.#map.ownsAll) return true;
    return this.#map.owner(contract.shardOf(a)) === this.#map.owner(contract.shardOf(b));
  }

  sendAway(tenant: string, accountId: AccountId | null, deadlineMs: number, placesFree: number): number {
    const isOurs = this.#map.ownsAll || (accountId !== null && this.#isHere(accountId));
    return isOurs ? this.#local.sendAway(tenant, accountId, deadlineMs, placesFree) : 0;
  }

  /** A2: for another process. Resolves when each of them has its reply. */
  answer(questions: readonly Arrived[]): Promise<readonly Reply[]> {
    return Promise.all(questions.map((asked) => this.#answerOne(asked)));
  }

  /** The map or the members have changed: what waits may be able to go on. */
  changed(): void {
    if (this.#queues.size > 0) this.#schedule();
  }

  /** Whoever waits is told. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelSweep?.();
    for (const queue of this.#queues.values()) queue.abandon();
  }

  #serves(shard: number, also: readonly Part[] | undefined): boolean {
    if (this.#map.standing(shard) !== 'here') return false;
    return also === undefined || also.every(({ facts }) => this.#isHere(facts.accountId));
  }

  #isHere(accountId: AccountId): boolean {
    return this.#map.standing(contract.shardOf(accountId)) === 'here';
  }

  #readHere(accountId: AccountId): Promise<AccountState | null> | AccountState | null {
    return this.#ports.mayShowState() ? this.#local.read(accountId) : this.#readConfirmed(accountId);
  }

  /** The account may have left meanwhile: whoever asks again is sent to its owner. */
  async #readConfirmed(accountId: AccountId): Promise<AccountState | null> {
    if (this.#confirming >= this.#ports.limits.waitingMax) return null;
    this.#confirming++;
    try {
      if (!(await this.#ports.confirmState()) || !this.#isHere(accountId)) return null;
    } finally {
      this.#confirming--;
    }
    return this.#local.read(accountId);
  }

  async #answerOne(asked: Arrived): Promise<Reply> {
    const shard = shardOfQuestion(asked);
    const also = asked.type === 'command' ? asked.request.also : undefined;
    if (this.#serves(shard, also)) {
      this.counters.served++;
      if (asked.type === 'read') return { type: 'state', state: await this.#readHere(asked.accountId) };
      return { type: 'outcome', outcome: await this.#local.submit(asked.request) };
    }
    // Its parts are of several owners: no owner can serve it.
    if (this.#map.standing(shard) === 'here' && !this.#mayMeet(asked)) {
      return { type: 'outcome', outcome: { type: 'unavailable' } };
    }
    this.counters.wrongOwnersTold++;
    if (asked.version > this.#map.version(shard)) this.#ports.poke();
    return { type: 'wrong_owner', owner: this.#map.owner(shard), version: this.#map.version(shard) };
  }

  /** Whether one process owns all its accounts, as far as this one knows. */
  #mayMeet(asked: Question): boolean {
    if (asked.type === 'read' || asked.request.also === undefined) return true;
    const { facts, also } = asked.request;
    return also.every((part) => this.sameOwner(facts.accountId, part.facts.accountId));
  }

  #ask(asked: Question, deadlineMs: number, answer: (reply: Reply) => void): void {
    const { limits } = this.#ports;
    const item = new Waiting(asked, deadlineMs, (reply) => {
      this.#waiting--;
      answer(reply);
    });
    this.#waiting++;
    const queue = this.#queues.get(item.shard) ?? new ShardQueue(item.shard);
    const isFull = this.#waiting > limits.waitingMax || queue.size >= limits.waitingPerShardMax;
    if (this.#isStopped || !this.#mayMeet(asked)) return item.giveUp('unavailable');
    if (isFull) return item.giveUp('overloaded');
    this.#queues.set(item.shard, queue);
    queue.push(item);
    this.#schedule();
    this.#sweepLater();
  }

  /** The questions of one moment share messages. */
  #schedule(): void {
    if (this.#dispatchSoon || this.#isStopped) return;
    this.#dispatchSoon = true;
    this.#ports.timer.soon(() => {
      this.#dispatchSoon = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    if (this.#isStopped) return;
    const nowMs = this.#ports.clock.monotonicMs();
    const byOwner = new Map<number, ShardQueue[]>();
    for (const queue of this.#queues.values()) {
      // This process may have stood still: what is too late by now is told so, and not sent.
      queue.expire(nowMs);
      const standing = this.#map.standing(queue.shard);
      if (standing === 'here') this.#serveQueue(queue);
      if (queue.isEmpty) {
        this.#queues.delete(queue.shard);
        continue;
      }
      const owner = this.#map.owner(queue.shard);
      if (standing !== 'away' || queue.isUnderWay || queue.againMs > nowMs || owner < 0) continue;
      const queues = byOwner.get(owner);
      if (queues) queues.push(queue);
      else byOwner.set(owner, [queue]);
    }
    for (const [owner, queues] of byOwner) this.#sendTo(owner, queues, nowMs);
  }

  /** The shard is served here: its questions go to the runtime, in order, as far as their other accounts are here, too. */
  #serveQueue(queue: ShardQueue): void {
    while (!queue.isUnderWay) {
      const item = queue.first;
      if (item === undefined) return;
      const { asked } = item;
      if (asked.type === 'command' && !item.isAnswered) {
        if (!this.#mayMeet(asked)) item.giveUp('unavailable');
        else if (!this.#serves(queue.shard, asked.request.also)) return;
        else this.#local.post(asked.request, (outcome) => item.settle({ type: 'outcome', outcome }));
      } else if (asked.type === 'read' && !item.isAnswered) {
        Promise.resolve(this.#readHere(asked.accountId)).then((state) => item.settle({ type: 'state', state }));
      }
      queue.shift();
    }
  }

  /** As many messages as there is room for; each takes from the next queues until it is full. */
  #sendTo(owner: number, queues: readonly ShardQueue[], nowMs: number): void {
    const peer = this.#ports.peers.linkTo(owner);
    if (peer === null) return;
    const { messageItemsMax, messageBytesAim } = this.#ports.limits;
    let next = 0;
    while (next < queues.length && peer.hasRoom) {
      const taken: ShardQueue[] = [];
      const items: Waiting[] = [];
      let bytes = 0;
      while (next < queues.length && items.length < messageItemsMax && bytes < messageBytesAim) {
        const queue = queues[next++] as ShardQueue;
        const some = queue.take(messageItemsMax - items.length, messageBytesAim - bytes);
        for (const { text } of some) bytes += text.length;
        items.push(...some);
        taken.push(queue);
      }
      this.#send(peer, owner, taken, items, nowMs);
    }
  }

  #send(peer: Peer, owner: number, queues: readonly ShardQueue[], items: readonly Waiting[], nowMs: number): void {
    const { limits } = this.#ports;
    const body = messageText(
      items.map((item) => ({
        text: item.text,
        leftMs: item.asked.type === 'read' ? null : Math.max(0, item.deadlineMs - nowMs),
        version: this.#map.version(item.shard),
      })),
    );
    const lastMs = Math.max(...items.map(({ deadlineMs }) => deadlineMs));
    this.counters.messages++;
    this.counters.forwarded += items.length;
    peer.send(body, items.length, lastMs - nowMs + limits.messageGraceMs).then((fate) => {
      this.#replied(owner, items, fate);
      for (const queue of queues) this.#returned(queue);
      this.#schedule();
    });
  }

  #replied(owner: number, items: readonly Waiting[], fate: Fate): void {
    if (fate.type === 'answered') {
      if (this.#troubled.delete(owner)) this.#ports.log.info('another process answers again', { owner });
      for (const [place, item] of items.entries()) this.#settle(item, fate.replies[place] as Reply);
      return;
    }
    const isLost = fate.type === 'unknown';
    if (isLost) this.counters.lost++;
    else this.counters.notTaken++;
    if (!this.#troubled.has(owner)) {
      this.#ports.log.warn('another process does not answer', { owner, questions: items.length, why: fate.why });
    }
    this.#troubled.add(owner);
    for (const item of items) if (isLost) item.mayHaveHappened = true;
    this.#ports.poke();
  }

  #settle(item: Waiting, reply: Reply): void {
    if (reply.type !== 'wrong_owner') return item.settle(reply);
    this.counters.wrongOwnersHeard++;
    // What is no news, or says that it is ours, is for the table to say.
    if (!this.#map.hear(item.shard, reply.owner, reply.version)) this.#ports.poke();
  }

  /** A3: what was not answered goes again, after a pause that grows. */
  #returned(queue: ShardQueue): void {
    queue.back();
    const { clock, timer, limits } = this.#ports;
    queue.expire(clock.monotonicMs());
    const isAgain = queue.first?.wasSent ?? false;
    queue.failures = isAgain ? queue.failures + 1 : 0;
    if (!isAgain) return;
    const pauseMs = Math.min(limits.againMs * 2 ** Math.min(queue.failures - 1, 20), limits.againMsMax);
    queue.againMs = clock.monotonicMs() + pauseMs;
    timer.after(pauseMs, () => this.#schedule());
  }

  /** Q2. */
  #sweepLater(): void {
    if (this.#cancelSweep !== null) return;
    const { timer, clock, limits } = this.#ports;
    this.#cancelSweep = timer.after(limits.sweepMs, () => {
      this.#cancelSweep = null;
      for (const queue of this.#queues.values()) queue.expire(clock.monotonicMs());
      this.#dispatch();
      if (this.#queues.size > 0) this.#sweepLater();
    });
  }
}
