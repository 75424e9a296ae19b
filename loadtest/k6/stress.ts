/**
 * Does it carry this much? One step of the search for the highest rate that keeps every threshold (loadtest/run.ts).
 */
import { optionsFor } from './options.ts';

export { handleSummary } from './options.ts';
export { read, write } from './traffic.ts';

export const options = optionsFor({ rate: 1_500, durationS: 20, warmupS: 5, mustBeQuick: true });
