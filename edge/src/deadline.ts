/**
 * A wait with an end. Used where the platform may never settle a promise: on Workers, what one request began dies with
 * it, and others may be waiting for it.
 */

/** What `work` resolves to, or what `late` returns (or throws) when it has not after `budgetMs`. */
export async function withDeadline<Value>(budgetMs: number, work: Promise<Value>, late: () => Value): Promise<Value> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, budgetMs);
  try {
    return await Promise.race([work, promise.then(late)]);
  } finally {
    clearTimeout(timer);
  }
}
