/**
 * The chaos suite inside a network namespace of its own, where `run.ts` has put it: makes the network of the stage, and runs.
 * Its flags are those of `run.ts`. It ends when that one does.
 */

import { endAsProgram, stopBySignals } from '../program.ts';
import { LoadError } from '../stack.ts';
import { readArguments } from './arguments.ts';
import { limits } from './limits.ts';
import { runCampaign } from './session.ts';
import { Network } from './stage/network/network.ts';

async function main(signal: AbortSignal): Promise<number> {
  const args = readArguments();
  const network = await Network.open(limits.cores);
  try {
    return await runCampaign(args, network, signal);
  } finally {
    await network.close();
  }
}

const stop = stopBySignals();
const leave = (): void => stop.abort(new LoadError('Stopped with the process that had started it.'));
process.once('disconnect', leave);
if (!process.connected) leave();
// To hear of that is no reason to stay.
process.channel?.unref();
endAsProgram(main(stop.signal));
