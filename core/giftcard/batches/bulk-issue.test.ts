/** Bulk issue as a merchant has it: the whole of core, from the job to a code that finds its card and its money. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { giftcardBatches, giftcardCodes, giftcards } from '@local-plus/contracts';
import { decryptLine } from '../../../deploy/tools/jwe.ts';
import { assertProblem, eventually, TestStack } from '../../test/stack.ts';
import { parsed, Tenant } from '../../test/tenant.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const public_key = giftcardBatches.publicKey.parse(publicKey.export({ format: 'jwk' }));

describe('a bulk issue, through all of core', () => {
  const stack = new TestStack();
  let tenant: Tenant;
  let stranger: Tenant;

  before(async () => {
    const { client } = await stack.serve();
    tenant = await Tenant.open(client, { unit: 'EUR', scale: 2 });
    stranger = await Tenant.open(client, { unit: 'EUR', scale: 2 });
  });
  after(() => stack.stop());

  /** A job at its end, and what its file says. */
  async function issued(change: object) {
    const body = { program_id: tenant.programId, count: 120, amount: 2_500, public_key, ...change };
    const { id } = await tenant.made('/v1/giftcard-batches', body, giftcardBatches.batch);
    const read = () => tenant.read(`/v1/giftcard-batches/${id}`, giftcardBatches.batch);
    await eventually('the job ends', async () => (await read()).ended_at !== null, 60_000);
    const batch = await read();
    assert.deepEqual([batch.status, batch.issued, batch.failed], ['done', body.count, 0], JSON.stringify(batch));
    const file = await tenant.get(`/v1/giftcard-batches/${id}/file`);
    const lines = file.text.split('\n').filter((line) => line !== '');
    const cards = lines.map((line) => giftcardBatches.fileCard.parse(JSON.parse(decryptLine(line, privateKey))));
    assert.equal(cards.length, body.count);
    return { id, cards };
  }

  it('gives cards that are worth what was asked for, each found by its code, by its merchant only', async () => {
    const { id, cards } = await issued({ activate: true });
    for (const { giftcard_id, code, last_four } of [cards[0], cards[99], cards[119]] as giftcardBatches.FileCard[]) {
      const found = await tenant.post('/v1/giftcards/lookup', { code: code.toLowerCase() });
      assert.deepEqual(parsed(found, 200, giftcardCodes.lookedUp), {
        giftcard_id,
        state: 'active',
        unit: 'EUR',
        available: 2_500,
        last_four,
      });
      const card = await tenant.read(`/v1/giftcards/${giftcard_id}`, giftcards.giftcard);
      assert.deepEqual([card.last_four, card.batch_id, card.initial_amount], [last_four, id, 2_500]);
      assertProblem(await stranger.post('/v1/giftcards/lookup', { code }), 404, 'not_found');
    }
  });

  it('gives cards that wait for their activation, with PINs', async () => {
    const { cards } = await issued({ count: 5, pin: true });
    const { code, pin } = cards[0] as giftcardBatches.FileCard;
    assertProblem(await tenant.post('/v1/giftcards/lookup', { code }), 409, 'giftcard_pin_missing');
    const found = parsed(await tenant.post('/v1/giftcards/lookup', { code, pin }), 200, giftcardCodes.lookedUp);
    assert.deepEqual([found.state, found.available], ['pending', 0]);
  });
});
