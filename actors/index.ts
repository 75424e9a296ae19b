/** The door of actors: the runtime, the account machine, the ports, and the store in memory. */
export { chainText, detailText } from './account/chain.ts';
export { type Allotment, allot, foreverMs, purchasesCounter } from './account/counters.ts';
export { apply, decide, InvariantViolation, openedAccount } from './account/domain.ts';
export { isCommandKind } from './account/guards.ts';
export { accountLimits } from './account/limits.ts';
export { expiryDay } from './account/lots.ts';
export type * from './account/model.ts';
export { restore } from './account/restore.ts';
export { spendableOf } from './account/state.ts';
export * from './ports.ts';
export type { LaneCounters, LaneState } from './runtime/lane-ports.ts';
export { checkRuntimeLimits, type RuntimeLimits, runtimeLimits } from './runtime/limits.ts';
export type { AccountRequest, Outcome, Part, Posted } from './runtime/outcome.ts';
export { Runtime, type RuntimePorts, type RuntimeStatus } from './runtime/runtime.ts';
export { UuidTable } from './runtime/uuid-table.ts';
export { MemoryLedger } from './stores/memory.ts';
export { Sweep, SweepCounters, type SweepLimits, type SweepPorts, type Visit } from './sweep/index.ts';
export * from './transfers/index.ts';
