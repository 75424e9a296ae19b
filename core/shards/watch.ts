/**
 * Who shows signs of life. A sign is anything that changes: the moment of the last beat, or the writer's epoch. It is
 * watched by this process's own monotonic clock, so no other clock decides; and only while this process looks by itself:
 * after a gap of its own everybody gets the full time again.
 *
 * Decides availability only: who is wrongly taken for dead is fenced by the epoch, loses nothing, and joins again.
 */
import type { ShardLimits } from './limits.ts';
import type { View } from './store.ts';

export interface Sign {
  readonly writerId: number;
  /** Changes with every sign of life. */
  readonly sign: string;
  /** A process has joined as this writer. */
  readonly joined: boolean;
}

/** Of everybody who is there, writes, or owns something. */
export function signsOf(view: View): readonly Sign[] {
  const epochs = new Map(view.writers.map(({ id, epoch }) => [id, epoch]));
  const members = new Map(view.members.map((member) => [member.writer_id, member]));
  const everybody = new Set([...epochs.keys(), ...members.keys(), ...view.shards.map(([, owner]) => owner)]);
  return [...everybody].map((writerId) => {
    const member = members.get(writerId);
    return {
      writerId,
      sign: `${epochs.get(writerId) ?? 0} ${member?.incarnation ?? 0} ${member?.seen_at ?? ''}`,
      joined: member !== undefined,
    };
  });
}

interface Seen extends Sign {
  readonly sinceMs: number;
}

export class Watch {
  readonly #limits: Pick<ShardLimits, 'deadMs' | 'absentMs' | 'gapMs'>;
  #seen = new Map<number, Seen>();
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(limits: Pick<ShardLimits, 'deadMs' | 'absentMs' | 'gapMs'>) {
    this.#limits = limits;
  }

  /** What was found at `nowMs` of the monotonic clock; whoever is not among it is forgotten. */
  look(signs: readonly Sign[], nowMs: number): void {
    const isGap = nowMs - this.#lookedMs > this.#limits.gapMs;
    this.#lookedMs = nowMs;
    const before = this.#seen;
    this.#seen = new Map(
      signs.map((found) => {
        const known = before.get(found.writerId);
        const isSame = !isGap && known?.sign === found.sign && known.joined === found.joined;
        return [found.writerId, { ...found, sinceMs: isSame ? known.sinceMs : nowMs }];
      }),
    );
  }

  /** A process runs there, as far as anybody can know. */
  isLive(writerId: number): boolean {
    return (this.#seen.get(writerId)?.joined ?? false) && !this.isDead(writerId);
  }

  /** As of the last look. */
  isDead(writerId: number): boolean {
    const seen = this.#seen.get(writerId);
    if (seen === undefined) return false;
    const silentMs = this.#lookedMs - seen.sinceMs;
    return silentMs >= (seen.joined ? this.#limits.deadMs : this.#limits.absentMs);
  }
}
