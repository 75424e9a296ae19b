/** Codes and PINs on a real Postgres: given once, found by whoever has them, and by nobody else at any price. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { type GiftcardId, giftcardCodes, type MerchantId } from '@local-plus/contracts';
import { type Database, DatabaseUnavailable } from '../../platform/postgres/index.ts';
import { createMetrics } from '../../platform/telemetry/index.ts';
import { startDatabase, type TestDatabase } from '../../test/database.ts';
import { startServer, type TestServer } from '../../test/http.ts';
import { recorded, withoutChance } from '../../test/log.ts';
import { type Answer, assertProblem, type Caller, merchantCaller } from '../../test/stack.ts';
import { createCodesModule } from './index.ts';
import { codeLimits } from './limits.ts';
import { SlowHash } from './slow-hash.ts';
import { CodesStage, newCard, newKey, newMerchant, type StageOptions } from './test/stage.ts';

describe('the codes of gift cards', () => {
  let database: TestDatabase;
  /** One for all stages: they would need more connections than Postgres has. */
  let pool: Database;
  const servers: TestServer[] = [];

  before(async () => {
    database = await startDatabase();
    pool = database.pool({ connectionsMax: 8 });
  });
  after(async () => {
    for (const { server } of servers) await server.stop();
    await database.close();
  });

  async function stageOf(options: StageOptions = {}) {
    const stage = new CodesStage(pool, options);
    const server = await startServer(stage.handlers);
    servers.push(server);
    const lookUp = (caller: Caller, body: object): Promise<Answer> =>
      server.client.post('/v1/giftcards/lookup', body, { caller });
    return { stage, lookUp, client: server.client };
  }

  /** Time passes for the locks of a card. */
  async function unlockByTime(cardId: GiftcardId): Promise<void> {
    await database.sql`update giftcard_codes set pin_locked_until = now() where card_id = ${cardId}`;
  }

  const other = (pin: string): string => String((Number(pin) + 1) % 1_000_000).padStart(6, '0');

  it('are given once: who asks again is told the last four, and neither code nor PIN', async () => {
    const { stage } = await stageOf();
    const merchantId = newMerchant();
    const requests = [newCard(), newCard()].map((cardId, index) => ({ cardId, merchantId, pin: index === 1 }));
    const first = await stage.book.assign(requests);
    assert.deepEqual(
      first.map(({ cardId, pin }) => [cardId, pin?.length ?? null]),
      [
        [requests[0]?.cardId, null],
        [requests[1]?.cardId, 6],
      ],
    );
    const third = { cardId: newCard(), merchantId, pin: false };
    const again = await stage.book.assign([...requests, third]);
    assert.deepEqual(
      again.slice(0, 2),
      first.map((each) => ({ ...each, code: null, pin: null })),
    );
    assert.notEqual(again[2]?.code, null);
    const racing = { cardId: newCard(), merchantId, pin: false };
    const raced = (await Promise.all(Array.from({ length: 8 }, () => stage.book.assign([racing])))).flat();
    assert.equal(raced.filter(({ code }) => code !== null).length, 1);
    assert.equal(new Set(raced.map(({ lastFour }) => lastFour)).size, 1);
  });

  it('are all different, read back, and each finds its card', async () => {
    const { stage } = await stageOf();
    const merchantId = newMerchant();
    const requests = Array.from({ length: 500 }, () => ({ cardId: newCard(), merchantId, pin: false }));
    const assigned = await stage.book.assign(requests);
    assert.equal(new Set(assigned.map(({ code }) => code)).size, 500);
    for (const { cardId, code, lastFour } of assigned) {
      assert.notEqual(giftcardCodes.readCode(code ?? ''), null);
      assert.equal(code?.slice(15, 19), lastFour);
      const found = await stage.book.find(merchantId, code ?? '', null);
      assert.deepEqual([found.type, 'cardId' in found && found.cardId], ['found', cardId]);
    }
  });

  it('find their card over HTTP, however they are typed; mistyped ones are told apart before anything is asked', async () => {
    const { stage, lookUp } = await stageOf();
    const merchantId = newMerchant();
    const { cardId, code } = await stage.card(merchantId);
    const caller = merchantCaller(merchantId);
    for (const typed of [
      code,
      code.toLowerCase().replaceAll('-', ' '),
      code.replaceAll('0', 'o').replaceAll('1', 'l'),
    ]) {
      const answer = await lookUp(caller, { code: typed });
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual(giftcardCodes.lookedUp.parse(answer.json), {
        giftcard_id: cardId,
        state: 'active',
        unit: 'EUR',
        available: 2_500,
        last_four: code.slice(15, 19),
      });
    }
    const mistyped = code.startsWith('A') ? `B${code.slice(1)}` : `A${code.slice(1)}`;
    const work = await stage.workOf(async () => {
      const { errors } = assertProblem(await lookUp(caller, { code: mistyped }), 400, 'invalid_request');
      assert.equal(errors?.[0]?.pointer, '/code');
    });
    assert.deepEqual(work, { hmacs: 0, slowHashes: 0, statements: 0, cardReads: 0 });
    assertProblem(await lookUp({ ...caller, scopes: ['giftcards:write'] }, { code }), 403, 'forbidden');
  });

  it("cost the same to look for, whether it is nobody's, another merchant's, or its card is not there", async () => {
    const keys = [newKey('k3'), newKey('k2'), newKey('k1')] as const;
    const { stage, lookUp } = await stageOf({ keys });
    const [merchantId, stranger] = [newMerchant(), newMerchant()];
    const caller = merchantCaller(merchantId);
    const cases: Record<string, { code: string; pin: string | null }> = {
      nobodys: { code: '7Q2M-4X9T-B0KD-3HWA-2', pin: null },
      'of another merchant': await stage.card(stranger),
      'of another merchant, with a PIN': await stage.card(stranger, true),
      'without a card': await stage.assign({ cardId: newCard(), merchantId, pin: false }),
      'without a card, with a PIN': await stage.assign({ cardId: newCard(), merchantId, pin: true }),
    };
    for (const [name, { code, pin }] of Object.entries(cases)) {
      const plain = await stage.workOf(async () => assertProblem(await lookUp(caller, { code }), 404, 'not_found'));
      assert.deepEqual(plain, { hmacs: 3, slowHashes: 0, statements: 1, cardReads: 1 }, name);
      for (const given of ['000000', ...(pin === null ? [] : [pin, other(pin)])]) {
        const withPin = await stage.workOf(async () =>
          assertProblem(await lookUp(caller, { code, pin: given }), 404, 'not_found'),
        );
        assert.deepEqual(withPin, { hmacs: 4, slowHashes: 1, statements: 1, cardReads: 1 }, `${name}, PIN given`);
      }
    }
    assert.deepEqual(new Set(stage.ends), new Set(['unknown']));
  });

  it('need their PIN, where there is one', async () => {
    const { stage, lookUp } = await stageOf();
    const merchantId = newMerchant();
    const caller = merchantCaller(merchantId);
    const { code, pin } = await stage.card(merchantId, true);
    assert.ok(pin);
    assertProblem(await lookUp(caller, { code }), 409, 'giftcard_pin_missing');
    assertProblem(await lookUp(caller, { code, pin: other(pin) }), 403, 'giftcard_pin_wrong');
    assert.equal((await lookUp(caller, { code, pin })).status, 200);
    const { code: without } = await stage.card(merchantId);
    assert.equal((await lookUp(caller, { code: without, pin })).status, 200, 'a PIN too many does no harm');
  });

  it('lock after five wrong PINs, for twice as long each time, and forgive when it is right', async () => {
    const { stage, lookUp } = await stageOf();
    const merchantId = newMerchant();
    const caller = merchantCaller(merchantId);
    const { cardId, code, pin } = await stage.card(merchantId, true);
    assert.ok(pin);
    const wrong = { code, pin: other(pin) };
    for (let tries = 0; tries < codeLimits.pinTriesMax; tries++) {
      assertProblem(await lookUp(caller, wrong), 403, 'giftcard_pin_wrong');
    }
    for (const seconds of [60, 120, 240, 480]) {
      for (const body of [wrong, { code, pin }]) {
        const locked = await lookUp(caller, body);
        assertProblem(locked, 429, 'giftcard_pin_locked');
        const waitS = Number(locked.headers.get('retry-after'));
        assert.ok(waitS > seconds / 2 && waitS <= seconds, `${waitS} of ${seconds}`);
      }
      await unlockByTime(cardId);
      assertProblem(await lookUp(caller, wrong), 403, 'giftcard_pin_wrong');
    }
    await database.sql`update giftcard_codes set pin_tries = 1000 where card_id = ${cardId}`;
    await unlockByTime(cardId);
    assertProblem(await lookUp(caller, wrong), 403, 'giftcard_pin_wrong');
    const longest = Number((await lookUp(caller, wrong)).headers.get('retry-after'));
    assert.ok(longest <= codeLimits.pinLockMaxS && longest > codeLimits.pinLockMaxS / 2);
    await unlockByTime(cardId);
    assert.equal((await lookUp(caller, { code, pin })).status, 200);
    assertProblem(await lookUp(caller, wrong), 403, 'giftcard_pin_wrong');
    assert.equal((await lookUp(caller, { code, pin })).status, 200, 'the count began anew');
  });

  it('let no more PINs through at the same time than one after the other', async () => {
    const { stage } = await stageOf();
    const merchantId = newMerchant();
    const { cardId, code, pin } = await stage.card(merchantId, true);
    assert.ok(pin);
    const guesses = await Promise.all(Array.from({ length: 40 }, () => stage.book.find(merchantId, code, other(pin))));
    const counts = Object.groupBy(guesses, ({ type }) => type);
    assert.equal(counts.pin_wrong?.length, codeLimits.pinTriesMax);
    assert.equal(counts.pin_locked?.length, 40 - codeLimits.pinTriesMax);
    const [row] = await database.sql`select pin_tries from giftcard_codes where card_id = ${cardId}`;
    assert.equal(row?.['pin_tries'], codeLimits.pinTriesMax);
  });

  it('count no try that is refused because too many wait: nobody who is right is locked out by others', async () => {
    const { stage, lookUp } = await stageOf({ slowHash: new SlowHash({ pinsAtOnceMax: 1, pinsWaitingMax: 0 }) });
    const merchantId = newMerchant();
    const caller = merchantCaller(merchantId);
    const { cardId, code, pin } = await stage.card(merchantId, true);
    const busy = Promise.withResolvers<void>();
    const atWork = stage.slowHash.withPlace(() => busy.promise);
    for (let tries = 0; tries <= codeLimits.pinTriesMax; tries++) {
      assertProblem(await lookUp(caller, { code, pin }), 429, 'overloaded');
    }
    busy.resolve();
    await atWork;
    const [row] = await database.sql`select pin_tries from giftcard_codes where card_id = ${cardId}`;
    assert.equal(row?.['pin_tries'], 0);
    assert.equal((await lookUp(caller, { code, pin })).status, 200);
  });

  it('are unlocked by their merchant, once for one key, and it is in the audit trail', async () => {
    const { stage, lookUp, client } = await stageOf();
    const merchantId = newMerchant();
    const caller = merchantCaller(merchantId);
    const { cardId, code, pin } = await stage.card(merchantId, true);
    assert.ok(pin);
    for (let tries = 0; tries < codeLimits.pinTriesMax; tries++) await lookUp(caller, { code, pin: other(pin) });
    assertProblem(await lookUp(caller, { code, pin }), 429, 'giftcard_pin_locked');
    const target = `/v1/giftcards/${cardId}/pin/unlock`;
    const stranger = merchantCaller(newMerchant());
    assertProblem(await client.post(target, undefined, { caller: stranger }), 404, 'not_found');
    assertProblem(await client.post(`/v1/giftcards/${newCard()}/pin/unlock`, undefined, { caller }), 404, 'not_found');
    const key = randomUUID();
    const unlocked = await client.post(target, undefined, { caller, key });
    assert.equal(unlocked.status, 200, unlocked.text);
    assert.deepEqual(giftcardCodes.pinState.parse(unlocked.json), {
      giftcard_id: cardId,
      last_four: code.slice(15, 19),
      has_pin: true,
      pin_locked_until: null,
    });
    for (let tries = 0; tries < codeLimits.pinTriesMax; tries++) await lookUp(caller, { code, pin: other(pin) });
    const again = await client.post(target, undefined, { caller, key });
    assert.deepEqual([again.json, again.headers.get('idempotent-replayed')], [unlocked.json, 'true'], 'as it was then');
    assertProblem(await lookUp(caller, { code, pin }), 429, 'giftcard_pin_locked');
    const second = randomUUID();
    const atOnce = await Promise.all(
      Array.from({ length: 8 }, () => client.post(target, undefined, { caller, key: second })),
    );
    for (const { status, json } of atOnce) assert.deepEqual([status, json], [200, unlocked.json]);
    assert.equal(atOnce.filter(({ headers }) => headers.get('idempotent-replayed') === 'true').length, 7);
    for (let tries = 0; tries < codeLimits.pinTriesMax; tries++) await lookUp(caller, { code, pin: other(pin) });
    await client.post(target, undefined, { caller, key });
    assertProblem(await lookUp(caller, { code, pin }), 429, 'giftcard_pin_locked');
    const entries = await database.sql`select entry from audit_entries where trail = ${merchantId}`;
    assert.equal(entries.length, 2);
    assert.match(JSON.stringify(entries[0]), /giftcard\.unlock_pin/);
  });

  it('are refused to who fails too often, per caller and per merchant, until time has passed', async () => {
    const { stage, lookUp } = await stageOf({ failures: { failuresOfCallerMax: 3, failuresOfMerchantMax: 5 } });
    const merchantId = newMerchant();
    const { code } = await stage.card(merchantId);
    const [one, two] = [merchantCaller(merchantId), merchantCaller(merchantId)];
    const wrong = { code: '7Q2M-4X9T-B0KD-3HWA-2' };
    for (let times = 0; times < 10; times++) assert.equal((await lookUp(one, { code })).status, 200);
    for (let times = 0; times < 3; times++) assertProblem(await lookUp(one, wrong), 404, 'not_found');
    const refusal = await lookUp(one, { code });
    assertProblem(refusal, 429, 'rate_limited');
    assert.equal(refusal.headers.get('retry-after'), '20');
    for (let times = 0; times < 2; times++) assertProblem(await lookUp(two, wrong), 404, 'not_found');
    assertProblem(await lookUp(two, { code }), 429, 'rate_limited');
    assert.equal((await lookUp(merchantCaller(newMerchant()), wrong)).status, 404, 'others are not touched');
    const work = await stage.workOf(() => lookUp(one, wrong));
    assert.deepEqual(work, { hmacs: 0, slowHashes: 0, statements: 0, cardReads: 0 });
    stage.monotonicMs += 20_000;
    assert.equal((await lookUp(one, { code })).status, 200);
  });

  it('count failures at the same time as if they came one after the other', async () => {
    const { lookUp } = await stageOf({ failures: { failuresOfCallerMax: 3 } });
    const caller = merchantCaller(newMerchant());
    const wrong = { code: '7Q2M-4X9T-B0KD-3HWA-2' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => lookUp(caller, wrong)));
    assert.equal(answers.filter(({ status }) => status === 404).length, 3);
  });

  it('move to the new key when they are looked up, with their PIN; others keep theirs', async () => {
    const [older, newer] = [newKey('k1'), newKey('k2')];
    const { stage: before } = await stageOf({ keys: [older] });
    const merchantId = newMerchant();
    const [moved, pinned, left] = [
      await before.card(merchantId),
      await before.card(merchantId, true),
      await before.card(merchantId),
    ];
    const { stage: during, lookUp } = await stageOf({ keys: [newer, older] });
    for (const { cardId } of [moved, pinned, left]) during.cards.set(cardId, merchantId);
    const caller = merchantCaller(merchantId);
    assertProblem(await lookUp(caller, { code: pinned.code, pin: other(pinned.pin ?? '') }), 403, 'giftcard_pin_wrong');
    assert.equal((await lookUp(caller, { code: moved.code })).status, 200);
    assert.equal((await lookUp(caller, { code: pinned.code, pin: pinned.pin })).status, 200);
    const keyOf = async ({ cardId }: { cardId: GiftcardId }) =>
      (await database.sql`select key_id from giftcard_codes where card_id = ${cardId}`)[0]?.['key_id'];
    assert.deepEqual([await keyOf(moved), await keyOf(pinned), await keyOf(left)], ['k2', 'k2', 'k1']);
    assert.deepEqual(
      (await during.store.keyIds()).filter((keyId) => ['k1', 'k2'].includes(keyId)),
      ['k1', 'k2'],
    );
    const { stage: after, lookUp: lookUpAfter } = await stageOf({ keys: [newer] });
    for (const { cardId } of [moved, pinned, left]) after.cards.set(cardId, merchantId);
    assert.equal((await lookUpAfter(caller, { code: moved.code })).status, 200);
    assert.equal((await lookUpAfter(caller, { code: pinned.code, pin: pinned.pin })).status, 200);
    assertProblem(await lookUpAfter(caller, { code: left.code }), 404, 'not_found');
  });

  it('are refused clearly where there is no key for them, and the log says which are missing', async () => {
    await (await stageOf()).stage.card(newMerchant());
    const { log, lines } = recorded();
    const options = { database: pool, cards: { read: async () => null }, log };
    const without = createCodesModule({ ...options, keys: [], metrics: createMetrics() });
    const server = await startServer(without.handlers);
    servers.push(server);
    const caller = merchantCaller(newMerchant());
    const lookUp = await server.client.post('/v1/giftcards/lookup', { code: '7Q2M-4X9T-B0KD-3HWA-2' }, { caller });
    assertProblem(lookUp, 501, 'giftcard_codes_not_configured');
    const unlock = await server.client.post(`/v1/giftcards/${newCard()}/pin/unlock`, undefined, { caller });
    assertProblem(unlock, 501, 'giftcard_codes_not_configured');
    await assert.rejects(without.book.assign([]), { code: 'giftcard_codes_not_configured' });
    await without.start();
    assert.match(lines.join(''), /GIFTCARD_CODE_KEYS is not set.*"missing":\[.*"k1".*not configured/s);
    lines.length = 0;
    await createCodesModule({ ...options, keys: [newKey('k9')], metrics: createMetrics() }).start();
    assert.match(lines.join(''), /"unused":\["k9"\],"missing":\[/);
  });

  it('leave no trace in the log or the table: neither code, PIN, nor hash', async () => {
    const lines: string[] = [];
    const { stage, lookUp } = await stageOf({ lines });
    const merchantId: MerchantId = newMerchant();
    const caller = merchantCaller(merchantId);
    const { cardId, code, pin } = await stage.card(merchantId, true);
    assert.ok(pin);
    await lookUp(caller, { code, pin: other(pin) });
    await lookUp(caller, { code, pin });
    const found = { type: 'found', cardId, lastFour: 'XXXX', hasPin: true, keyId: 'k1' } as const;
    const broken = new Error('the database is gone');
    stage.store.forgive = () => Promise.reject(broken);
    await assert.rejects(stage.book.welcome(merchantId, code, pin, found), broken);
    stage.store.forgive = () =>
      Promise.reject(new DatabaseUnavailable('away', { cause: broken, connectionLost: true }));
    await stage.book.welcome(merchantId, code, pin, found);
    assert.match(lines.join(''), /could not be noted/, 'there is a log to look into');
    const [row] = await database.sql`select encode(code_hash, 'hex') as code, encode(pin_hash, 'hex') as pin,
      giftcard_codes::text as text from giftcard_codes where card_id = ${cardId}`;
    const canonical = giftcardCodes.readCode(code) ?? '';
    for (const secret of [code, canonical, canonical.slice(0, 16)]) {
      assert.ok(!lines.join('').includes(secret));
      assert.ok(!String(row?.['text']).includes(secret));
    }
    for (const hashed of [row?.['code'], row?.['pin']]) assert.ok(!lines.join('').includes(String(hashed)));
    assert.ok(!withoutChance(lines).includes(pin));
  });
});

