/**
 * A wait with an end. Used where the platform may never settle a promise: on Workers, what one request began dies with
 * it, and others may be waiting for it.
 */

/**
 * What `work` resolves to, or what `late` returns (or throws) when it has not after `budgetMs`. By hand, and not by
 * `Promise.race`: every request with a body waits here, and a race makes several promises more.
 */
export function withDeadline<Value>(budgetMs: number, work: Promise<Value>, late: () => Value): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      try {
        resolve(late());
      } catch (cause) {
        reject(cause);
      }
    }, budgetMs);
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (cause) => {
        clearTimeout(timer);
        reject(cause);
      },
    );
  });
}
