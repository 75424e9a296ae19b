/**
 * A folder for one test, removed after it. Only tests import this.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export function testFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'local-plus-test-'));
  // Servers that run as another user (Postgres, started by root) have to pass through.
  chmodSync(folder, 0o711);
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
