/**
 * The processes of each of the ledger's databases, as this one sees them: its own group by the keeper, which is one of it,
 * the others by a neighbour each. Where there is one database, there is one group.
 */
import type { Clock, Log, Timer } from '@local-plus/actors';
import type { LedgerDatabase } from '../ledger/index.ts';
import type { Keeper } from './keeper.ts';
import type { ShardLimits } from './limits.ts';
import { Listener } from './listener.ts';
import type { ShardMap } from './map.ts';
import { Neighbour } from './neighbour.ts';
import { channel, ShardStore, type View } from './store.ts';

export interface Group {
  readonly databaseId: number;
  readonly store: Pick<ShardStore, 'view' | 'wanted' | 'wish'>;
  /** As it was seen last; null: never yet. */
  readonly view: View | null;
  /** As far as this process sees. */
  isLive(writerId: number): boolean;
}

export interface GroupsPorts {
  readonly map: ShardMap;
  readonly keeper: Keeper;
  readonly databases: readonly LedgerDatabase[];
  readonly own: LedgerDatabase;
  readonly ownStore: ShardStore;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly log: Log;
  readonly limits: ShardLimits;
  /** The map or the members have changed. */
  readonly changed: () => void;
}

export class Groups {
  readonly #keeper: Keeper;
  readonly #listeners: readonly Listener[];
  readonly neighbours: readonly Neighbour[];
  /** The own one first. */
  readonly all: readonly Group[];

  constructor(ports: GroupsPorts) {
    const { keeper, databases, own, ownStore, timer, log } = ports;
    this.#keeper = keeper;
    const others = databases
      .filter(({ id }) => id !== own.id)
      .map(({ id, url, pool }) => {
        const neighbour = new Neighbour({ ...ports, databaseId: id, store: new ShardStore(pool) });
        return { url, neighbour };
      });
    this.neighbours = others.map(({ neighbour }) => neighbour);
    this.all = [ownGroup(own.id, keeper, ownStore), ...this.neighbours];
    const listen = (databaseUrl: string, heard: () => void) =>
      new Listener({ databaseUrl, channel, heard, timer, log });
    this.#listeners = [
      listen(own.url, () => keeper.poke()),
      ...others.map(({ url, neighbour }) => listen(url, () => neighbour.poke())),
    ];
  }

  /** null: nobody knows where that process is reached. */
  addressOf(writerId: number): string | null {
    for (const { view } of this.all) {
      const member = view?.members.find((each) => each.writer_id === writerId);
      if (member !== undefined) return member.address;
    }
    return null;
  }

  /** The database in which this writer has committed; null: not known of any. */
  seenIn(writerId: number): number | null {
    const has = ({ view }: Group) => view?.writers.some(({ id, batch }) => id === writerId && batch > 0) ?? false;
    return this.all.find(has)?.databaseId ?? null;
  }

  /** Returns at once. The keeper joins by itself. */
  start(): void {
    for (const listener of this.#listeners) listener.start();
    for (const neighbour of this.neighbours) neighbour.start();
  }

  /** The map may be old. */
  poke(): void {
    this.#keeper.poke();
    for (const neighbour of this.neighbours) neighbour.poke();
  }

  async stop(): Promise<void> {
    for (const neighbour of this.neighbours) neighbour.stop();
    await Promise.all(this.#listeners.map((listener) => listener.stop()));
  }
}

function ownGroup(databaseId: number, keeper: Keeper, store: ShardStore): Group {
  return {
    databaseId,
    store,
    get view() {
      return keeper.view;
    },
    isLive: (writerId) => keeper.isLive(writerId),
  };
}
