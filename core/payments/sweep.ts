/**
 * The sweep of payments and refunds that were left on their way, and of payments whose time is over. It decides nothing that a
 * request would not: the process managers do, from the rows.
 */
import { SettlingSweep, type SettlingSweepPorts } from '../platform/sweeping/index.ts';
import { paymentLimits, paymentSweepLimits } from './limits.ts';
import type { PaymentProcess } from './process.ts';
import type { RefundProcess } from './refunds.ts';
import type { RefundRow, RefundStore } from './refunds-store.ts';
import type { PaymentRow, PaymentStore } from './store.ts';

export interface PaymentSweepPorts extends Pick<SettlingSweepPorts<Item>, 'clock' | 'timer' | 'log'> {
  readonly store: Pick<PaymentStore, 'due'>;
  readonly refunds: Pick<RefundStore, 'due'>;
  readonly process: Pick<PaymentProcess, 'settle' | 'abandon'>;
  readonly refunding: Pick<RefundProcess, 'settle'>;
}

type Item =
  | { readonly type: 'payment'; readonly row: PaymentRow }
  | { readonly type: 'refund'; readonly row: RefundRow };

export type PaymentSweep = SettlingSweep<Item>;

export function paymentSweep(ports: PaymentSweepPorts): PaymentSweep {
  return new SettlingSweep<Item>({
    ...ports,
    of: 'open payments',
    find: (itemsMax) => find(ports, itemsMax),
    idOf: ({ row }) => row.id,
    settle: (item, deadlineMs) => settle(ports, item, deadlineMs),
    visitMs: paymentLimits.sweepDeadlineMs,
    limits: paymentSweepLimits,
  });
}

async function find({ store, refunds }: PaymentSweepPorts, itemsMax: number): Promise<readonly Item[]> {
  const [open, pending] = await Promise.all([store.due(itemsMax), refunds.due(itemsMax)]);
  // In turns, so that many of the one do not keep the other waiting.
  const items: Item[] = [];
  for (let place = 0; place < Math.max(open.length, pending.length); place++) {
    const [payment, refund] = [open[place], pending[place]];
    if (payment !== undefined) items.push({ type: 'payment', row: payment });
    if (refund !== undefined) items.push({ type: 'refund', row: refund });
  }
  return items;
}

async function settle({ process, refunding }: PaymentSweepPorts, item: Item, deadlineMs: number): Promise<void> {
  if (item.type === 'refund') {
    await refunding.settle(item.row, deadlineMs);
    return;
  }
  // It rests, and is due: its time is over.
  const row = item.row.status === 'held' ? await process.abandon(item.row, null) : item.row;
  await process.settle(row, deadlineMs);
}
