/** Who may do everything about customers: a key has to be made for it. */
import type { Caller } from '../../test/stack.ts';
import type { Tenant } from '../../test/tenant.ts';

export function customerCaller({ caller }: Pick<Tenant, 'caller'>): Caller {
  const more = ['customers:read', 'customers:write', 'customers:erase'] as const;
  return { ...caller, scopes: [...new Set([...(caller.scopes ?? []), ...more])] };
}
