/** The bounds of our Kafka clients, and the relations between them. Times are milliseconds. */

export const kafkaLimits = {
  connectMs: 1_000,
  /** One request to a broker; the client gives it up then. */
  requestMs: 5_000,
  /** The client's own tries of one send, beyond the first; after them the producer is replaced. */
  retriesMax: 2,
  retryMsMin: 100,
  retryMsMax: 500,
  /** All of one send, connecting included. What takes longer is taken for hung. */
  sendMs: 20_000,
  /** How long the thread of a producer may take for one thing: past its own bounds it is taken for dead. */
  threadMs: 25_000,
  /** What a thread may keep; what it is sent at a time is far less. MiB. */
  threadHeapMb: 256,
  /** How long a client may take to close before it is left to itself. */
  closeMs: 1_000,
  /** The client's same words are written once in this time; the next line says how often they came meanwhile. */
  logRepeatMs: 600_000,
  /** Different words that are remembered for that. */
  logLinesMax: 100,
} as const;

const sendMsLongest =
  (kafkaLimits.retriesMax + 1) * kafkaLimits.requestMs + kafkaLimits.retriesMax * kafkaLimits.retryMsMax;
if (kafkaLimits.sendMs <= sendMsLongest) throw new Error('limits: a send must outlast its own retries');
if (kafkaLimits.threadMs <= kafkaLimits.sendMs) throw new Error('limits: a thread must outlast its sends');
if (kafkaLimits.retriesMax < 1) throw new Error('limits: an idempotent producer needs a retry');
