/**
 * Who can say, as soon as it is known who asks, that a command had better not be tried now: before its body is parsed, its
 * wallet is looked up and its request is hashed.
 *
 * Must not know: why.
 */
import type { RouteId } from '@local-plus/contracts';

export interface Pressure {
  /** The routes that it is asked for. */
  readonly routes: ReadonlySet<RouteId>;
  /**
   * How many milliseconds a request of this merchant's had better stay away; 0: it may come.
   *
   * @param params the `{…}` segments of the route's path, not yet parsed
   * @param deadlineMs on the clock of `performance.now()`
   * @param placesFree how many more requests the server has room for
   */
  sendAway(
    routeId: RouteId,
    merchantId: string,
    params: readonly string[],
    deadlineMs: number,
    placesFree: number,
  ): number;
}
