/** The door of transfers between accounts, of one lane or of two. */
export { type TransferLimits, type TransferSweepLimits, transferLimits, transferSweepLimits } from './limits.ts';
export { arrivalKey, isDeparture, returnKey, type TransferRequest } from './steps.ts';
export { type OpenTransfer, TransferSweep, TransferSweepCounters, type TransferSweepPorts } from './sweep.ts';
export { type Settled, TransferCounters, type TransferPorts, Transfers } from './transfers.ts';
