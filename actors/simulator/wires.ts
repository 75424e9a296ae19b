/**
 * The wires between core processes and the database. A statement travels, is executed in the order of its connection, and
 * its reply travels back. On the way each can be lost or late, or arrive as a ghost: after its client gave the connection
 * up, and possibly after what the client has sent since on another one.
 *
 * Both ends of a connection know of its end at moments of their own, or by a time-out only. What a statement means is
 * no business of this file.
 */
import { type StoreConnection, StoreFailure } from '../ports.ts';
import type { Core } from './core.ts';
import { type StatementFault, statementFaults } from './plan.ts';
import { Random } from './random.ts';
import type { World } from './world.ts';

/** How often the end of a connection makes no sound: its client learns of it by a time-out. */
const SILENCE = 0.3;
/** How often what was sent on a connection that is closed is executed all the same, where ghosts walk at all. */
const HAUNTING = 0.7;

/**
 * What a statement does: its effect is there at once, its reply when it arrives.
 *
 * @param isGhost nobody waits for the reply any more
 * @throws StoreFailure as the database's answer; anything else ends the history
 */
export type Execute<Value> = (isGhost: boolean) => Value;

/** Why nobody knows what became of a statement. One failure each is enough: an error costs more to make than to tell. */
const failures = {
  'no connection': new StoreFailure('unknown', 'no connection'),
  'connection reset': new StoreFailure('unknown', 'connection reset'),
  'connection closed': new StoreFailure('unknown', 'connection closed'),
  'no reply in time': new StoreFailure('unknown', 'no reply in time'),
  'server error': new StoreFailure('unknown', 'server error'),
} as const;
type Trouble = keyof typeof failures;

/** What the database made of a statement. */
type Reply = { readonly value: unknown } | { readonly failure: StoreFailure };

interface Statement {
  readonly number: number;
  readonly name: string;
  readonly execute: Execute<unknown>;
  readonly connection: Connection;
  readonly sentMs: number;
  readonly fault: StatementFault | null;
  /** Takes the reply or the failure; null: it has, and nobody waits any more. */
  settle: { readonly resolve: (reply: unknown) => void; readonly reject: (cause: unknown) => void } | null;
}

interface Connection {
  readonly number: number;
  readonly core: Core;
  readonly kind: StoreConnection;
  /** Not executed yet, in the order of sending. */
  readonly waiting: Statement[];
  readonly unsettled: Set<Statement>;
  client: 'open' | 'broken' | 'closed';
  serverIsGone: boolean;
  /** When the last statement arrives, and the last reply. */
  arrivesMs: number;
  repliesMs: number;
  /** Ghosts: what waits is not executed before. */
  notBeforeMs: number;
  /** A statement has arrived on it. */
  readonly arrive: () => void;
}

export class Wires {
  readonly #world: World;
  readonly #random: Random;
  readonly #connections = new Map<Core, Map<StoreConnection, Connection>>();
  #connectionsTotal = 0;
  #statementsTotal = 0;
  /** The server is away until then. */
  #downUntilMs = 0;

  constructor(world: World) {
    this.#world = world;
    this.#random = new Random(world.plan.seed, 1);
  }

