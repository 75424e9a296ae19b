/**
 * Brings what is known of wallets up to the ledger: reads their rows, counts, and writes down what became of it, with an event
 * for each change. Whoever does it, and however often, comes to the same.
 */
import type { AccountId, ProgramId, RequestId, tiers as wire } from '@local-plus/contracts';
import { topics, uuidV7 } from '@local-plus/contracts';
import type { Earner } from '../ledger/index.ts';
import { newEvent } from '../outbox/index.ts';
import { ProblemError } from '../platform/http/index.ts';
import { advance, type Change, type CountedRow, newState, type Scheme, type TierState } from './domain.ts';
import { tierLimits } from './limits.ts';
import type { Schemes } from './schemes.ts';
import type { Moved, TierStore, WalletTierRow } from './store.ts';

/** The ledger's rows of accounts. */
export interface EarnedRows {
  rowsAfter(
    places: readonly { readonly accountId: AccountId; readonly version: number }[],
    rowsMax: number,
  ): Promise<ReadonlyMap<AccountId, readonly CountedRow[]>>;
}

export interface CountingPorts {
  readonly store: Pick<TierStore, 'versions' | 'states' | 'write' | 'writeChange'>;
  readonly earnings: EarnedRows;
  readonly schemes: Schemes;
  readonly nowMs: () => number;
}

/** Another process follows the ledger now, or was there first: what was to be written is found again, by whoever follows. */
export class Superseded extends Error {
  override readonly name = 'Superseded';
}

interface Step extends Moved {
  readonly change: Change | null;
  /** There may be more to take. */
  readonly isBehind: boolean;
}

/** The newest tiers of each. */
type Versions = ReadonlyMap<ProgramId, number>;

export class Counting {
  readonly #ports: CountingPorts;

  constructor(ports: CountingPorts) {
    this.#ports = ports;
  }

  /**
   * All of them, those of programs without tiers left out: which these are is asked here, after the wallets' rows were read.
   *
   * @param goOn asked before each statement; false: not all were brought up, and false is returned
   * @throws Superseded
   */
  async bring(earners: readonly Earner[], epoch: number, goOn: () => boolean): Promise<boolean> {
    if (earners.length === 0) return true;
    const versions = await this.#ports.store.versions([...new Set(earners.map(({ programId }) => programId))]);
    let waiting = earners.filter(({ programId }) => versions.has(programId));
    while (waiting.length > 0) {
      if (!goOn()) return false;
      const steps = await this.#steps(waiting.slice(0, tierLimits.walletsMax), versions);
      const behind = steps.filter(({ isBehind }) => isBehind).map(({ after }) => after);
      const staying = steps.filter(({ change, before, after }) => change === null && isNews(before, after));
      if (staying.length > 0 && !(await this.#ports.store.write(staying, epoch))) throw new Superseded('not written');
      for (const step of steps) {
        if (step.change === null) continue;
        if (!goOn()) return false;
        await this.#writeChange(step, step.change, epoch);
      }
      waiting = [...behind, ...waiting.slice(tierLimits.walletsMax)];
    }
    return true;
  }

  /** As of all that is committed, without writing it down. Throws `unavailable` when that is too far ahead of what is written. */
  async read(earner: Earner, version: number): Promise<{ readonly state: TierState; readonly scheme: Scheme }> {
    const { store, schemes, earnings, nowMs } = this.#ports;
    const { accountId, programId } = earner;
    const scheme = await schemes.find(programId, version);
    let state: TierState = (await store.states([accountId])).get(accountId) ?? newState(scheme);
    for (let page = 0; page < tierLimits.answerPagesMax; page++) {
      const place = { accountId, version: state.version };
      const rows = (await earnings.rowsAfter([place], tierLimits.walletRowsMax)).get(accountId) ?? [];
      const isWhole = rows.length < tierLimits.walletRowsMax;
      let next = advance(state, scheme, rows, isWhole, nowMs());
      while (next.change !== null) next = advance(next.state, scheme, after(rows, next.state), isWhole, nowMs());
      state = next.state;
      if (isWhole) return { state, scheme };
    }
    throw new ProblemError('unavailable', { detail: 'What the wallet earned is still being counted.' });
  }

  async #steps(earners: readonly Earner[], versions: Versions): Promise<readonly Step[]> {
    const { store, earnings, schemes, nowMs } = this.#ports;
    const states = await store.states(earners.map(({ accountId }) => accountId));
    const places = earners.map(({ accountId }) => ({ accountId, version: states.get(accountId)?.version ?? 0 }));
    const rows = await earnings.rowsAfter(places, tierLimits.walletRowsMax);
    return Promise.all(
      earners.map(async ({ accountId, programId }): Promise<Step> => {
        const scheme = await schemes.find(programId, versions.get(programId) ?? 0);
        const before = states.get(accountId) ?? null;
        const found = rows.get(accountId) ?? [];
        const isWhole = found.length < tierLimits.walletRowsMax;
        const { state, change } = advance(before ?? newState(scheme), scheme, found, isWhole, nowMs());
        const moved = { before, after: { ...state, accountId, programId }, change };
        return { ...moved, isBehind: change !== null || !isWhole };
      }),
    );
  }

  async #writeChange(moved: Moved, change: Change, epoch: number): Promise<void> {
    const nowMs = this.#ports.nowMs();
    const { accountId, programId } = moved.after;
    const data: wire.TierChanged = { wallet_id: accountId, program_id: programId, ...changeJson(moved.after, change) };
    const event = newEvent(
      {
        topic: topics.loyaltyTierChanged,
        aggregateType: 'wallet',
        aggregateId: accountId,
        type: 'loyalty.tier.changed',
        schemaVersion: 1,
        requestId: change.requestId ?? uuidV7<RequestId>(nowMs),
        traceparent: null,
        data,
      },
      nowMs,
    );
    if (!(await this.#ports.store.writeChange(moved, change, event, epoch))) throw new Superseded('not written');
  }
}

function after(rows: readonly CountedRow[], { version }: TierState): readonly CountedRow[] {
  return rows.filter((row) => row.version > version);
}

function isNews(before: TierState | null, now: TierState): boolean {
  return before === null || before.version !== now.version || before.schemeVersion !== now.schemeVersion;
}

function changeJson(state: WalletTierRow, change: Change): wire.TierChange {
  const { place, from, to, direction, cause, points, atMs } = change;
  const at = new Date(atMs).toISOString();
  return { place, from_tier: from, to_tier: to, direction, cause, points, tiers_version: state.schemeVersion, at };
}
