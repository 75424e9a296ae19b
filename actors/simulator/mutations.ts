/**
 * Bugs put in on purpose: each is one that somebody could write, and the simulator has to find within its default seeds.
 * `find` stands exactly once in its file; where it does not any more, the mutation has gone stale and has to be renewed.
 */
export interface Mutation {
  /** What the mutant does wrong. */
  readonly name: string;
  /** Below `actors/`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const lane = 'runtime/lane.ts';
const assembler = 'runtime/assembler.ts';
const actor = 'runtime/actor.ts';
const runtime = 'runtime/runtime.ts';
const lookUps = 'runtime/look-ups.ts';
const memory = 'stores/memory.ts';

export const mutations: readonly Mutation[] = [
  {
    name: 'W4: answers before the commit',
    file: lane,
    find: 'this.#flights.push(flight);',
    replace: 'this.#flights.push(flight); this.#publish(flight);',
  },
  {
    name: 'W4: takes a fence that did not move for a commit',
    file: lane,
    find: 'if (first.reply === true) {',
    replace: 'if (!(first.reply instanceof Error)) {',
  },
  {
    name: 'W5: listens to late replies while it sends again',
    file: lane,
    find: 'this.#resolving = true;',
    replace: '',
  },
  {
    name: 'W5: takes an unknown outcome for a refusal',
    file: 'runtime/flight.ts',
    find: "return reply instanceof StoreFailure && reply.outcome === 'refused';",
    replace: 'return reply instanceof StoreFailure;',
  },
  {
    name: 'W5: takes an unknown outcome for a commit',
    file: lane,
    find: 'flight.reply = reply;\n',
    replace: 'flight.reply = reply === false || isRefused(reply) ? reply : true;\n',
  },
  {
    name: 'W5: sends again under a new number',
    file: lane,
    find: 'const fate = await this.#sendAgain(flight.batch);',
    replace: `const { batch: last } = await this.#ports.store.position(this.#ports.writerId);
      const fate = await this.#sendAgain({ ...flight.batch, batch: last + 1 });`,
  },
  {
    name: 'W5: does not ask for the epoch after a fence that did not match',
    file: lane,
    find: "if (position.epoch !== this.#epoch) return 'superseded';",
    replace: '',
  },
  {
    name: 'W6: forgets to put back what was refused with the culprit',
    file: lane,
    find: 'this.#assembler.putBack(pendings);',
    replace: "for (const other of pendings.slice(1)) this.#ports.settle(other, { type: 'unavailable' });",
  },
  {
    name: 'W6: does not shrink the batch that was refused',
    file: lane,
    find: 'this.#commandsMaxNow = Math.min(batchCommandsMax - 1, Math.max(1, Math.ceil(size / 2)));',
    replace: 'this.#commandsMaxNow = batchCommandsMax;',
  },
  {
    name: 'W6: takes the first command of a refused batch for the culprit',
    file: lane,
    find: 'if (culprit === undefined || size > 1) return;',
    replace: 'if (culprit === undefined) return;',
  },
  {
    name: 'W7: does not wait for the reply of the successor',
    file: lane,
    find: 'if (successors.some(({ reply }) => reply === null)) return;',
    replace: `if (successors.some(({ reply }) => reply === null)) {
        this.#batchRefused(first.reply);
        return this.#flush();
      }`,
  },
  {
    name: 'W7: does not raise the epoch',
    file: lane,
    find: "return (await this.#raise()) ? fate : 'superseded';",
    replace: 'return fate;',
  },
  {
    name: 'keeps to itself what was found applied',
    file: lane,
    find: 'committed({ writerId, batch: batch.batch, posted: rows.posted });',
    replace: 'if (!this.#resolving) committed({ writerId, batch: batch.batch, posted: rows.posted });',
  },
  {
    name: 'forgets to write refusals down',
    file: lane,
    find: 'posted, refused, isOptimistic };',
    replace: 'posted, refused: [], isOptimistic };',
  },
  {
    name: 'W3: does not tell the store that keys were not looked up',
    file: lane,
    find: 'posted, refused, isOptimistic };',
    replace: 'posted, refused, isOptimistic: false };',
  },
  {
    name: 'W3: does not look the keys of a refused optimistic batch up',
    file: lane,
    find: 'this.#lookUps.addKey(pending);\n    }\n    return true;',
    replace: 'pending.learn(null);\n    }\n    return true;',
  },
  {
    name: 'W3: takes a command for the culprit whose key was not looked up',
    file: lane,
    find: 'if (wasOptimistic) return this.#lookUps.flush();',
    replace: 'if (wasOptimistic) this.#lookUps.flush();',
  },
  {
    name: 'keeps what was decided on top of a failed batch',
    file: actor,
    find: 'this.ahead = this.committed;\n',
    replace: '',
  },
  {
    name: 'goes on with the hash chain of a failed batch',
    file: actor,
    find: 'this.aheadHash = this.committedHash;\n',
    replace: '',
  },
  {
    name: 'W3: does not look a key up',
    file: actor,
    find: 'this.found = found;',
    replace: 'this.found = null;',
  },
  {
    name: 'W3: forgets the hash chain of an account that it loads',
    file: lookUps,
    find: 'record?.hash ?? null',
    replace: 'null',
  },
  {
    name: 'I3: replays the outcome of another request',
    file: assembler,
    find: "if (stored.facts.requestHash !== requestHash) return { type: 'key_reused' };",
    replace: '',
  },
  {
    name: 'I3: decides after the deadline',
    file: assembler,
    find: 'if (request.deadlineMs <= this.#ports.clock.monotonicMs()) {',
    replace: 'if (request.deadlineMs < 0) {',
  },
  {
    name: 'I3: says expired of what is in the air',
    file: runtime,
    find: "if (pending.decided) pending.answer({ type: 'unavailable' });",
    replace: "if (pending.decided) pending.answer({ type: 'expired' });",
  },
  {
    name: 'I3: lets two commands with one key go their ways',
    file: runtime,
    find: 'if (first) {',
    replace: 'if (first && first.decided) {',
  },
  {
    name: 'I4: shows what is not committed',
    file: runtime,
    find: 'if (actor.committed !== null) return actor.committed;',
    replace: 'if (actor.committed !== null) return actor.ahead;',
  },
  {
    name: 'L: forgets who follows a command',
    file: runtime,
    find: 'if (followers === null) return;',
    replace: 'return;',
  },
  {
    name: 'posts the first parts of a request whose last one is refused',
    file: assembler,
    find: "if (decision.type === 'refuse') {\n        this.#undo();",
    replace: "if (decision.type === 'refuse') {\n        this.#trail.length = 0;",
  },
  {
    name: 'evicts actors that are busy',
    file: 'runtime/directory.ts',
    find: 'if (actor.idle && (',
    replace: 'if (actor.readers === null && (',
  },
  {
    name: 'evicts busy actors when it is full',
    file: 'runtime/directory.ts',
    find: 'if (actor.idle) return actor;',
    replace: 'if (actor.readers === null) return actor;',
  },
  {
    name: 'clearing takes what is held',
    file: 'account/state.ts',
    find: "return as.kind === 'expire' ? availableOf(state) : spendableOf(state, atMs);",
    replace: "return as.kind === 'expire' ? state.balance : spendableOf(state, atMs);",
  },
  {
    name: 'clearing spends what has expired',
    file: 'account/state.ts',
    find: "return as.kind === 'expire' ? availableOf(state) : spendableOf(state, atMs);",
    replace: 'return availableOf(state);',
  },
  {
    name: 'a frozen account is cleared by its owner',
    file: 'account/guards.ts',
    find: "state.frozen && (as.kind === 'redeem' ||",
    replace: "state.frozen && (as.kind === 'adjust' ||",
  },
  {
    name: 'passivation drops holds',
    file: 'account/checkpoint.ts',
    find: 'holds: holds.length === 0 ? noHolds : holds,',
    replace: 'holds: noHolds,',
  },
  {
    name: 'passivation drops what is newer than the checkpoint',
    file: 'account/restore.ts',
    find: 'for (const posting of record.tail) state = apply(state, posting);',
    replace: '',
  },
  {
    name: 'H1: an account has an actor and its old state on the shelf',
    file: 'runtime/shelf.ts',
    find: 'this.#table.free(at);\n    return { state, hash };',
    replace: 'return { state, hash };',
  },
  {
    name: 'H2: the shelf drops holds',
    file: 'runtime/shelf.ts',
    find: 'if (frozen || owed !== 0 || holds.length > 0 ||',
    replace: 'if (frozen || owed !== 0 ||',
  },
  {
    name: 'H2: the shelf drops lots',
    file: 'runtime/shelf.ts',
    find: 'if (count === 0) return noLots;',
    replace: 'if (count < 2) return noLots;',
  },
  {
    name: 'I7: the store does not look at the epoch',
    file: memory,
    find: 'if (position.epoch !== batch.epoch || position.batch !== batch.batch - 1) return false;',
    replace: 'if (position.batch !== batch.batch - 1) return false;',
  },
  {
    name: 'I7: a claim does not raise the epoch',
    file: memory,
    find: 'return this.#raised(writerId);\n',
    replace: 'return this.position(writerId).epoch > 0 ? this.position(writerId) : this.#raised(writerId);\n',
  },
];
