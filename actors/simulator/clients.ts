/**
 * The clients: they ask, wait, lose patience, ask again with the same key, sometimes twice at once and of two processes,
 * sometimes with a key that was another request's. Each operation is asked for until its outcome is known.
 */
import type { AccountId, RequestId } from '@local-plus/contracts';
import type { AccountState } from '../account/model.ts';
import type { RequestFacts } from '../ports.ts';
import type { AccountRequest, Outcome } from '../runtime/outcome.ts';
import type { Answers } from './answers.ts';
import type { Happening } from './clockwork.ts';
import { Commands, type Parts } from './commands.ts';
import type { Core } from './core.ts';
import { POISON } from './database.ts';
import type { Judge } from './judge.ts';
import { type Attempt, type Operation, programId, type Wanted } from './operations.ts';
import { type FaultKind, PAUSE_GAPS } from './plan.ts';
import { Random } from './random.ts';
import type { World } from './world.ts';

/** How long a client waits for an answer, beyond the deadline that it gave. */
const PATIENCE_MS = 200;
const DEADLINE_MS_MAX = 1_500;
const HURRY_MS_MAX = 30;
/** Once nothing goes wrong any more. */
const CALM_DEADLINE_MS = 20_000;
/** The pause before the first retry, doubled up to the maximum. */
const RETRY_MS = 150;
const RETRY_MS_MAX = 1_600;
/** Accounts that are only read: they push the others out of a small directory. */
const BYSTANDERS = 12;
const READS_PER_OPERATION = 0.4;

export interface ClientPorts {
  readonly world: World;
  readonly judge: Judge;
  readonly answers: Answers;
  /** Processes that look alive, the newest last. */
  readonly cores: () => readonly Core[];
}

export class Clients {
  readonly #ports: ClientPorts;
  readonly #random: Random;
  readonly #commands: Commands;
  readonly accounts: readonly AccountId[];
  readonly #bystanders: readonly AccountId[];
  readonly #operations: Operation[] = [];
  #requestsTotal = 0;
  #done = 0;

  constructor(ports: ClientPorts) {
    const { plan } = ports.world;
    this.#ports = ports;
    this.#random = new Random(plan.seed, 3);
    this.accounts = Array.from({ length: plan.accounts }, (_, index) => idOf<AccountId>('a', index));
    this.#bystanders = Array.from({ length: BYSTANDERS }, (_, index) => idOf<AccountId>('b', index));
    this.#commands = new Commands(this.#random, plan, this.accounts, (accountId) => ports.judge.book(accountId));
  }

  get allAreDone(): boolean {
    return this.allAreAsked && this.#done === this.#operations.length;
  }

  get allAreAsked(): boolean {
    return this.#operations.length >= this.#ports.world.plan.operations;
  }

  get operationsTotal(): number {
    return this.#operations.length;
  }

  /** Whose outcome is not known, for the one who has to find out why. */
  get waiting(): readonly Operation[] {
    return this.#operations.filter((operation) => !operation.isDone);
  }

  /** Operations one after the other, at moments of their own. */
  begin(): void {
    const { world } = this.#ports;
    if (this.allAreAsked) return;
    const { gapMsMax, pauses } = world.plan;
    const gaps = this.#random.chance(pauses) ? PAUSE_GAPS : 1;
    world.clockwork.after(this.#random.between(0, gapMsMax * gaps), () => {
      this.askOnce();
      if (this.#random.chance(READS_PER_OPERATION)) this.#read();
      this.begin();
    });
  }

  /** One more operation. */
  askOnce(): void {
    const { world } = this.#ports;
    const operation = this.#draw();
    this.#operations.push(operation);
    if (operation.isDone) this.#done++;
    this.#ask(operation);
    if (this.#befalls('duplicate')) world.clockwork.after(this.#random.below(20), () => this.#ask(operation));
  }

  #draw(): Operation {
    const { world } = this.#ports;
    const number = this.#operations.length + 1;
    const earlier =
      this.#operations.length > 0 && this.#befalls('key reuse') ? this.#random.pick(this.#operations) : null;
    const reused = earlier === null ? null : this.#random.pick(earlier.parts);
    const key = `k${number}` as Wanted['key'];
    const wallMs = this.#ports.cores().at(-1)?.wallMs ?? 0;
    const parts = this.#commands.draw(this.#random.pick(this.accounts), key, reused, wallMs);
    const isPoison = this.#befalls('poison');
    const { oversize } = world.plan.faults;
    const isAbandoned = this.#befalls('abandon');
    return {
      number,
      parts,
      requestHash: hashOf(parts, number),
      isPoison,
      mayFail: isPoison || (oversize > 0 && parts.length > oversize),
      isHurried: this.#befalls('hurry'),
      isDone: isAbandoned,
      retries: 0,
    };
  }

  #befalls(fault: FaultKind): boolean {
    const { world } = this.#ports;
    if (!world.faultsAreOn || !this.#random.chance(world.plan.faults[fault])) return false;
    world.meet(fault);
    return true;
  }

