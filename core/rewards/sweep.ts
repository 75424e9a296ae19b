/**
 * The sweep of redemptions that were left on their way: by a process that died, or while the ledger could not say what became of
 * a step. It decides nothing that a request would not.
 */
import { SettlingSweep, type SettlingSweepPorts } from '../platform/sweeping/index.ts';
import { rewardLimits, rewardSweepLimits } from './limits.ts';
import type { RedemptionProcess } from './process.ts';
import type { RedemptionRow, RedemptionStore } from './redemptions-store.ts';

export interface RedemptionSweepPorts extends Pick<SettlingSweepPorts<RedemptionRow>, 'clock' | 'timer' | 'log'> {
  readonly store: Pick<RedemptionStore, 'open'>;
  readonly process: Pick<RedemptionProcess, 'settle'>;
}

export function redemptionSweep(ports: RedemptionSweepPorts): SettlingSweep<RedemptionRow> {
  const { store, process } = ports;
  return new SettlingSweep<RedemptionRow>({
    ...ports,
    of: 'open redemptions',
    find: (itemsMax) => store.open(itemsMax),
    idOf: ({ id }) => id,
    settle: (row, deadlineMs) => process.settle(row, deadlineMs),
    visitMs: rewardLimits.sweepDeadlineMs,
    limits: rewardSweepLimits,
  });
}
