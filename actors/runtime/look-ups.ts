/**
 * What commands wait for before they can be decided: whether their key was used, and their account's state.
 *
 * One statement in flight, with whatever has come together meanwhile; it runs beside the lane's commits, on a connection
 * of its own. W3 still holds: a key on its way is known to its actor and never looked up twice, and whatever left its
 * actor was committed before, so a look-up sent later sees it.
 *
 * A failed look-up harms nobody's money: who waited is told `unavailable`, and the next one starts on a fresh connection.
 */
import { InvariantViolation } from '../account/domain.ts';
import type { AccountRecord } from '../account/model.ts';
import { restore } from '../account/restore.ts';
import {
  type Clock,
  type Findings,
  type LedgerStore,
  type Log,
  type LookUps as Questions,
  StoreFailure,
} from '../ports.ts';
import type { Actor, KeyAsker } from './actor.ts';
import type { LookUpStage } from './admission.ts';
import type { RuntimeLimits } from './limits.ts';
import { Pace } from './pace.ts';
import { type Tenant, takeFairly } from './tenants.ts';

export interface LookUpPorts {
  readonly store: LedgerStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: RuntimeLimits;
  /** The actor may be able to go on, and so may those whose requests have a part for it. */
  readonly wake: (actor: Actor) => void;
  /** Their commands can go on: called once per reply, with whether one of its keys was used. */
  readonly found: (wasUsed: boolean) => void;
  /** Nobody will find out for this actor now: its waiting commands are to be refused. */
  readonly failed: (actor: Actor) => void;
}

/** One statement's look-ups, and who waits for them. */
interface Flight {
  readonly keys: readonly KeyAsker[];
  readonly loads: readonly Actor[];
  readonly sentMs: number;
}

export class LookUps implements LookUpStage {
  readonly #ports: LookUpPorts;
  #keys: KeyAsker[] = [];
  #loads: Actor[] = [];
  #flight: Flight | null = null;
  /** Look-ups per statement for now: halved by a refused statement, until the culprit stands alone. */
  #maxNow: number;
  readonly pace = new Pace();
  statementsTotal = 0;

  constructor(ports: LookUpPorts) {
    this.#ports = ports;
    this.#maxNow = ports.limits.lookUpsMax;
  }

  get waiting(): number {
    return Math.max(this.#keys.length, this.#loads.length);
  }

  get keysUnanswered(): number {
    return this.#keys.length + (this.#flight?.keys.length ?? 0);
  }

  get flightCount(): number {
    return this.#flight === null ? 0 : 1;
  }

  get oldestSentMs(): number | null {
    return this.#flight?.sentMs ?? null;
  }

  get perStatement(): number {
    return this.#maxNow;
  }

  addKey(asker: KeyAsker): void {
    this.#keys.push(asker);
  }

  addLoad(actor: Actor): void {
    actor.loading = true;
    this.#loads.push(actor);
  }

  /** W1: sends what waits, unless a statement is under way. */
  flush(): void {
    if (this.#flight !== null || (this.#keys.length === 0 && this.#loads.length === 0)) return;
    const flight: Flight = {
      keys: takeFairly(this.#keys, this.#maxNow, tenantOf),
      loads: takeFairly(this.#loads, this.#maxNow, tenantOfActor),
      sentMs: this.#ports.clock.monotonicMs(),
    };
    this.#flight = flight;
    this.statementsTotal++;
    const questions: Questions = { keys: flight.keys.map(keyOf), accounts: flight.loads.map(accountOf) };
    this.#ports.store.lookUp(questions).then(
      (findings) => this.#replied(flight, findings),
      (cause) => this.#failed(flight, cause),
    );
  }

  /** Gives up whoever waits; a statement under way may still bring its answer. */
  abandon(): void {
    const { keys, loads } = this.#flight ?? { keys: [], loads: [] };
    this.#giveUp(this.#keys.splice(0), this.#loads.splice(0));
    for (const { actor } of keys) this.#ports.failed(actor);
    for (const actor of loads) this.#ports.failed(actor);
  }

  #replied(flight: Flight, findings: Findings): void {
    this.#flight = null;
    this.pace.took(flight.sentMs, this.#ports.clock.monotonicMs());
    this.#maxNow = Math.min(this.#maxNow * 2, this.#ports.limits.lookUpsMax);
    for (const [index, actor] of flight.loads.entries()) {
      this.#load(actor, findings.accounts[index] ?? null);
    }
    let wasUsed = false;
    for (const [index, asker] of flight.keys.entries()) {
      const found = findings.keys[index] ?? null;
      if (found !== null) wasUsed = true;
      asker.learn(found);
      this.#ports.wake(asker.actor);
    }
    this.flush();
    this.#ports.found(wasUsed);
  }

  /** What the store holds may be broken; then this account alone is out of use, and says so. */
  #load(actor: Actor, record: AccountRecord | null): void {
    try {
      actor.load(restore(record), record?.hash ?? null);
    } catch (cause) {
      if (!(cause instanceof InvariantViolation)) throw cause;
      this.#ports.log.error('an account cannot be restored', { accountId: actor.accountId, invariant: cause.message });
      actor.loading = false;
      return this.#ports.failed(actor);
    }
    this.#ports.wake(actor);
  }

  #failed(flight: Flight, cause: unknown): void {
    const size = Math.max(flight.keys.length, flight.loads.length);
    if (cause instanceof StoreFailure && cause.outcome === 'refused') {
      this.#ports.log.warn('a look-up was refused', { size, cause: String(cause) });
      this.#flight = null;
      if (size > 1) {
        this.#maxNow = Math.ceil(size / 2);
        this.#keys.unshift(...flight.keys);
        this.#loads.unshift(...flight.loads);
      } else {
        this.#giveUp(flight.keys, flight.loads);
      }
      return this.flush();
    }
    this.#ports.log.warn('a look-up failed', { size, cause: String(cause) });
    this.#giveUp(flight.keys, flight.loads);
    this.#ports.store.reset('reads').then(() => {
      this.#flight = null;
      this.flush();
    });
  }

  #giveUp(keys: readonly KeyAsker[], loads: readonly Actor[]): void {
    for (const actor of loads) {
      actor.loading = false;
      this.#ports.failed(actor);
    }
    for (const { actor } of keys) this.#ports.failed(actor);
  }
}

function keyOf(asker: KeyAsker): Questions['keys'][number] {
  return asker.facts;
}

function tenantOf(asker: KeyAsker): Tenant<Actor> | null {
  return asker.tenant;
}

/** Who waits for it first; null: readers only, or a request whose part it has. */
function tenantOfActor(actor: Actor): Tenant<Actor> | null {
  return actor.peek()?.tenant ?? null;
}

function accountOf(actor: Actor): Actor['accountId'] {
  return actor.accountId;
}
