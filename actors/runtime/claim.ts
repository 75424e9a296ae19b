/** Takes a writer over. */
import type { LedgerStore, Log, Timer, WriterPosition } from '../ports.ts';
import type { RuntimeLimits } from './limits.ts';

export interface ClaimPorts {
  readonly store: LedgerStore;
  readonly timer: Timer;
  readonly log: Log;
  readonly limits: Pick<RuntimeLimits, 'backoffMs' | 'backoffMsMax'>;
  readonly writerId: number;
}

/** Tries, paced, until it succeeds or is told to stop: then `claimed` is called, with null. */
export function claim(
  ports: ClaimPorts,
  isStopped: () => boolean,
  claimed: (position: WriterPosition | null) => void,
  backoffMs: number = ports.limits.backoffMs,
): void {
  if (isStopped()) return claimed(null);
  const { store, writerId, log, timer, limits } = ports;
  store.claim(writerId).then(
    (position) => {
      log.info('writer claimed', { writerId, ...position });
      claimed(position);
    },
    (cause) => {
      log.warn('the writer is not claimed yet', { writerId, cause: String(cause) });
      store.reset('writes').then(() => {
        timer.after(backoffMs, () => claim(ports, isStopped, claimed, Math.min(backoffMs * 2, limits.backoffMsMax)));
      });
    },
  );
}
