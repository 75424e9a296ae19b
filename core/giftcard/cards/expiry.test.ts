/** The last day of cards, by the sweep, on a real Postgres and a real ledger: in the merchant's time zone, said before, once. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import {
  type AccountId,
  announcedEvents,
  giftcards,
  type IdempotencyKey,
  type RequestId,
  uuidV7,
} from '@local-plus/contracts';
import { eventually } from '../../test/stack.ts';
import { cardLimits } from './limits.ts';
import { type Process, Rig, requestMs } from './test/rig.ts';

const { dayMs } = cardLimits;
const minute = 60_000;
const key = (): string => crypto.randomUUID();
const why = { reason: 'why' };

describe('the end of gift cards', () => {
  let rig: Rig;
  let process: Process;

  before(async () => {
    rig = await Rig.start();
  });
  after(() => rig.stop());
  beforeEach(async () => {
    await rig.forget();
    rig.aheadMs = 0;
    rig.timeZone = 'UTC';
    process = rig.process();
  });

  const dayAfter = (days: number): string => new Date(Date.now() + days * dayMs).toISOString().slice(0, 10);

  async function issued(body: object = {}): Promise<giftcards.IssuedGiftcard> {
    const asked = { program_id: rig.programId, amount: 100, activate: true, pin: false, ...body };
    return giftcards.issuedGiftcard.parse(JSON.parse((await process.call('giftcards.issue', [], asked, key())).body));
  }

  async function ask(
    route: Parameters<Process['call']>[0],
    id: string,
    body: object,
  ): Promise<Record<string, unknown>> {
    return JSON.parse((await process.call(route, [id], body, key())).body);
  }

  const read = (id: string) => ask('giftcards.read', id, {});

  /** Until the sweep has nothing more to do at a moment that is so far ahead. */
  async function swept(aheadMs: number): Promise<void> {
    rig.aheadMs = aheadMs;
    const { cards } = rig.process();
    cards.start();
    await eventually('nothing is to be done', async () => {
      const at = new Date(rig.nowMs());
      const [row] = await rig.database.sql`
        select count(*)::int as due from giftcards where settle_at <= ${at} or notice_at <= ${at}`;
      return row?.['due'] === 0;
    });
    await cards.stop();
  }

  async function kinds(id: string): Promise<string[]> {
    const rows = await rig.database.sql`
      select kind::text as kind, balance_delta::int as delta from transactions where account_id = ${id} order by version`;
    return rows.map(({ kind, delta }) => `${kind} ${delta}`);
  }

  async function told(): Promise<string[]> {
    const rows = await rig.database.sql`
      select payload, payload->>'event_type' as type, payload->'data' as data from outbox order by place`;
    return rows.map(({ payload, type, data }) => {
      announcedEvents[type as keyof typeof announcedEvents].schema.parse(payload);
      return type === 'giftcard.expiring' ? `${data.days_left} days, ${data.balance}` : data.activity;
    });
  }

  it("comes when the last day is over in the merchant's time zone, and no earlier", async () => {
    rig.timeZone = 'Pacific/Kiritimati';
    const on = dayAfter(10);
    const card = await issued({ expires_on: on });
    assert.equal(card.expires_at, new Date(Date.parse(`${on}T10:00:00Z`)).toISOString());
    const leftMs = Date.parse(card.expires_at ?? '') - Date.now();
    await swept(leftMs - minute);
    assert.equal((await read(card.id))['state'], 'active');
    assert.deepEqual(await kinds(card.id), ['load 100']);
    // Its state says so at once; what is left goes a moment later.
    rig.aheadMs = leftMs + 1;
    assert.deepEqual([(await read(card.id))['state'], (await read(card.id))['balance']], ['expired', 100]);
    assert.equal((await ask('giftcards.redeem', card.id, { amount: 1 }))['code'], 'giftcard_expired');
    await swept(leftMs + cardLimits.settleAfterMs);
    assert.deepEqual(await kinds(card.id), ['load 100', 'expire -100', 'freeze 0']);
    assert.deepEqual([(await read(card.id))['state'], (await read(card.id))['balance']], ['expired', 0]);
    assert.equal((await told()).filter((each) => each === 'expire').length, 1);
  });

  it('is said 30, 7 and 1 days before, each once, with what is left', async () => {
    const card = await issued({ expires_on: dayAfter(40) });
    const leftMs = Date.parse(card.expires_at ?? '') - Date.now();
    for (const days of [31, 29.9, 29, 7.1, 6.9, 3, 0.9]) {
      await swept(leftMs - days * dayMs);
      if (days === 29) await ask('giftcards.redeem', card.id, { amount: 30 });
    }
    assert.deepEqual((await told()).slice(2), ['30 days, 100', '7 days, 70', '1 days, 70']);
  });

  it('is not said of what has nothing on it, or is not activated', async () => {
    const expires_on = dayAfter(3);
    const full = await issued({ expires_on });
    const empty = await issued({ expires_on });
    await ask('giftcards.redeem', empty.id, {});
    await issued({ expires_on, activate: false });
    await swept(Date.parse(full.expires_at ?? '') - Date.now() - 0.5 * dayMs);
    assert.deepEqual(
      (await told()).filter((each) => each.includes('days')),
      ['1 days, 100'],
    );
  });

  it('of a card with nothing on it, or a pending one, moves nothing', async () => {
    const empty = await issued({ expires_on: dayAfter(1), amount: 0 });
    const pending = await issued({ expires_on: dayAfter(1), activate: false });
    await swept(3 * dayMs);
    // Nobody can send anything any more to what could have been sent something.
    assert.deepEqual([await kinds(empty.id), await kinds(pending.id)], [['freeze 0'], []]);
    for (const { id } of [empty, pending]) assert.equal((await read(id))['state'], 'expired');
    assert.equal((await ask('giftcards.activate', pending.id, {}).catch((error) => error))['code'], 'giftcard_expired');
  });

  it('leaves what is held: it can be captured, and what comes free expires then', async () => {
    const card = await issued({ expires_on: dayAfter(1) });
    const held = await ask('giftcards.hold', card.id, { amount: 60, expires_in_s: 29 * 86_400 });
    await swept(3 * dayMs);
    assert.deepEqual(await kinds(card.id), ['load 100', 'hold 0', 'expire -40']);
    await post(card.id, { kind: 'capture', hold: 2, amount: 50, final: true, programId: rig.programId });
    assert.ok(held['id']);
    await swept(31 * dayMs);
    assert.deepEqual((await kinds(card.id)).slice(3), ['capture -50', 'expire -10', 'freeze 0']);
  });

  it('of a blocked card is the same', async () => {
    const card = await issued({ expires_on: dayAfter(1) });
    await ask('giftcards.block', card.id, why);
    await swept(3 * dayMs);
    assert.deepEqual(await kinds(card.id), ['load 100', 'freeze 0', 'expire -100']);
  });

  it('is posted once by two sweeps at once', async () => {
    const cards = await Promise.all(Array.from({ length: 20 }, () => issued({ expires_on: dayAfter(1) })));
    await Promise.all([swept(3 * dayMs), swept(3 * dayMs)]);
    for (const { id } of cards) assert.deepEqual(await kinds(id), ['load 100', 'expire -100', 'freeze 0']);
    assert.equal((await told()).filter((each) => each === 'expire').length, 20);
  });

  it('clears what comes free of a deactivated card, and brings what comes free of a replaced one to its heir', async () => {
    const gone = await issued();
    const lost = await issued();
    for (const { id } of [gone, lost]) await ask('giftcards.hold', id, { amount: 60, expires_in_s: 86_400 });
    await ask('giftcards.deactivate', gone.id, why);
    const heir = await ask('giftcards.replace', lost.id, { ...why, pin: false });
    assert.deepEqual([heir['balance'], (await read(lost.id))['replaced_by']], [40, heir['id']]);
    const programId = rig.programId;
    for (const { id } of [gone, lost]) await post(id, { kind: 'release', hold: 2, programId });
    await swept(3 * minute);
    assert.deepEqual(await kinds(gone.id), ['load 100', 'hold 0', 'freeze 0', 'adjust -40', 'release 0', 'adjust -60']);
    assert.equal((await read(lost.id))['balance'], 0);
    assert.deepEqual(await kinds(String(heir['id'])), ['transfer_in 40', 'transfer_in 60']);
  });

  it('finds what comes free early, long before the hold would be over', async () => {
    const lost = await issued();
    await ask('giftcards.hold', lost.id, { amount: 60, expires_in_s: 20 * 86_400 });
    const heir = await ask('giftcards.replace', lost.id, { ...why, pin: false });
    await swept(3 * minute);
    assert.deepEqual([(await read(lost.id))['balance'], (await read(String(heir['id'])))['balance']], [60, 40]);
    await post(lost.id, { kind: 'release', hold: 2, programId: rig.programId });
    await swept(3 * minute + cardLimits.settleHeldMs);
    assert.deepEqual([(await read(lost.id))['balance'], (await read(String(heir['id'])))['balance']], [0, 100]);
  });

  it('finds what comes back to an empty card, and looks less and less often', async () => {
    const gone = await issued();
    const other = await issued();
    await ask('giftcards.block', other.id, why);
    const as = { kind: 'transfer_out', partner: other.id as AccountId, evenFrozen: false } as const;
    const { sql } = rig.database;
    // The way to the other card is held up, from its first moment on.
    await sql`alter table open_transfers alter opened_at set default now() + interval '1 hour'`;
    await post(gone.id, { kind: 'clear', as, programId: rig.programId });
    await sql`alter table open_transfers alter opened_at set default now()`;
    await ask('giftcards.deactivate', gone.id, why);
    await swept(3 * minute);
    assert.deepEqual(await kinds(gone.id), ['load 100', 'transfer_out -100', 'freeze 0']);
    await sql`update open_transfers set opened_at = now() - interval '1 hour' where account_id = ${gone.id}`;
    await eventually('it came back', async () => (await read(gone.id))['balance'] === 100);
    await swept(8 * minute);
    assert.deepEqual((await kinds(gone.id)).slice(3), ['reverse 100', 'adjust -100']);
    const looksAgain = async () => {
      const [row] = await sql`select settle_at from giftcards where id = ${gone.id}`;
      return row?.['settle_at'] !== null;
    };
    await swept(cardLimits.comesBackMs);
    assert.equal(await looksAgain(), true);
    await swept(3 * cardLimits.comesBackMs);
    assert.equal(await looksAgain(), false);
  });

  it('waits for an heir that is blocked', async () => {
    const lost = await issued();
    await ask('giftcards.hold', lost.id, { amount: 60, expires_in_s: 86_400 });
    const heir = await ask('giftcards.replace', lost.id, { ...why, pin: false });
    await ask('giftcards.block', String(heir['id']), why);
    await post(lost.id, { kind: 'release', hold: 2, programId: rig.programId });
    await swept(3 * minute);
    assert.equal((await read(lost.id))['balance'], 60);
    await ask('giftcards.unblock', String(heir['id']), why);
    await swept(6 * minute);
    assert.deepEqual([(await read(lost.id))['balance'], (await read(String(heir['id'])))['balance']], [0, 100]);
  });

  it('stays what it is when the day is over already, whatever a card is asked for', async () => {
    await assert.rejects(issued({ expires_on: dayAfter(-1) }), { code: 'expires_on_passed' });
    assert.deepEqual(await told(), []);
  });

  async function post(id: string, command: Parameters<Rig['ledger']['desk']['post']>[0]['command']): Promise<void> {
    const terms = await process.cards.accounts.find(id as AccountId);
    assert.ok(terms);
    const receipt = await rig.ledger.desk.post({
      terms,
      command,
      key: key() as IdempotencyKey,
      requestId: uuidV7<RequestId>(Date.now()),
      traceparent: null,
      deadlineMs: performance.now() + requestMs,
    });
    assert.equal(receipt.type, 'posted');
  }
});