  send<Value>(core: Core, kind: StoreConnection, name: string, execute: Execute<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      const connection = this.#connectionOf(core, kind);
      const fault = connection.client === 'open' ? this.#drawFault() : null;
      const statement: Statement = {
        number: ++this.#statementsTotal,
        name,
        execute,
        connection,
        sentMs: this.#world.nowMs,
        fault,
        settle: { resolve: resolve as (value: unknown) => void, reject },
      };
      connection.unsettled.add(statement);
      if (this.#world.isTraced) {
        const doom = fault === null ? '' : `  [${fault}]`;
        this.#world.tell(core.name, `sends ${labelOf(statement)}${doom}`);
      }
      if (connection.client === 'open') this.#travel(statement);
      else this.#world.clockwork.after(1, () => this.#fail(statement, 'no connection'));
    });
  }

  /** The client gives its connection up; what it sent may still be executed. */
  reset(core: Core, kind: StoreConnection): Promise<void> {
    const connection = this.#connections.get(core)?.get(kind);
    if (connection !== undefined) this.#close(connection);
    return new Promise((resolve) => {
      this.#world.clockwork.after(this.#random.below(3), () => this.#reach(core, resolve));
    });
  }

  /** The process is gone. */
  abandon(core: Core): void {
    for (const connection of [...(this.#connections.get(core)?.values() ?? [])]) this.#close(connection);
    this.#connections.delete(core);
  }

  /** Every connection dies, what was not executed is gone, and for a while nobody can connect. */
  restart(downMs: number): void {
    this.#downUntilMs = this.#world.nowMs + downMs;
    for (const own of this.#connections.values()) {
      for (const connection of own.values()) this.#hangUp(connection);
    }
  }

  #connectionOf(core: Core, kind: StoreConnection): Connection {
    const own = this.#connections.get(core) ?? new Map<StoreConnection, Connection>();
    this.#connections.set(core, own);
    const current = own.get(kind);
    if (current !== undefined && !(current.client === 'broken' && this.#world.plan.reconnects)) return current;
    const { nowMs } = this.#world;
    const fresh: Connection = {
      number: ++this.#connectionsTotal,
      core,
      kind,
      waiting: [],
      unsettled: new Set(),
      client: nowMs < this.#downUntilMs ? 'broken' : 'open',
      serverIsGone: false,
      arrivesMs: nowMs,
      repliesMs: nowMs,
      notBeforeMs: 0,
      arrive: () => this.#arrive(fresh),
    };
    own.set(kind, fresh);
    return fresh;
  }

  #drawFault(): StatementFault | null {
    if (!this.#world.faultsAreOn) return null;
    const { faults } = this.#world.plan;
    let draw = this.#random.next() / 2 ** 32;
    for (const fault of statementFaults) {
      if (draw < faults[fault]) {
        this.#world.meet(fault);
        return fault;
      }
      draw -= faults[fault];
    }
    return null;
  }

  #latencyMs(): number {
    return this.#random.between(1, this.#world.plan.latencyMsMax);
  }

  /** Mostly soon, so that it comes between what is sent after it. */
  #ghostMs(): number {
    return this.#random.below(this.#random.below(this.#world.plan.ghostMsMax) + 1);
  }

  #travel(statement: Statement): void {
    const { connection, fault } = statement;
    const { clockwork, plan } = this.#world;
    connection.waiting.push(statement);
    let wayMs = this.#latencyMs();
    if (fault === 'ghost') {
      wayMs += this.#ghostMs();
      clockwork.after(this.#latencyMs(), () => this.#break(connection, 'connection reset'));
    }
    if (fault === 'slow') wayMs += this.#random.between(plan.replyTimeoutMs >> 1, plan.replyTimeoutMs * 2);
    connection.arrivesMs = Math.max(connection.arrivesMs, statement.sentMs + wayMs);
    const late = connection.arrivesMs + plan.latencyMsMax > statement.sentMs + plan.replyTimeoutMs;
    if (late) this.#expectTimeout(statement);
    clockwork.after(connection.arrivesMs - statement.sentMs, connection.arrive);
  }

  /** One arrival per statement; what is executed is the first that waits, so that their order stays. */
  #arrive(connection: Connection): void {
    const { clockwork, nowMs } = this.#world;
    if (nowMs < connection.notBeforeMs) {
      clockwork.after(connection.notBeforeMs - nowMs, connection.arrive);
      return;
    }
    const statement = connection.waiting.shift();
    if (statement === undefined) return;
    if (connection.serverIsGone) return this.#expectTimeout(statement);
    if (statement.fault === 'request lost') {
      connection.waiting.unshift(statement);
      return this.#hangUp(connection);
    }
    const isGhost = connection.client !== 'open';
    if (this.#world.isTraced)
      this.#world.tell('database', `executes ${labelOf(statement)}${isGhost ? ', a ghost' : ''}`);
    if (isGhost) this.#world.meet('ghost executed');
    const reply = executed(statement, isGhost);
    if (statement.fault === 'reply lost') return this.#hangUp(connection);
    connection.repliesMs = Math.max(connection.repliesMs, nowMs + this.#latencyMs());
    clockwork.after(connection.repliesMs - nowMs, () => this.#reply(statement, reply));
  }

  #reply(statement: Statement, reply: Reply): void {
    const { connection } = statement;
    this.#reach(connection.core, () => {
      const { settle } = statement;
      if (settle === null || connection.client !== 'open') return;
      this.#settled(statement);
      if ('failure' in reply) settle.reject(reply.failure);
      else settle.resolve(reply.value);
    });
  }

  /** The server's end is gone, and with it what was not executed. */
  #hangUp(connection: Connection): void {
    connection.serverIsGone = true;
    connection.waiting.length = 0;
    if (this.#random.chance(SILENCE)) {
      for (const statement of connection.unsettled) this.#expectTimeout(statement);
    } else {
      this.#world.clockwork.after(this.#latencyMs(), () => this.#break(connection, 'connection reset'));
    }
  }

  /** The client learns that the connection is gone, if it still has it. */
  #break(connection: Connection, why: Trouble): void {
    if (connection.client !== 'open') return;
    connection.client = 'broken';
    for (const statement of connection.unsettled) this.#fail(statement, why);
  }

  #close(connection: Connection): void {
    const { plan, faultsAreOn, nowMs } = this.#world;
    connection.client = 'closed';
    this.#connections.get(connection.core)?.delete(connection.kind);
    for (const statement of connection.unsettled) this.#fail(statement, 'connection closed');
    if (faultsAreOn && plan.faults.ghost > 0 && this.#random.chance(HAUNTING)) {
      connection.notBeforeMs = nowMs + this.#ghostMs();
      connection.waiting.length = this.#random.between(0, connection.waiting.length);
    } else {
      connection.waiting.length = 0;
    }
  }

  #expectTimeout(statement: Statement): void {
    const leftMs = statement.sentMs + this.#world.plan.replyTimeoutMs - this.#world.nowMs;
    this.#world.clockwork.after(leftMs, () => this.#fail(statement, 'no reply in time'));
  }

  #fail(statement: Statement, why: Trouble): void {
    if (statement.settle === null) return;
    const { core } = statement.connection;
    this.#reach(core, () => {
      const { settle } = statement;
      if (settle === null) return;
      this.#settled(statement);
      if (this.#world.isTraced) this.#world.tell(core.name, `hears of ${labelOf(statement)}: ${why}`);
      settle.reject(failures[why]);
    });
  }

  #reach(core: Core, run: () => void): void {
    this.#world.clockwork.stir();
    core.deliver(run);
  }

  #settled(statement: Statement): void {
    statement.settle = null;
    statement.connection.unsettled.delete(statement);
  }
}

function executed({ fault, execute }: Statement, isGhost: boolean): Reply {
  if (fault === 'server error') return { failure: failures['server error'] };
  try {
    return { value: execute(isGhost) };
  } catch (cause) {
    if (cause instanceof StoreFailure) return { failure: cause };
    throw cause;
  }
}

function labelOf({ number, name, connection }: Statement): string {
  return `#${number} ${name} on connection ${connection.number}`;
}
