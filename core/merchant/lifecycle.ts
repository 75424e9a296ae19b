/**
 * How a merchant comes, pauses and goes: one table of what may become of it, and by whose will. Pure.
 */
import type { lifecycle, merchants } from '@local-plus/contracts';

/** The operator, or who acts for the merchant with the scope `merchants:lifecycle`: its owners. */
export type Party = 'operator' | 'owner';

export interface Step {
  readonly to: merchants.MerchantStatus;
  readonly by: readonly Party[];
}

const either: readonly Party[] = ['operator', 'owner'];
const operator: readonly Party[] = ['operator'];

/** What is not in it is refused. Closed is the end. */
export const lifecycleTable: Readonly<
  Record<merchants.MerchantStatus, Readonly<Partial<Record<lifecycle.LifecycleAction, Step>>>>
> = {
  draft: { submit: { to: 'submitted', by: either }, close: { to: 'closed', by: either } },
  submitted: {
    return: { to: 'draft', by: operator },
    activate: { to: 'active', by: operator },
    close: { to: 'closed', by: either },
  },
  active: { suspend: { to: 'suspended', by: operator }, close: { to: 'closed', by: either } },
  suspended: { resume: { to: 'active', by: operator }, close: { to: 'closed', by: operator } },
  closed: {},
};
