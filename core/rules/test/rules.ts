/** A shorthand for rules and purchases in tests: as they come out of the wire's schema. */
import { rules as wire } from '@local-plus/contracts';
import type { z } from 'zod';

type Written = Omit<z.input<typeof wire.rule>, 'currency'> & { readonly currency?: string };

export const rule = (written: Written): wire.Rule => wire.rule.parse({ currency: 'EUR', ...written });
export const purchase = (amount: number, rest: Partial<z.input<typeof wire.purchase>> = {}): wire.Purchase =>
  wire.purchase.parse({ amount, currency: 'EUR', ...rest });

export const perAmount = (points: number, per: number, minimum?: number) =>
  ({ type: 'points_per_amount', points, per, ...(minimum === undefined ? {} : { minimum }) }) as const;
export const fixed = (points: number) => ({ type: 'fixed', points }) as const;
export const times = (numerator: number, denominator = 1) => ({ type: 'multiplier', numerator, denominator }) as const;
