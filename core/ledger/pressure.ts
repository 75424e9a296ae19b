/**
 * Whether a movement would be accepted now, told by its caller and its path alone (see platform/http/pressure.ts). The
 * runtime decides again when the movement is there.
 */
import { type AccountId, parseId, type Route, type RouteId, routes } from '@local-plus/contracts';
import type { Handlers, Pressure } from '../platform/http/index.ts';
import type { AccountRuntime } from './account-runtime.ts';

export function ledgerPressure(handlers: Handlers, accounts: Pick<AccountRuntime, 'sendAway'>): Pressure {
  const served = (Object.keys(handlers) as RouteId[]).filter((id) => isMovement(routes[id]));
  const ofWallets = new Set(served.filter((id) => routes[id].path.startsWith('/v1/wallets/{')));
  return {
    routes: new Set(served),
    sendAway(routeId, merchantId, params, deadlineMs, placesFree) {
      const accountId = ofWallets.has(routeId) ? parseId<AccountId>(params[0] ?? '') : null;
      return accounts.sendAway(merchantId, accountId, deadlineMs, placesFree);
    },
  };
}

function isMovement({ method, idempotent }: Route): boolean {
  return method === 'POST' && idempotent;
}
