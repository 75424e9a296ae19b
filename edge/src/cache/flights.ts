/**
 * Single flight: of many requests that want the same thing, one fetches it and the others wait for what it finds.
 *
 * F1  Values cross from one request to another, promises never do. On Workers a promise belongs to the request that made
 *     it: what another awaits of it is continued through the maker's context, and dropped if that has ended
 *     (https://developers.cloudflare.com/workers/observability/errors/). So a follower looks, on a timer of its own, at
 *     the plain object that the leader fills in. It looks often at first, and then whenever a quarter of the time that it
 *     has waited has passed again: it learns of it at most a quarter later, and a long wait costs few looks.
 * F2  One leader per key. A flight that has not landed after `flightMs` is lost (its request died); the next caller leads.
 * F3  Bounded: flights, and followers of one flight. One more is turned away.
 * F4  The leader's work must be its request's own (`waitUntil`), so that it outlives an answer that does not wait.
 *
 * Must not know: what is fetched.
 */
export interface FlightBounds {
  readonly flightMs: number;
  readonly flightsMax: number;
  readonly followersMax: number;
}

interface Flight<Value> {
  readonly startedAtMs: number;
  followers: number;
  /** Its leader has said what was found, or that nothing was. */
  isOver: boolean;
  landed: { readonly value: Value } | null;
}

export type Boarding<Value> =
  /** Fetch it, and say what was found; say null when nothing was. */
  | { readonly role: 'leader'; readonly land: (value: Value | null) => void }
  /** `wait` resolves to null when the flight is lost, or `budgetMs` have passed. */
  | { readonly role: 'follower'; readonly wait: (budgetMs: number) => Promise<Value | null> }
  | { readonly role: 'turned away' };

const FIRST_LOOK_MS = 1;
const LOOK_AGAIN_AFTER = 0.25;

export class Flights<Value> {
  readonly #bounds: FlightBounds;
  readonly #flights = new Map<string, Flight<Value>>();

  constructor(bounds: FlightBounds) {
    this.#bounds = bounds;
  }

  /** Flights under way, lost ones among them until somebody notices. */
  get size(): number {
    return this.#flights.size;
  }

  isUnderWay(key: string, steadyMs: number): boolean {
    const flight = this.#flights.get(key);
    return flight !== undefined && steadyMs - flight.startedAtMs < this.#bounds.flightMs;
  }

  board(key: string, steadyMs: number): Boarding<Value> {
    const flight = this.isUnderWay(key, steadyMs) ? this.#flights.get(key) : undefined;
    if (flight === undefined) return this.lead(key, steadyMs);
    if (flight.followers >= this.#bounds.followersMax) return { role: 'turned away' };
    return { role: 'follower', wait: (budgetMs) => follow(flight, budgetMs) };
  }

  /** Begins a flight whatever is under way; who follows the other one goes on doing so. */
  lead(key: string, steadyMs: number): Exclude<Boarding<Value>, { role: 'follower' }> {
    this.#flights.delete(key);
    if (this.#flights.size >= this.#bounds.flightsMax) this.#dropLost(steadyMs);
    if (this.#flights.size >= this.#bounds.flightsMax) return { role: 'turned away' };
    const flight: Flight<Value> = { startedAtMs: steadyMs, followers: 0, isOver: false, landed: null };
    this.#flights.set(key, flight);
    const land = (value: Value | null): void => {
      if (value !== null) flight.landed = { value };
      flight.isOver = true;
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    return { role: 'leader', land };
  }

  #dropLost(steadyMs: number): void {
    for (const key of [...this.#flights.keys()]) {
      if (!this.isUnderWay(key, steadyMs)) this.#flights.delete(key);
    }
  }
}

async function follow<Value>(flight: Flight<Value>, budgetMs: number): Promise<Value | null> {
  flight.followers++;
  await untilOver(flight, budgetMs);
  flight.followers--;
  return flight.landed?.value ?? null;
}

/** Waits as F1 says, for `budgetMs` at most, until another request has set `isOver`. */
export async function untilOver(flight: { readonly isOver: boolean }, budgetMs: number): Promise<void> {
  let waitedMs = 0;
  while (!flight.isOver && waitedMs < budgetMs) {
    const lookMs = Math.min(Math.max(FIRST_LOOK_MS, waitedMs * LOOK_AGAIN_AFTER), budgetMs - waitedMs);
    await new Promise<void>((resolve) => setTimeout(resolve, lookMs));
    waitedMs += lookMs;
  }
}
