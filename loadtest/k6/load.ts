/**
 * Does it carry what was promised? 1,500 requests/s, 500 of them earns and burns, for a minute.
 */
import { optionsFor } from './options.ts';

export { handleSummary } from './options.ts';
export { read, write } from './traffic.ts';

export const options = optionsFor({ rate: 1_500, durationS: 60, warmupS: 10, mustBeQuick: true });
