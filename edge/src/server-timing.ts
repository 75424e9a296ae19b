/**
 * `Server-Timing` (https://www.w3.org/TR/server-timing/): where an answer's time went, in milliseconds.
 *
 * `origin` is what the request waited for core's answer to begin; `edge` everything else up to the answer's head, look-ups
 * of keys and counters among it. Coarse on Workers, whose clock stands still but for I/O: computing costs no time there.
 */
import type { Answer, Exchange } from './exchange.ts';

export function serverTiming(exchange: Exchange, answer: Answer, steadyMs: number): string {
  const { originMs } = exchange;
  const edgeMs = Math.max(0, steadyMs - exchange.startedAtMs - originMs);
  let metrics = `edge;dur=${edgeMs}`;
  if (originMs > 0) metrics += `, origin;dur=${originMs}`;
  const cacheStatus = answer.headers['cache-status'];
  if (cacheStatus !== undefined) metrics += `, cache;desc=${cacheStatus.includes('; hit') ? 'hit' : 'miss'}`;
  return metrics;
}
