/** The door of telemetry. */
export { createLog, type Fields, type Log, type LogLevel, logLevels } from './log.ts';
export { createMetrics, type HistogramReading, type Metrics, type Reading } from './metrics.ts';
