/**
 * What earlier runs have left: processes of a killed one (ended), and data (deleted when asked to).
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { postgresName, type StackConfig } from './config.ts';
import { limits } from './limits.ts';
import { endPostgresIn } from './postgres.ts';
import { shelterOf } from './postgres-home.ts';
import { endOrphan } from './processes.ts';

/** Of as many databases as there can be: the present run may want fewer than an earlier one. */
const postgresNames = Array.from({ length: limits.databasesMax }, (_, index) => postgresName(index));

/** Everything of one data folder that a start makes; downloads (`cache`) are not among it. */
const dataNames = [
  ...postgresNames,
  'kafka',
  'valkey',
  'edge',
  'logs',
  'run',
  'demo.json',
  'secrets.json',
  'stack.json',
];
const lockName = 'start.lock';

/** Ends what a killed run has left running, the front first, so that nothing writes into a database that is going. */
export async function clearOrphans(config: StackConfig, log: (line: string) => void): Promise<void> {
  const cores = Array.from({ length: limits.coresMax }, (_, index) => `core-${index + 1}`);
  const order = ['edge', 'core', ...cores, 'kafka', 'valkey', ...postgresNames];
  for (const name of order) {
    if ((await endOrphan(config.runDir, name)) === 'ended')
      log(`Ended the ${name} that a killed run had left running.`);
  }
  // Postgres is found by its data folder even when its pid file is gone: two servers on one cluster would destroy it.
  for (const name of postgresNames) {
    const wanted = resolve(config.dataDir, name);
    for (const dir of [wanted, join(shelterOf(wanted), 'data')]) await endPostgresIn(dir, log);
  }
}

/** `--fresh`. The lock of the present run stays. */
export function deleteData(config: StackConfig, log: (line: string) => void): void {
  for (const name of dataNames) {
    const path = join(config.dataDir, name);
    if (name !== 'run') {
      rmSync(path, { recursive: true, force: true });
      continue;
    }
    if (!existsSync(path)) continue;
    for (const file of readdirSync(path))
      if (file !== lockName) rmSync(join(path, file), { recursive: true, force: true });
  }
  for (const name of postgresNames) {
    rmSync(shelterOf(join(config.dataDir, name)), { recursive: true, force: true });
  }
  log(`Deleted the data of earlier runs in ${config.dataDir}.`);
}
