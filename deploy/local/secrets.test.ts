import assert from 'node:assert/strict';
import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { StartError } from './errors.ts';
import { loadSecrets } from './secrets.ts';
import { testFolder } from './test-folder.ts';

test('secrets are made once, stay, and are readable by their owner only', () => {
  const folder = testFolder();
  const path = join(folder, 'secrets.json');
  const made = loadSecrets(folder);
  assert.match(made.signing_key, /^k1:[\w-]{43}$/);
  assert.match(made.admin_token, /^lp_admin_[\w-]{43}$/);
  assert.match(made.giftcard_code_key, /^k1:[\w-]{43}$/);
  assert.match(made.customer_key, /^k1:[\w-]{43}$/);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  chmodSync(path, 0o644);
  assert.deepEqual(loadSecrets(folder), made);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a secret that a later release has added is made, and the others stay', () => {
  const folder = testFolder();
  const path = join(folder, 'secrets.json');
  const { giftcard_code_key: _codes, customer_key: _customers, ...earlier } = loadSecrets(folder);
  writeFileSync(path, JSON.stringify(earlier));
  const made = loadSecrets(folder);
  const added = { giftcard_code_key: '', customer_key: '' };
  assert.deepEqual({ ...made, ...added }, { ...earlier, ...added });
  assert.deepEqual(loadSecrets(folder), made);
});

test('broken secrets are told, not replaced: the data would be lost with them', () => {
  const folder = testFolder();
  writeFileSync(join(folder, 'secrets.json'), '{"signing_key": "k1:short"}');
  assert.throws(() => loadSecrets(folder), StartError);
});