describe('the slow hash', () => {
  it('works on a bounded number at a time, keeps a bounded number waiting, and refuses one more', async () => {
    const slow = new SlowHash({ pinsAtOnceMax: 2, pinsWaitingMax: 3 });
    const [secret, salt] = [Buffer.from('secret'), Buffer.alloc(16)];
    const asked = Array.from({ length: 8 }, () => slow.hash(secret, salt));
    assert.equal(slow.waiting, 3);
    const settled = await Promise.allSettled(asked);
    assert.deepEqual(
      settled.map(({ status }) => status),
      [...Array(5).fill('fulfilled'), ...Array(3).fill('rejected')],
    );
    assert.deepEqual(
      settled.flatMap((each) => (each.status === 'rejected' ? [each.reason.code] : [])),
      Array(3).fill('overloaded'),
    );
    assert.equal(slow.computed, 5);
    assert.deepEqual(await slow.hash(secret, salt), await slow.hash(secret, salt), 'places are free again');
    assert.notDeepEqual(await slow.hash(Buffer.from('other'), salt), await slow.hash(secret, salt));
  });

  it('keeps a place for who has not begun yet, and gives it back whatever comes of it', async () => {
    const slow = new SlowHash({ pinsAtOnceMax: 1, pinsWaitingMax: 1 });
    const [secret, salt] = [Buffer.from('secret'), Buffer.alloc(16)];
    const begin = Promise.withResolvers<void>();
    const late = slow.withPlace(async (hash) => {
      await begin.promise;
      return hash(secret, salt);
    });
    const others = [slow.hash(secret, salt), slow.hash(secret, salt)];
    const [one, other] = await Promise.allSettled(others);
    assert.deepEqual([one?.status, other?.status], ['fulfilled', 'rejected']);
    begin.resolve();
    assert.equal((await late).length, codeLimits.pinHash.bytes);
    await assert.rejects(
      slow.withPlace(() => Promise.reject(new Error('no'))),
      /no/,
    );
    await Promise.all([slow.hash(secret, salt), slow.hash(secret, salt)]);
  });
});
