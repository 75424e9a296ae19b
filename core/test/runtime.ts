/** The runtime for tests: on the store that the test has, with the real clock unless it brings one. */
import { type LedgerStore, Runtime, type RuntimePorts } from '@local-plus/actors';
import { sha256Hex } from '../platform/digest/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { quiet } from './log.ts';

/** @param ports takes the place of what a test does not care about */
export function runtimeOn(
  store: LedgerStore,
  writerId: number,
  ports: Partial<Omit<RuntimePorts, 'store' | 'writerId'>> = {},
): Runtime {
  const usual = { clock: systemClock, timer: systemTimer, log: quiet, digest: sha256Hex };
  return new Runtime({ ...usual, ...ports, store, writerId });
}
