/**
 * A folder for one test. Only tests import this.
 *
 * All of them are removed when the test file's process ends: after everything that still writes there has been stopped, in
 * whatever order a test lets go of its things.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders: string[] = [];

process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'local-plus-test-'));
  // Servers that run as another user (Postgres, started by root) have to pass through.
  chmodSync(folder, 0o711);
  folders.push(folder);
  return folder;
}
