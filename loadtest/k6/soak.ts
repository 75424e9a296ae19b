/**
 * Does it stay as it is? The promised load for ten minutes: what leaks or fills up shows itself.
 */
import { optionsFor } from './options.ts';

export { handleSummary } from './options.ts';
export { read, write } from './traffic.ts';

export const options = optionsFor({ rate: 1_500, durationS: 600, warmupS: 10, mustBeQuick: true });
