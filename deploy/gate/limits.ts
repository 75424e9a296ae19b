/**
 * The bounds of the gate. Times are milliseconds; a step that reaches its bound hangs, or the machine is far too slow.
 */

export const limits = {
  /** Formatter, compiler, import check, generated files: seconds on an idle machine. */
  staticStepMs: 5 * 60_000,
  /** One test file, or one test in it. */
  testMs: 5 * 60_000,
  endToEndTestMs: 10 * 60_000,
  chartStepMs: 5 * 60_000,
  unitStepMs: 30 * 60_000,
  denoStepMs: 10 * 60_000,
  endToEndStepMs: 20 * 60_000,
  /** Half a minute on an idle machine; longer when it finds something, and looks for the least request that shows it. */
  fuzzStepMs: 5 * 60_000,
  /** A minute on an idle machine. */
  chaosStepMs: 5 * 60_000,

  /** What a hanging step gets between SIGTERM and SIGKILL, and how often it is looked at meanwhile. */
  stopMs: 10_000,
  stopPollMs: 100,

  /** How often a running step is mentioned. */
  progressMs: 30_000,
  /** What is shown of a failed step's log. */
  failureLineCount: 60,
  failureCharsMax: 12_000,

  /** Test files that run at the same time; some of them start a Postgres or a broker of their own. */
  testFileConcurrency: 2,
} as const;

if (limits.testMs > limits.unitStepMs || limits.endToEndTestMs > limits.endToEndStepMs) {
  throw new Error('limits: a test must not be allowed to outlast its step');
}
