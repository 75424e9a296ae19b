/**
 * kafkajs' log, in ours. The client reports every attempt as an error with a stack; what an attempt's failure means is
 * the caller's to say, so each line arrives as a warning, without its stack, and repetitions are counted, not written.
 */
import type { Log } from '@local-plus/actors';
import type { LogEntry, logLevel } from 'kafkajs';
import { kafkaLimits } from './limits.ts';

interface Repetition {
  sinceMs: number;
  repeated: number;
}

/** Known and wanted: a send's retries are bounded because a producer in doubt is replaced (see producer.ts). */
const EXPECTED = 'Limiting retries for the idempotent producer may invalidate EoS guarantees';

/** For the option `logCreator`. @param monotonicMs paces the repetitions */
export function kafkaLog(log: Log, monotonicMs: () => number): (level: logLevel) => (entry: LogEntry) => void {
  const lines = new Map<string, Repetition>();
  return () => (entry) => {
    const { message, broker, error } = entry.log;
    if (message === EXPECTED) return;
    const said = `${entry.namespace}: ${message}`;
    const repeated = heard(lines, said, monotonicMs());
    if (repeated === null) return;
    const texts = Object.entries({ broker, cause: error }).filter(([, value]) => typeof value === 'string');
    log.warn('the Kafka client says', { said, ...Object.fromEntries(texts), ...(repeated > 0 ? { repeated } : {}) });
  };
}

/** How often the line came since it was written last; null: it was written just now. */
function heard(lines: Map<string, Repetition>, line: string, nowMs: number): number | null {
  const known = lines.get(line);
  if (known && nowMs - known.sinceMs < kafkaLimits.logRepeatMs) {
    known.repeated++;
    return null;
  }
  if (!known && lines.size >= kafkaLimits.logLinesMax) lines.clear();
  lines.set(line, { sinceMs: nowMs, repeated: 0 });
  return known?.repeated ?? 0;
}
