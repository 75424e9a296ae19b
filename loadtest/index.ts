/** The door of loadtest: what other tests may want of it. */
export { printReconciliation, type Reconciliation, reconcile } from './reconcile/index.ts';
export { readStack, type Stack } from './stack.ts';
