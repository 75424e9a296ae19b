/**
 * The README's journeys, line by line as they stand there, through the edge of a running stack: what a block prints has to be
 * what the README says it prints.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { repositoryDir } from '@local-plus/deploy';
import { type SmallStack, startSmallStack } from '../small-stack.ts';

const HEADING = '## Three journeys';
const BETWEEN = '— the next block —';
const SCRIPT_MS_MAX = 120_000;

interface Block {
  readonly commands: string;
  /** What the README shows below it; null: nothing. */
  readonly printed: string | null;
}

function blocksOf(readme: string): Block[] {
  const from = readme.indexOf(`\n${HEADING}\n`);
  assert.ok(from >= 0, `the README has no section ${HEADING}`);
  const section = readme.slice(from + 1).split(/\n## (?!Three)/)[0] ?? '';
  const blocks: Block[] = [];
  for (const [, language, text = ''] of section.matchAll(/^```(sh|text)\n([\s\S]*?)^```$/gm)) {
    const last = blocks.at(-1);
    if (language === 'sh') blocks.push({ commands: text, printed: null });
    else if (last !== undefined) blocks[blocks.length - 1] = { ...last, printed: text };
  }
  return blocks;
}

describe("the README's journeys", () => {
  const dir = mkdtempSync(join(tmpdir(), 'local-plus-readme-'));
  const blocks = blocksOf(readFileSync(join(repositoryDir, 'README.md'), 'utf8'));
  let stack: SmallStack | null = null;

  before(async () => {
    stack = await startSmallStack({ name: 'readme', log: () => undefined });
    mkdirSync(join(dir, '.local'));
    const told = { edge_url: stack.edgeUrl, admin_token: stack.adminToken };
    writeFileSync(join(dir, '.local', 'stack.json'), JSON.stringify(told));
  });
  after(async () => {
    await stack?.stop();
    stack?.remove();
    rmSync(dir, { recursive: true, force: true });
  });

  it('print what the README says they print', () => {
    assert.equal(blocks.filter(({ printed }) => printed !== null).length, 3, 'three journeys show what they print');
    const script = blocks.map(({ commands }) => commands).join(`echo '${BETWEEN}'\n`);
    const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH']}` };
    const { status, stdout, stderr } = spawnSync('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: dir,
      env,
      encoding: 'utf8',
      timeout: SCRIPT_MS_MAX,
    });
    assert.equal(status, 0, `${stdout}\n${stderr}`);
    assert.deepEqual(
      stdout.split(`${BETWEEN}\n`),
      blocks.map(({ printed }) => printed ?? ''),
    );
  });
});
