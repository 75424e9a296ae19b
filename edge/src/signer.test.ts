import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { parseContext, signingHead } from '@local-plus/contracts';
import { merchantId, startMs } from '../test/stage.ts';
import { bytesOf } from './encoding.ts';
import { type Signable, Signer } from './signer.ts';

const secret = new Uint8Array(32).fill(9);
const signable: Signable = {
  method: 'POST',
  target: '/v1/x?y=1',
  idempotencyKey: 'a',
  body: bytesOf('{"amount":5}'),
  budgetMs: 9_000,
  clientIp: '192.0.2.1',
  merchantId,
  subject: 'k',
  scopes: ['wallets:read', 'admin'],
};

describe('the signer', () => {
  it('makes what another implementation verifies', async () => {
    const { context, signature } = await new Signer({ keyId: 'k1', secret }).sign(signable, startMs);
    const input = `${signingHead(context, 'POST', '/v1/x?y=1', 'a')}{"amount":5}`;
    assert.equal(signature, createHmac('sha256', secret).update(input).digest('base64url'));
    const { nonce, ...found } = parseContext(context) ?? { nonce: '' };
    const { method, target, idempotencyKey, body, ...expected } = signable;
    assert.deepEqual(found, { ...expected, timeMs: startMs, keyId: 'k1' });
    assert.match(nonce, /^[\w-]{16,32}$/);
  });

  it('signs the absence of a body', async () => {
    const { context, signature } = await new Signer({ keyId: 'k1', secret }).sign({ ...signable, body: null }, startMs);
    const input = signingHead(context, 'POST', '/v1/x?y=1', 'a');
    assert.equal(signature, createHmac('sha256', secret).update(input).digest('base64url'));
  });

  it('never uses a nonce twice, nor one of another isolate', async () => {
    const signers = [new Signer({ keyId: 'k1', secret }), new Signer({ keyId: 'k1', secret })];
    const contexts = await Promise.all(
      Array.from({ length: 2_000 }, (_, at) => (signers[at % 2] as Signer).sign(signable, startMs)),
    );
    assert.equal(new Set(contexts.map(({ context }) => parseContext(context)?.nonce)).size, 2_000);
  });
});
