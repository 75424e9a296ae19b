/** Makes the network of a stage and takes it back: ends with 0 where that can be done, else with one line that says why not. */
import { limits } from '../../limits.ts';
import { Network } from './network.ts';

try {
  const network = await Network.open(limits.cores);
  await network.close();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
