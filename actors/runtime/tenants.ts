/**
 * Who shares the lane, and how much of what waits is each one's. A tenant is a name: whoever submits says which.
 *
 * Bounded: a tenant of whom nothing waits makes room. Where all have something, newcomers share one account of what waits:
 * a flood of names makes it stricter for newcomers, never generous.
 */
import { Line, type Linked } from './line.ts';

export class Tenant<Member extends Linked<Member>> implements Linked<Tenant<Member>> {
  /** Rows of its requests that are accepted and not answered. */
  rowsWaiting = 0;
  /** Those of its actors that can go on, in the order in which they became able to. */
  readonly ready = new Line<Member>();
  nextInLine: Tenant<Member> | null = null;
  /** It stands in the line of those who can go on. */
  queued = false;
  /** Rows that were refused and are expected back, as of `returningMs`: what Retry-After spreads. */
  returning = 0;
  returningMs = 0;
  /** How many of a statement's places it got; of use while one is filled. */
  places = 0;
}

/** How many old tenants are looked at for an idle one before newcomers share. */
const EVICTION_LOOKS_MAX = 64;

export class Tenants<Member extends Linked<Member>> {
  readonly #tenants = new Map<string, Tenant<Member>>();
  readonly #newcomers = new Tenant<Member>();
  readonly #tenantsMax: number;
  #activeCount = 0;
  /** Of all of them. */
  rowsWaiting = 0;

  constructor(tenantsMax: number) {
    this.#tenantsMax = tenantsMax;
  }

  /** Those of whom something waits. */
  get activeCount(): number {
    return this.#activeCount;
  }

  get size(): number {
    return this.#tenants.size;
  }

  find(name: string): Tenant<Member> | undefined {
    return this.#tenants.get(name);
  }

  /** Made when there is none. */
  of(name: string): Tenant<Member> {
    const known = this.#tenants.get(name);
    if (known !== undefined) return known;
    if (this.#tenants.size >= this.#tenantsMax && !this.#evictOne()) return this.#newcomers;
    const tenant = new Tenant<Member>();
    this.#tenants.set(name, tenant);
    return tenant;
  }

  entered(tenant: Tenant<Member>, rows: number): void {
    if (tenant.rowsWaiting === 0) this.#activeCount++;
    tenant.rowsWaiting += rows;
    this.rowsWaiting += rows;
  }

  left(tenant: Tenant<Member>, rows: number): void {
    tenant.rowsWaiting -= rows;
    this.rowsWaiting -= rows;
    if (tenant.rowsWaiting === 0) this.#activeCount--;
  }

  /** Whoever is looked at and busy goes to the end, so that the next look finds others. */
  #evictOne(): boolean {
    let looks = 0;
    for (const [name, tenant] of this.#tenants) {
      this.#tenants.delete(name);
      // Answered requests may still stand in a mailbox, to be passed over.
      if (tenant.rowsWaiting === 0 && !tenant.queued) return true;
      this.#tenants.set(name, tenant);
      if (++looks >= EVICTION_LOOKS_MAX) return false;
    }
    return false;
  }
}

/**
 * Takes out of `items` what the next statement asks: all of them when they fit, else of every tenant as many as of the
 * others, each tenant's in the order of arrival; places that are left over go by arrival.
 */
export function takeFairly<Member extends Linked<Member>, Item>(
  items: Item[],
  placesMax: number,
  tenantOf: (item: Item) => Tenant<Member> | null,
): Item[] {
  if (items.length <= placesMax) return items.splice(0);
  const nobody = new Tenant<Member>();
  const tenants = new Set<Tenant<Member>>();
  for (const item of items) {
    const tenant = tenantOf(item) ?? nobody;
    tenant.places = 0;
    tenants.add(tenant);
  }
  const share = Math.max(1, Math.floor(placesMax / tenants.size));
  const taken: Item[] = [];
  const left: Item[] = [];
  for (const item of items) {
    const tenant = tenantOf(item) ?? nobody;
    if (taken.length < placesMax && tenant.places < share) {
      tenant.places++;
      taken.push(item);
    } else {
      left.push(item);
    }
  }
  taken.push(...left.splice(0, placesMax - taken.length));
  items.length = 0;
  for (const item of left) items.push(item);
  return taken;
}
