/**
 * Which shard is whose, as far as this process knows, and what it serves itself. No suspension in here: what a request finds
 * holds until it has been handed to the runtime.
 *
 * - S1 a shard leaves a writer by that writer itself, once it has come to rest, or together with a raise of the writer's
 *   epoch. So while the epoch is its own, what a process knows to own is its own.
 * - S2 per shard only a higher version counts: knowledge may come late, twice, and in any order.
 * - S3 what a process takes for its own it has read in the table, after its own claim: hearsay says only who else has it.
 */
import { shards as contract } from '@local-plus/contracts';

/** `here`: served; `leaving`: ours, and nothing of it is accepted; `away`: another's, or nobody knows. */
export type Standing = 'here' | 'leaving' | 'away';

export class ShardMap {
  readonly writerId: number;
  readonly #owners: number[] = Array.from({ length: contract.shardCount }, () => -1);
  readonly #versions: number[] = Array.from({ length: contract.shardCount }, () => 0);
  readonly #standings: Standing[] = Array.from({ length: contract.shardCount }, () => 'away');
  #here = 0;
  /** Every shard is served here. */
  ownsAll = false;

  constructor(writerId: number) {
    this.writerId = writerId;
  }

  get owners(): readonly number[] {
    return this.#owners;
  }

  /** −1: not known. */
  owner(shard: number): number {
    return this.#owners[shard] as number;
  }

  version(shard: number): number {
    return this.#versions[shard] as number;
  }

  standing(shard: number): Standing {
    return this.#standings[shard] as Standing;
  }

  get here(): readonly number[] {
    return this.#owners.flatMap((_, shard) => (this.#standings[shard] === 'here' ? [shard] : []));
  }

  get countHere(): number {
    return this.#here;
  }

  /** S2, S3: of the table, read after the claim. False: it was known, or is older than what is known. */
  learn(shard: number, owner: number, version: number): boolean {
    if (version <= (this.#versions[shard] ?? Number.POSITIVE_INFINITY)) return false;
    this.#owners[shard] = owner;
    this.#versions[shard] = version;
    this.#stand(shard, owner === this.writerId ? 'here' : 'away');
    return true;
  }

  /** S3: what another process says. False: it is no news, or it is that this one owns it, which the table has to say. */
  hear(shard: number, owner: number, version: number): boolean {
    return owner !== this.writerId && this.learn(shard, owner, version);
  }

  /** From here on nothing of these shards is accepted. */
  leave(shards: readonly number[]): void {
    for (const shard of shards) if (this.#standings[shard] === 'here') this.#stand(shard, 'leaving');
  }

  /** It was not handed over after all, and never will be by what was tried. */
  stay(shard: number): void {
    if (this.#standings[shard] === 'leaving') this.#stand(shard, 'here');
  }

  #stand(shard: number, standing: Standing): void {
    if (this.#standings[shard] === 'here') this.#here--;
    if (standing === 'here') this.#here++;
    this.#standings[shard] = standing;
    this.ownsAll = this.#here === contract.shardCount;
  }
}
