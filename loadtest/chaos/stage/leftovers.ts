/**
 * What killed runs have left: processes, with them the networks that they were in, and disks. Each run's folder tells its processes
 * and their owner; those of a run that goes on are left alone.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { endOrphansIn } from '@local-plus/deploy';
import { diskDirectory, removeAbandonedDisk } from './disk.ts';

/** @param dir of all runs */
export async function endLeftovers(dir: string, log: (line: string) => void): Promise<void> {
  if (!existsSync(dir)) return;
  for (const run of readdirSync(dir)) {
    for (const name of await endOrphansIn(join(dir, run, 'run'))) {
      log(`Ended the ${name} that a killed run had left in ${join(dir, run)}.`);
    }
    if (removeAbandonedDisk(diskDirectory(join(dir, run)))) {
      log(`Took away the disk that a killed run had left in ${join(dir, run)}.`);
    }
  }
}
