/**
 * Keeps a server running: one that dies unasked is started again, after a delay that doubles up to a bound. It never
 * gives up while the stack runs, since the reason (memory, a port, a full disk) may pass.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from './errors.ts';
import { limits } from './limits.ts';
import { describeExit } from './processes.ts';
import type { Server } from './server.ts';

export interface SupervisorOptions {
  readonly log: (line: string) => void;
  /** After a successful restart: the pid has changed. */
  readonly onRestart?: () => void;
  /** Before the attempt of this number, from 0, to start it again; see {@link restartDelayMs} when absent. */
  readonly delayMs?: (attempt: number) => number;
}

export interface Supervision {
  /** Ends the watch, then the server, gracefully. */
  stop(): Promise<void>;
}

/** Watches a server that runs now. */
export function supervise(server: Server, options: SupervisorOptions): Supervision {
  const ending = new AbortController();
  const watching = watch(server, options, ending.signal);
  return {
    async stop() {
      ending.abort();
      await server.stop();
      await watching;
      // A restart that was under way when the watch ended may have come up in between.
      await server.stop();
    },
  };
}

async function watch(server: Server, options: SupervisorOptions, ending: AbortSignal): Promise<void> {
  let attempt = 0;
  for (;;) {
    const startedMs = performance.now();
    const exit = await server.exited;
    if (ending.aborted) return;
    if (performance.now() - startedMs > limits.restartForgiveMs) attempt = 0;
    let why = `ended unexpectedly (${describeExit(exit)})`;
    for (;;) {
      const waitMs = (options.delayMs ?? restartDelayMs)(attempt++);
      options.log(`${server.name} ${why}; starting it again in ${waitMs / 1_000} s`);
      if (!(await pause(waitMs, ending))) return;
      try {
        await server.start();
        break;
      } catch (error) {
        if (ending.aborted) return;
        why = `did not start: ${messageOf(error)}`;
      }
    }
    options.log(`${server.name} runs again (process ${server.pid ?? 'gone'})`);
    options.onRestart?.();
  }
}

/** 0.25 s, 0.5 s, 1 s … 10 s. */
export function restartDelayMs(attempt: number): number {
  return Math.min(limits.restartBackoffMinMs * 2 ** Math.min(attempt, 30), limits.restartBackoffMaxMs);
}

/** False when the watch ended meanwhile. */
async function pause(waitMs: number, ending: AbortSignal): Promise<boolean> {
  try {
    await delay(waitMs, undefined, { signal: ending });
    return true;
  } catch (error) {
    if (ending.aborted) return false;
    throw error;
  }
}
