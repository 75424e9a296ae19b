import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { diskDirectory, mountSmallDisk } from './disk.ts';
import { endLeftovers } from './leftovers.ts';

it('takes away the disk of a run whose Postgres is gone, and no other', async (test) => {
  const dir = mkdtempSync(join(realpathSync(tmpdir()), 'leftovers-'));
  const isMounted = (run: string): boolean =>
    readFileSync('/proc/self/mounts', 'utf8').includes(` ${diskDirectory(join(dir, run))} `);
  const ended = spawnSync(process.execPath, ['-e', '']).pid;
  const holders = { killed: ended, running: process.pid, starting: null };
  const mounted: { remove(): void }[] = [];
  try {
    for (const [run, pid] of Object.entries(holders)) {
      const disk = mountSmallDisk(diskDirectory(join(dir, run)));
      if ('missing' in disk) return test.skip(disk.missing);
      if (run !== 'killed') mounted.push(disk);
      if (pid === null) continue;
      mkdirSync(join(disk.dir, 'postgres'));
      writeFileSync(join(disk.dir, 'postgres', 'postmaster.pid'), `${pid}\n${disk.dir}\n`);
    }
    const said: string[] = [];
    await endLeftovers(dir, (line) => said.push(line));
    assert.deepEqual(
      Object.keys(holders).map((run) => [run, isMounted(run)]),
      [
        ['killed', false],
        ['running', true],
        ['starting', true],
      ],
    );
    assert.equal(said.length, 1);
  } finally {
    for (const disk of mounted) disk.remove();
    rmSync(dir, { recursive: true, force: true });
  }
});
