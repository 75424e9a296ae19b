/** The door of actors: the runtime, the account machine, the ports, and the store in memory. */
export {
  type AccountState,
  type Command,
  type Decision,
  decide,
  InvariantViolation,
  openedAccount,
  type Posting,
  type RefusalCode,
  type TransactionKind,
} from './account/domain.ts';
export * from './ports.ts';
export type { LaneCounters, LaneState } from './runtime/lane.ts';
export { checkRuntimeLimits, type RuntimeLimits, runtimeLimits } from './runtime/limits.ts';
export type { AccountRequest, Outcome } from './runtime/outcome.ts';
export { Runtime, type RuntimePorts, type RuntimeStatus } from './runtime/runtime.ts';
export { MemoryLedger } from './stores/memory.ts';
