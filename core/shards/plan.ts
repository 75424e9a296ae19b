/**
 * Who should own what: as even as it can be, with the fewest moves from what is. Pure, and the same for everybody who sees
 * the same: so processes need not talk about it. Where they see differently for a moment, nothing breaks: each moves only
 * what is its own, or a dead one's.
 */

/**
 * @param writers those that take part, each once, in any order
 * @param owners by shard: its owner, who may be none of them
 * @returns by shard: the owner to be; `owners` itself when nobody takes part
 */
export function planShards(writers: readonly number[], owners: readonly number[]): readonly number[] {
  if (writers.length === 0) return owners;
  const held = new Map(writers.map((writer) => [writer, 0]));
  for (const owner of owners) {
    const count = held.get(owner);
    if (count !== undefined) held.set(owner, count + 1);
  }
  // Whoever has most keeps the odd ones: so the fewest move.
  const ranked = [...held].sort(([a, countA], [b, countB]) => countB - countA || a - b);
  const share = Math.floor(owners.length / writers.length);
  const odd = owners.length % writers.length;
  const room = new Map(ranked.map(([writer], rank) => [writer, share + (rank < odd ? 1 : 0)]));
  const plan: (number | null)[] = owners.map((owner) => (take(room, owner) ? owner : null));
  const takers = writers.toSorted((a, b) => a - b);
  let next = 0;
  return plan.map((owner) => {
    if (owner !== null) return owner;
    while (!take(room, takers[next] as number)) next++;
    return takers[next] as number;
  });
}

function take(room: Map<number, number>, writer: number): boolean {
  const left = room.get(writer) ?? 0;
  if (left > 0) room.set(writer, left - 1);
  return left > 0;
}
