/**
 * `npm run chaos [-- --seed N] [--seconds N] [--rate N] [--faults a,b] [--record] [--keep]`
 *
 * Postgres, Kafka, three processes of core behind one address, the edge; clients that retry; and faults, drawn from the seed.
 * Then everything that clients were told is held against the ledger and Kafka. Faults of the network's packets need a network
 * of the run's own: the run begins anew inside one where the kernel allows it, and does without these faults where not.
 *
 *     --short        what the gate runs: under a minute, a few faults, always the same seed
 *     --rolling      each process of core restarted in turn under load, again and again, by clients with one retry
 *     --break-fence  core without the epoch check of its fence: ends with 0 when the checker finds it
 *     --record       adds the run to loadtest/results/chaos.*
 *     --keep         keeps the run's folder (history, logs, data), which stays anyway when something was found
 *
 * Exit codes: 0 nothing is wrong; 1 something is; 2 it could not be run.
 */

import { join } from 'node:path';
import { defaultCacheDir, kafkaRuntime, repositoryDir } from '@local-plus/deploy';
import { endAsProgram, stopBySignals } from '../program.ts';
import { LoadError } from '../stack.ts';
import { type Arguments, needs, readArguments } from './arguments.ts';
import { runCampaign } from './session.ts';
import { findClocks } from './stage/clock.ts';
import { endLeftovers } from './stage/leftovers.ts';
import { findWorld, runInside } from './stage/network/world.ts';
import { notWanted } from './stage/stage.ts';

/** @returns the exit code */
async function main(signal: AbortSignal): Promise<number> {
  const args = readArguments();
  await endLeftovers(join(repositoryDir, '.local', 'chaos'), console.log);
  const world = needs(args, 'namespaces') ? await findWorld() : notWanted;
  if ('missing' in world) return runCampaign(args, world, signal);
  await fetchWhatIsMissing(args, signal);
  const inside = join(import.meta.dirname, 'inside.ts');
  const exitCode = await runInside(world, inside, process.argv.slice(2), signal);
  if (exitCode === null) throw new LoadError('The run was killed; the next one ends what it has left.');
  return exitCode;
}

/** Inside there is no way to the outside. */
async function fetchWhatIsMissing(args: Arguments, signal: AbortSignal): Promise<void> {
  const logDir = join(repositoryDir, '.local', 'chaos');
  await kafkaRuntime({ cacheDir: defaultCacheDir, logDir, log: console.log, signal });
  if (needs(args, 'clocks')) await findClocks(logDir);
}

endAsProgram(main(stopBySignals().signal));
