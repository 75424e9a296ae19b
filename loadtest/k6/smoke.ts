/**
 * Does it work at all? A few requests of every sort, each answered as it should be.
 */
import { optionsFor } from './options.ts';

export { handleSummary } from './options.ts';
export { read, write } from './traffic.ts';

export const options = optionsFor({ rate: 30, durationS: 10, warmupS: 1, mustBeQuick: false });
