/**
 * I7 as a check of every row against the log of moves: a writer writes of a shard only while it is its own. Each move says
 * after which batch of the old owner, and of the new one, it happened; a row says its writer and batch. Pure.
 */
import { type AccountId, decodeTransactionId, shards } from '@local-plus/contracts';
import { type CheckResult, type LedgerRow, Violations } from '../../reconcile/checks.ts';
import type { Move } from '../stage/observer.ts';

/** Batches of a writer that may have rows of a shard: after the first number, up to the last. */
interface Stay {
  readonly after: number;
  upTo: number;
}

export class StaysCheck {
  readonly #stays = new Map<string, Stay[]>();
  readonly #check = new Violations('I7 nothing is written by a writer that has been superseded');
  readonly #log = new Violations('I7 each move takes a shard from whoever has it');

  /** @param firstOwners by shard @param moves in the order of shard, version */
  constructor(firstOwners: readonly number[], moves: readonly Move[]) {
    const owners = [...firstOwners];
    for (const [shard, owner] of owners.entries()) this.#begin(shard, owner, 0);
    for (const { shard, version, from, fromBatch, to, toBatch } of moves) {
      this.#log.looked++;
      if (owners[shard] !== from) {
        this.#log.add(`shard ${shard} went from ${from} by its version ${version}, while ${owners[shard]} had it`);
      }
      const stay = this.#stays.get(placeOf(shard, from))?.at(-1);
      if (stay !== undefined) stay.upTo = Math.min(stay.upTo, fromBatch);
      owners[shard] = to;
      this.#begin(shard, to, toBatch);
    }
  }

  add(row: LedgerRow): void {
    this.#check.looked++;
    const decoded = decodeTransactionId(row.transactionId);
    const place = `account ${row.accountId} version ${row.version}`;
    if (decoded === null) {
      this.#check.add(`${place} has no place in the ledger`);
      return;
    }
    const { writerId, batch } = decoded.position;
    const shard = shards.shardOf(row.accountId as AccountId);
    const stays = this.#stays.get(placeOf(shard, writerId)) ?? [];
    if (stays.some(({ after, upTo }) => batch > after && batch <= upTo)) return;
    const known = stays.map(({ after, upTo }) => `${after + 1} to ${upTo}`).join(', ') || 'no batch';
    this.#check.add(`${place} is of writer ${writerId}, batch ${batch}; shard ${shard} was its own from ${known}`);
  }

  results(): CheckResult[] {
    return [this.#check.result(), this.#log.result()];
  }

  #begin(shard: number, owner: number, after: number): void {
    const place = placeOf(shard, owner);
    const stays = this.#stays.get(place) ?? [];
    stays.push({ after, upTo: Number.POSITIVE_INFINITY });
    this.#stays.set(place, stays);
  }
}

const placeOf = (shard: number, writerId: number): string => `${shard} ${writerId}`;