  /** Mostly the newest process; one that was superseded may not have heard of it. */
  #core(): Core | null {
    const cores = this.#ports.cores();
    if (cores.length === 0) return null;
    return this.#random.chance(0.8) ? (cores.at(-1) as Core) : this.#random.pick(cores);
  }

  #latencyMs(): number {
    return this.#random.between(0, this.#ports.world.plan.latencyMsMax);
  }

  #ask(operation: Operation): void {
    const { world } = this.#ports;
    const core = this.#core();
    if (core === null) return this.#askLater(operation);
    const budgetMs = this.#budgetMs(operation);
    // Whoever hears nothing asks again; whoever asks again does not wait for the first answer any more.
    const patience = world.clockwork.after(budgetMs + PATIENCE_MS, () => {
      patience.run = null;
      this.#askAgain(operation);
    });
    world.clockwork.after(this.#latencyMs(), () => {
      core.deliver(() => this.#arrive(operation, core, budgetMs, patience));
    });
  }

  #budgetMs({ isHurried }: Operation): number {
    if (!this.#ports.world.faultsAreOn) return CALM_DEADLINE_MS;
    return isHurried ? this.#random.between(0, HURRY_MS_MAX) : this.#random.between(200, DEADLINE_MS_MAX);
  }

  #arrive(operation: Operation, core: Core, budgetMs: number, patience: Happening): void {
    const { world, judge } = this.#ports;
    const requestId = idOf<RequestId>('c', ++this.#requestsTotal);
    const deadlineMs = world.nowMs + budgetMs;
    const attempt: Attempt = { operation, requestId, core, deadlineMs, outcome: null };
    judge.asked(attempt);
    if (world.isTraced) world.tell(core.name, `is asked for ${labelOf(operation)}, within ${budgetMs} ms`);
    core.runtime.post(requestOf(attempt), (outcome) => this.#answered(attempt, outcome, patience));
  }

  #answered(attempt: Attempt, outcome: Outcome, patience: Happening): void {
    const { world, answers } = this.#ports;
    const { operation, core } = attempt;
    // A process that is gone says nothing.
    if (!core.isAlive) return;
    if (world.isTraced) world.tell(core.name, `answers operation ${operation.number}: ${outcomeText(outcome)}`);
    world.mix(outcome.type.length * 1_000_003 + operation.number);
    answers.answered(attempt, outcome);
    if (patience.run === null || this.#befalls('response lost')) return;
    // The way back is part of the pause before whatever the client does next.
    patience.run = null;
    this.#hear(operation, outcome);
  }

  #hear(operation: Operation, outcome: Outcome): void {
    switch (outcome.type) {
      case 'posted':
      case 'refused':
      case 'key_reused':
      case 'failed':
        return this.#settle(operation);
      case 'overloaded':
      case 'expired':
      case 'unavailable':
        return this.#askAgain(operation);
    }
  }

  #settle(operation: Operation): void {
    if (!operation.isDone) {
      operation.isDone = true;
      this.#done++;
    }
    if (!this.#befalls('late replay')) return;
    this.#ports.world.clockwork.after(this.#random.below(500), () => this.#ask(operation));
  }

  #askAgain(operation: Operation): void {
    if (!operation.isDone) this.#askLater(operation);
  }

  #askLater(operation: Operation): void {
    const pauseMs = Math.min(RETRY_MS * 2 ** operation.retries++, RETRY_MS_MAX);
    this.#ports.world.clockwork.after(this.#random.between(pauseMs >> 1, pauseMs), () => this.#ask(operation));
  }

  #read(): void {
    const core = this.#core();
    if (core === null) return;
    if (this.#random.chance(this.#ports.world.plan.crowds)) {
      for (const accountId of this.#bystanders) core.deliver(() => this.read(core, accountId));
      return;
    }
    const accountId = this.#random.pick(this.#random.chance(0.5) ? this.accounts : this.#bystanders);
    core.deliver(() => this.read(core, accountId));
  }

  /** @param shown called with the version that was shown; never, when nothing was */
  read(core: Core, accountId: AccountId, shown: (version: number) => void = () => undefined): void {
    const { answers, world } = this.#ports;
    const start = answers.startRead(core, accountId);
    const show = (state: AccountState | null): void => {
      if (state === null || !core.isAlive) return;
      if (world.isTraced)
        world.tell(core.name, `shows version ${state.version} of ${accountId.slice(-3)}: ${state.balance}`);
      answers.endRead(start, state);
      shown(state.version);
    };
    const answer = core.runtime.read(accountId);
    if (answer instanceof Promise) void answer.then(show);
    else show(answer);
  }
}

function requestOf({ operation, requestId, deadlineMs }: Attempt): AccountRequest {
  const [first, ...also] = operation.parts;
  const request = { facts: factsOf(operation, first, requestId), command: first.command, deadlineMs };
  if (also.length === 0) return request;
  const parts = also.map((part) => ({ facts: factsOf(operation, part, requestId), command: part.command }));
  return { ...request, also: parts };
}

function factsOf({ requestHash, isPoison }: Operation, { accountId, key }: Wanted, requestId: RequestId): RequestFacts {
  return {
    accountId,
    programId,
    idempotencyKey: key,
    requestHash,
    requestId,
    traceparent: null,
    reference: isPoison ? POISON : null,
    metadata: null,
  };
}

/** What is asked under the sweep's key is always the same. */
function hashOf([first]: Parts, number: number): string {
  const asked = first.command.kind === 'due' ? `d${first.key.length}${first.key.slice(4)}` : number.toString(16);
  return asked.padStart(32, '0');
}

function idOf<Id extends string>(letter: string, number: number): Id {
  return `00000000-0000-7000-8000-${letter}${number.toString(16).padStart(11, '0')}` as Id;
}

export function labelOf({ number, parts }: Operation): string {
  const asked = parts.map(({ accountId, key, command }) => {
    const amount = 'amount' in command ? ` ${command.amount}` : '';
    return `${command.kind}${amount} of ${accountId.slice(-3)} as ${key}`;
  });
  return `operation ${number} (${asked.join('; ')})`;
}

function outcomeText(outcome: Outcome): string {
  switch (outcome.type) {
    case 'posted':
      return `posted version ${outcome.row.posting.version}${outcome.replayed ? ', replayed' : ''}`;
    case 'refused':
      return `refused, ${outcome.row.code}${outcome.replayed ? ', replayed' : ''}`;
    default:
      return outcome.type;
  }
}
