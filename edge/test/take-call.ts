/** A take of a limiter, as a test asks the Worker before its object for it (limiter.worker.ts): many in one request, all at once. */
export interface TakeCall {
  readonly key: string;
  readonly limit: number;
  readonly nowMs: number;
  readonly count: number;
}
