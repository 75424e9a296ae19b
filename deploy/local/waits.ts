/**
 * Bounded waiting. Nothing in the local stack waits without an end, and no wait hides an error.
 */
import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly everyMs: number;
}

/** Polls `check` until it answers true; answers false when the time is over. What `check` throws is thrown on. */
export async function waitUntil(check: () => boolean | Promise<boolean>, options: WaitOptions): Promise<boolean> {
  const deadlineMs = performance.now() + options.timeoutMs;
  for (;;) {
    if (await check()) return true;
    if (performance.now() >= deadlineMs) return false;
    await delay(options.everyMs);
  }
}

/** The value of `promise`, or `'timeout'` when it takes longer. The promise itself goes on. */
export async function within<Value>(promise: Promise<Value>, timeoutMs: number): Promise<Value | 'timeout'> {
  const cancel = new AbortController();
  const timer = delay(timeoutMs, 'timeout' as const, { signal: cancel.signal }).catch(() => 'timeout' as const);
  try {
    return await Promise.race([promise, timer]);
  } finally {
    cancel.abort();
  }
}
