/** The command by which a merchant reads the codes of a bulk issue, as it is called. */
import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { giftcardBatches } from '@local-plus/contracts';
import { JweRecipient } from '../../core/giftcard/batches/jwe.ts';
import { runCommand } from '../local/commands.ts';
import { testFolder } from '../local/test-folder.ts';

const program = join(import.meta.dirname, 'decrypt-codes.ts');
const card = (index: number) => ({
  giftcard_id: '01938d5c-7e3a-7c4b-8a11-9d0c1e2f3a4b',
  code: '7Q2M-4X9T-B0KD-3HWA-2',
  last_four: '3HWA',
  pin: String(index).padStart(6, '0'),
});

function newKey(folder: string, namedCurve = 'P-256', name = 'private.pem'): string {
  const path = join(folder, name);
  writeFileSync(path, generateKeyPairSync('ec', { namedCurve }).privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return path;
}

async function run(folder: string, ...args: string[]) {
  const logFile = join(folder, 'log');
  const outcome = await runCommand(process.execPath, [program, ...args], { timeoutMs: 30_000, logFile });
  return { isDone: outcome.kind === 'done', output: readFileSync(logFile, 'utf8') };
}

test('codes are written for their owner only, as many as there are lines, and never over another file', async () => {
  const folder = testFolder();
  const key = newKey(folder);
  const { isDone, output } = await run(folder, '--key', key, '--public');
  assert.ok(isDone);
  const jwk = giftcardBatches.publicKey.parse(JSON.parse(output.trim().split('\n').at(-1) ?? ''));
  assert.equal(jwk.x, createPublicKey(readFileSync(key)).export({ format: 'jwk' }).x);
  const recipient = JweRecipient.of(jwk);
  assert.ok(recipient);
  const [file, out] = [join(folder, 'codes.ndjson'), join(folder, 'cards.ndjson')];
  const lines = Array.from({ length: 300 }, (_, index) => recipient.encrypt(JSON.stringify(card(index))));
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const read = await run(folder, '--key', key, '--out', out, file);
  assert.ok(read.isDone, read.output);
  assert.match(read.output, /300 cards/);
  assert.doesNotMatch(read.output, /7Q2M/);
  assert.equal(statSync(out).mode & 0o777, 0o600);
  const cards = readFileSync(out, 'utf8').trimEnd().split('\n');
  assert.deepEqual(
    cards.map((line) => JSON.parse(line)),
    Array.from({ length: 300 }, (_, index) => card(index)),
  );
  assert.ok(!(await run(folder, '--key', key, '--out', out, file)).isDone, 'the file is there already');
  assert.equal(readFileSync(out, 'utf8').split('\n').length, 301);
});

test('what cannot be read is told in a sentence', async () => {
  const folder = testFolder();
  const [key, other] = [newKey(folder), newKey(folder, 'P-256', 'other.pem')];
  const foreign = newKey(folder, 'P-384', 'foreign.pem');
  const jwk = giftcardBatches.publicKey.parse(createPublicKey(readFileSync(other)).export({ format: 'jwk' }));
  const file = join(folder, 'codes.ndjson');
  writeFileSync(file, `${JSON.stringify(JweRecipient.of(jwk)?.encrypt(JSON.stringify(card(1))))}\n`);
  const out = join(folder, 'cards.ndjson');
  for (const [args, sentence] of [
    [['--key', key, '--out', out, file], /Line 1 is not encrypted to this key/],
    [['--key', key, '--out', join(folder, 'x'), join(folder, 'nothing')], /ENOENT/],
    [['--key', foreign, '--public'], /no key of the curve P-256/],
    [['--key', file, '--public'], /no private key/],
    [['--key', key], /Name the one file/],
    [['--key', key, file], /--out/],
    [['--cry'], /Usage/],
  ] as const) {
    const { isDone, output } = await run(folder, ...args);
    assert.ok(!isDone);
    assert.match(output, sentence);
    assert.doesNotMatch(output, /at .*\.ts:/, 'a sentence, no stack');
  }
  assert.ok(!existsSync(out));
});
