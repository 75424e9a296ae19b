/**
 * Whose turn it is to put commands into a batch: tenants share it evenly, and so do a tenant's actors its part of it.
 *
 * Rounds, as in deficit round robin, with the quantum taken from the room that there is: in each round a tenant gets what is
 * left of the batch divided by the tenants that are left in the round, and passes it on to its actors in the same way. So
 * whoever has little gets all of it into the next batch, however much others have; what nobody else wants goes to those
 * who have more; and one actor alone fills a batch by itself.
 */
import type { Actor } from './actor.ts';
import { Line } from './line.ts';
import type { Tenant } from './tenants.ts';

/** The batch that is being filled. */
export interface Filling {
  /** Its rows so far. */
  readonly size: number;
}

/**
 * Decides commands of the actor until the batch has `rowsEnd` rows or more, or it cannot go on. True: the batch has no room
 * for its next request, with which the next batch is to begin.
 */
export type TakeTurn = (actor: Actor, rowsEnd: number) => boolean;

export class Turns {
  readonly #tenants = new Line<Tenant<Actor>>();

  get empty(): boolean {
    return this.#tenants.length === 0;
  }

  /** Queues the actor if its first request can be decided. */
  wake(actor: Actor): void {
    if (actor.queued) return;
    const pending = actor.peek();
    if (!pending?.canBeDecided) return;
    const { tenant } = pending;
    actor.queued = true;
    tenant.ready.push(actor);
    if (tenant.queued) return;
    tenant.queued = true;
    this.#tenants.push(tenant);
  }

  /** Whether about `commands` wait that can go on, or nearly: of an account's waiting commands the first is enough. */
  hasReady(commands: number): boolean {
    let count = 0;
    for (let tenant = this.#tenants.first; tenant !== null; tenant = tenant.nextInLine) {
      for (let actor = tenant.ready.first; actor !== null; actor = actor.nextInLine) {
        count += actor.mailboxLength;
        if (count >= commands) return true;
      }
    }
    return false;
  }

  /** One round: every tenant that was there once. False: the batch is full. */
  round(batch: Filling, rowsMax: number, takeTurn: TakeTurn): boolean {
    for (let left = this.#tenants.length; left > 0; left--) {
      const tenant = this.#tenants.first as Tenant<Actor>;
      const room = rowsMax - batch.size;
      if (room <= 0 || !this.#serve(tenant, batch, batch.size + shareOf(room, left), takeTurn)) return false;
      this.#tenants.shift();
      tenant.queued = tenant.ready.length > 0;
      if (tenant.queued) this.#tenants.push(tenant);
    }
    return true;
  }

  /** A tenant's part of a round. False: the batch has no room for the next request. */
  #serve(tenant: Tenant<Actor>, batch: Filling, rowsEnd: number, takeTurn: TakeTurn): boolean {
    const { ready } = tenant;
    while (ready.length > 0) {
      for (let left = ready.length; left > 0; left--) {
        const actor = ready.first as Actor;
        const room = rowsEnd - batch.size;
        if (room <= 0) return true;
        if (takeTurn(actor, batch.size + shareOf(room, left))) return false;
        ready.shift();
        actor.queued = false;
        this.wake(actor);
      }
    }
    return true;
  }

  /** Empties it. */
  takeAll(): Actor[] {
    const all: Actor[] = [];
    for (let tenant = this.#tenants.shift(); tenant !== null; tenant = this.#tenants.shift()) {
      tenant.queued = false;
      for (let actor = tenant.ready.shift(); actor !== null; actor = tenant.ready.shift()) {
        actor.queued = false;
        all.push(actor);
      }
    }
    return all;
  }
}

function shareOf(room: number, among: number): number {
  return Math.max(1, Math.floor(room / among));
}
