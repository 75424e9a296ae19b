/**
 * Who calls, as far as rights go. A caller sees only its own tenant; the operator sees all.
 */
import { type EdgeContext, isUuid, type MerchantId } from '@local-plus/contracts';
import { ProblemError } from './handler.ts';

export function isOperator(context: EdgeContext): boolean {
  return context.scopes.includes('admin');
}

/** Whether what belongs to `merchantId` exists for this caller; if not, the answer is 404, as for what does not exist. */
export function sees(context: EdgeContext, merchantId: string): boolean {
  return context.merchantId === merchantId || isOperator(context);
}

/** The merchant that acts. Throws `forbidden` for the operator, who belongs to none. */
export function callingMerchant(context: EdgeContext): MerchantId {
  if (context.merchantId === null || !isUuid(context.merchantId)) {
    throw new ProblemError('forbidden', { detail: 'This belongs to a merchant: call with a key of that merchant.' });
  }
  return context.merchantId as MerchantId;
}
