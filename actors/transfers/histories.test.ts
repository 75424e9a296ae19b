/**
 * Hostile histories of transfers between two lanes, each from a seed: processes and lanes die, replies and commits are lost,
 * owners are away and change, accounts freeze, clients retry impatiently and send twice. I1 and T3 are looked at after
 * every commit, T5 at every close; in the end everything has settled, and is as the clients were told.
 *
 * SEED=<the seed in the test's name> begins there; HISTORIES=<how many>.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AccountId } from '@local-plus/contracts';
import { arrivalKey, type Outcome, returnKey, type TransferRequest } from '../index.ts';
import { Random } from '../simulator/random.ts';
import { type Cut, keyOf, type Process, type Step, TwoLanes } from './test/two-lanes.ts';

const HISTORIES = Number(process.env['HISTORIES'] ?? 15);
const TRANSFERS = 40;
const EVENTS = 40;
const firstSeed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const steps: readonly Step[] = ['departure', 'arrival', 'return', 'close'];
const cuts: readonly Cut[] = ['lost before', 'lost after', 'killed before', 'killed after'];

interface Told {
  readonly request: TransferRequest;
  readonly outcome: Outcome;
}

class TransferHistory {
  readonly lanes = new TwoLanes();
  readonly #random: Random;
  readonly #sweeps: Process['sweep'][] = [];
  readonly #accounts: AccountId[] = [];
  readonly #frozen = new Set<AccountId>();
  #isHealed = false;

  constructor(seed: number) {
    this.#random = new Random(seed, 1);
  }

  async run(): Promise<readonly Told[]> {
    const { lanes } = this;
    await lanes.start();
    for (let count = 0; count < 6; count++) this.#accounts.push(await lanes.account(count < 3 ? 1 : 2, 200));
    lanes.onCommit = () => {
      if (this.#isHealed || !this.#random.chance(0.05)) return null;
      return this.#random.chance(0.5) ? 'lost before' : 'lost after';
    };
    const clients: Promise<Told>[] = [];
    for (let count = 0; count < TRANSFERS; count++) clients.push(...this.#clients());
    this.#sweepAnew();
    for (let event = 0; event < EVENTS; event++) {
      await lanes.idle(100 * this.#random.between(1, 4));
      await this.#disturb();
    }
    this.#isHealed = true;
    lanes.away.clear();
    this.#sweepAnew();
    // Longer than anything is set aside for.
    await lanes.idle(70_000);
    const told = await lanes.until(Promise.all(clients));
    // Not waited for: dead ones never stop.
    for (const sweep of this.#sweeps) void sweep.stop();
    return told;
  }

  /** One, or two who send the same. */
  #clients(): Promise<Told>[] {
    const from = this.#random.pick(this.#accounts);
    const to = this.#random.pick(this.#accounts.filter((other) => other !== from));
    const request = this.lanes.request(from, to, this.#random.between(1, 90));
    const afterMs = this.#random.below(EVENTS * 200);
    return Array.from({ length: this.#random.chance(0.2) ? 2 : 1 }, () => this.#client(request, afterMs));
  }

  /** Retries until it is told the end; whoever is silent for long is given up. */
  async #client(request: TransferRequest, afterMs: number): Promise<Told> {
    const { lanes } = this;
    await lanes.sleep(afterMs);
    for (let attempt = 0; attempt < 1_000; attempt++) {
      const { transfers } = lanes.process(this.#fate());
      const waitMs = this.#random.between(100, 1_500);
      const outcome = await Promise.race([
        transfers.transfer({ ...request, deadlineMs: lanes.monotonicMs + waitMs }),
        lanes.sleep(waitMs * 2),
      ]);
      if (outcome?.type === 'posted' || outcome?.type === 'refused') return { request, outcome };
      const type = outcome?.type ?? 'unavailable';
      assert.ok(['unavailable', 'overloaded', 'expired'].includes(type), `unexpected ${type}`);
      await lanes.sleep(this.#random.between(10, 500));
    }
    return assert.fail('it was never told');
  }

  #fate(): { at: Step; cut: Cut } | null {
    if (this.#isHealed || this.#random.chance(0.4)) return null;
    return { at: this.#random.pick(steps), cut: this.#random.pick(cuts) };
  }

  async #disturb(): Promise<void> {
    const { lanes } = this;
    const random = this.#random;
    const lane = random.pick([1, 2] as const);
    switch (random.below(7)) {
      case 0:
        return lanes.until(lanes.restart(lane));
      case 1:
        return lanes.until(lanes.reshard(random.chance(0.3)));
      case 2:
        lanes.away.add(lane);
        return;
      case 3:
        lanes.away.clear();
        return;
      case 4:
        return this.#sweepAnew();
      case 5:
      case 6:
        return this.#freezeOrThaw(random.pick(this.#accounts));
    }
  }

  async #freezeOrThaw(accountId: AccountId): Promise<void> {
    const { lanes } = this;
    const kind = this.#frozen.has(accountId) ? 'unfreeze' : 'freeze';
    const command = { kind, reason: 'why', programId: lanes.programId } as const;
    const outcome = await lanes.until(lanes.submit({ ...lanes.asked(accountId), command }));
    if (outcome.type !== 'posted') return;
    if (kind === 'freeze') this.#frozen.add(accountId);
    else this.#frozen.delete(accountId);
  }

  /** Another process sweeps, too; it may die as well. */
  #sweepAnew(): void {
    const { sweep } = this.lanes.process(this.#fate());
    this.#sweeps.push(sweep);
    sweep.start();
  }
}

/** What the ledger has of a transfer is what its client was told. */
function assertAsTold(lanes: TwoLanes, { request, outcome }: Told): void {
  const { facts, to } = request;
  const key = keyOf(request);
  const kindsOf = (accountId: AccountId, wanted: string) =>
    lanes
      .rows(accountId)
      .filter((row) => row.facts.idempotencyKey === wanted)
      .map(({ posting }) => `${posting.kind} ${posting.amount}`);
  const found = [
    ...kindsOf(facts.accountId, key),
    ...kindsOf(to, arrivalKey(facts.accountId, key)),
    ...kindsOf(facts.accountId, returnKey(key)),
  ];
  const { amount } = request;
  if (outcome.type === 'posted') assert.deepEqual(found, [`transfer_out ${amount}`, `transfer_in ${amount}`]);
  else if (found.length > 0) assert.deepEqual(found, [`transfer_out ${amount}`, `reverse ${amount}`]);
}

/** @param seen is counted up by what came of the transfers */
async function judge(seed: number, seen: { posted: number; refused: number; returned: number }): Promise<void> {
  const history = new TransferHistory(seed);
  const told = await history.run();
  history.lanes.assertSettled();
  for (const one of told) {
    assertAsTold(history.lanes, one);
    const { request, outcome } = one;
    if (outcome.type === 'posted' || outcome.type === 'refused') seen[outcome.type]++;
    const rows = history.lanes.rows(request.facts.accountId);
    if (rows.some((row) => row.facts.idempotencyKey === returnKey(keyOf(request)))) seen.returned++;
  }
}

describe('hostile histories of transfers', () => {
  it(`${HISTORIES} of them settle, as their clients were told (SEED=${firstSeed})`, async () => {
    const seen = { posted: 0, refused: 0, returned: 0 };
    for (let seed = firstSeed; seed < firstSeed + HISTORIES; seed++) {
      await judge(seed, seen).catch((cause: unknown) => {
        throw new Error(`SEED=${seed}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
      });
    }
    for (const [what, count] of Object.entries(seen)) assert.ok(count > HISTORIES, `${count} were ${what}`);
  });
});
