/**
 * A process is killed before and after every call that it makes for an activity: whoever comes next, the sweep of another process
 * or the client with the same key, brings it to the same end, and nothing happens twice.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { giftcards, type RouteId } from '@local-plus/contracts';
import { eventually } from '../../test/stack.ts';
import { type Cut, itemId, type Process, Rig } from './test/rig.ts';

interface Scene {
  readonly route: RouteId;
  /** What is there before. The card that the path names; none: there is none yet. */
  readonly make?: (rig: Rig, process: Process) => Promise<string>;
  readonly body: (rig: Rig) => object;
  /** What is in the ledger at the end, in the order of the accounts' rows, beside what was there before. */
  readonly posts: readonly string[];
  /** By activity: what is announced at the end, in this order. */
  readonly tells: readonly string[];
}

const why = { reason: 'why' };
const key = (): string => crypto.randomUUID();

async function issued(rig: Rig, { call }: Process, body: object = {}): Promise<string> {
  const asked = { program_id: rig.programId, amount: 100, activate: true, pin: false, ...body };
  const answer = await call('giftcards.issue', [], asked, key());
  return giftcards.issuedGiftcard.parse(JSON.parse(answer.body)).id;
}

async function blocked(rig: Rig, process: Process): Promise<string> {
  const id = await issued(rig, process);
  await process.call('giftcards.block', [id], why, key());
  return id;
}

const scenes: Readonly<Record<string, Scene>> = {
  'an issue': {
    route: 'giftcards.issue',
    body: ({ programId }) => ({ program_id: programId, amount: 100, activate: true, pin: false }),
    posts: ['load 100'],
    tells: ['issue', 'activate'],
  },
  'an issue of a catalog item': {
    route: 'giftcards.issue',
    body: ({ programId }) => ({
      program_id: programId,
      amount: 100,
      catalog_item_id: itemId,
      activate: true,
      pin: false,
    }),
    posts: ['load 100'],
    tells: ['issue', 'activate'],
  },
  'an issue of nothing': {
    route: 'giftcards.issue',
    body: ({ programId }) => ({ program_id: programId, amount: 0, activate: true, pin: false }),
    posts: [],
    tells: ['issue', 'activate'],
  },
  'an import': {
    route: 'giftcards.import',
    body: ({ programId }) => ({ program_id: programId, amount: 40, external_id: key(), pin: false }),
    posts: ['load 40'],
    tells: ['import', 'activate'],
  },
  'an activation': {
    route: 'giftcards.activate',
    make: (rig, process) => issued(rig, process, { activate: false }),
    body: () => ({}),
    posts: ['load 100'],
    tells: ['activate'],
  },
  'an unblocking': { route: 'giftcards.unblock', make: blocked, body: () => why, posts: ['unfreeze 0'], tells: [] },
  'a link': {
    route: 'giftcards.link',
    make: issued,
    body: () => ({ customer_id: key() }),
    posts: [],
    tells: ['link'],
  },
  'a deactivation': {
    route: 'giftcards.deactivate',
    make: issued,
    body: () => why,
    posts: ['freeze 0', 'adjust -100'],
    tells: ['deactivate'],
  },
  'a deactivation of a blocked card': {
    route: 'giftcards.deactivate',
    make: blocked,
    body: () => why,
    posts: ['adjust -100'],
    tells: ['deactivate'],
  },
  'a replacement': {
    route: 'giftcards.replace',
    make: issued,
    body: () => ({ ...why, pin: false }),
    posts: ['freeze 0', 'transfer_out -100', 'transfer_in 100'],
    tells: ['issue', 'replace'],
  },
};

describe('an activity whose process is killed', () => {
  let rig: Rig;

  before(async () => {
    rig = await Rig.start();
  });
  after(() => rig.stop());

  interface Seen {
    readonly posts: string[];
    readonly tells: string[];
    readonly states: string[];
    readonly open: number;
  }

  /** All that is there of cards and their activities, beside what was there before. */
  async function seen(since: Awaited<ReturnType<typeof marks>>): Promise<Seen> {
    const { sql } = rig.database;
    const posts = await sql`
      select kind::text as kind, balance_delta::int as delta from transactions where seq > ${since.seq}::bigint order by seq`;
    const tells = await sql`
      select payload->'data'->>'activity' as activity from outbox where place > ${since.place}::bigint order by place`;
    const states = await sql`
      select c.status, a.activity, a.status as ended from giftcard_activities as a join giftcards as c on c.id = a.card_id
      where not (a.id = any(${since.activities}::uuid[])) order by a.activity, a.status`;
    return {
      posts: posts.map(({ kind, delta }) => `${kind} ${delta}`),
      tells: tells.map(({ activity }) => activity),
      states: states.map(({ status, activity, ended }) => `${activity} ${ended}, ${status}`),
      open: states.filter(({ ended }) => ended === 'open').length,
    };
  }

  async function marks() {
    const { sql } = rig.database;
    const [row] = await sql`
      select coalesce((select max(seq) from transactions), 0)::text as seq,
        coalesce((select max(place) from outbox), 0)::text as place,
        coalesce((select array_agg(id) from giftcard_activities), '{}') as activities`;
    return row as { seq: string; place: string; activities: string[] };
  }

  async function swept(): Promise<void> {
    const { cards } = rig.process();
    cards.start();
    await eventually('nothing is open', async () => {
      const [row] = await rig.database.sql`select count(*)::int as open from giftcard_activities where status = 'open'`;
      return row?.['open'] === 0;
    });
    await cards.stop();
  }

  for (const [title, scene] of Object.entries(scenes)) {
    for (const how of ['the sweep', 'its client'] as const) {
      it(`${title}; ${how} goes on`, () => killedEverywhere(scene, how));
    }
  }

  for (const [title, scene] of Object.entries(scenes)) {
    it(`${title}, asked for by many at once with one key, and swept meanwhile, is done once`, async () => {
      await rig.forget();
      const card = await scene.make?.(rig, rig.process());
      const body = scene.body(rig);
      const since = await marks();
      const asked = key();
      const params = card === undefined ? [] : [card];
      const sweeping = rig.process();
      sweeping.cards.start();
      const calls = Array.from({ length: 8 }, () => rig.process().call(scene.route, params, body, asked));
      const answers = await Promise.all(calls);
      await sweeping.cards.stop();
      for (const { status, body: text } of answers) assert.equal(status, 201, text);
      const { posts, tells, open } = await seen(since);
      assert.deepEqual([posts, tells, open], [scene.posts, scene.tells, 0]);
    });
  }

  async function killedEverywhere(scene: Scene, how: How): Promise<void> {
    const wanted = await played(scene, null, how);
    assert.deepEqual([wanted.seen.posts, wanted.seen.tells], [scene.posts, scene.tells]);
    let kills = 0;
    for (let call = 1, isReached = true; isReached; call++) {
      isReached = false;
      for (const cut of ['before', 'after'] as const) {
        const { seen: found, isKilled } = await played(scene, { call, cut }, how);
        if (!isKilled) continue;
        isReached = true;
        kills++;
        // Before it was begun nobody but its client can know of it.
        const isNothing = how === 'the sweep' && found.states.length === 0;
        assert.deepEqual(found, isNothing ? nothing : wanted.seen, `killed ${cut} call ${call}`);
      }
    }
    assert.ok(kills >= 4, `killed ${kills} times`);
  }

  async function played(scene: Scene, fate: { call: number; cut: Cut } | null, how: How) {
    await rig.forget();
    const whole = rig.process();
    const card = await scene.make?.(rig, whole);
    const body = scene.body(rig);
    const since = await marks();
    const doomed = rig.process(fate);
    const asked = key();
    const params = card === undefined ? [] : [card];
    const first = await doomed.call(scene.route, params, body, asked).catch((error: unknown) => error);
    const isKilled = doomed.isDead();
    if (!isKilled) assert.ok(!(first instanceof Error), String(first));
    if (how === 'its client') {
      const answer = await rig.process().call(scene.route, params, body, asked);
      assert.equal(answer.status, 201, answer.body);
      const again = await rig.process().call(scene.route, params, body, asked);
      assert.deepEqual(JSON.parse(again.body), withoutSecrets(JSON.parse(answer.body)));
    } else {
      await swept();
    }
    return { seen: await seen(since), isKilled };
  }

  for (const title of ['an issue', 'an issue of a catalog item', 'an import', 'a replacement']) {
    it(`${title}: a code that is stored is shown, whatever is away from then on`, async () => {
      const scene = scenes[title] as Scene;
      let shown = 0;
      for (let call = 1, isDead = true; isDead; call++) {
        await rig.forget();
        const card = await scene.make?.(rig, rig.process());
        const params = card === undefined ? [] : [card];
        const [body, asked, since] = [scene.body(rig), key(), await marks()];
        const doomed = rig.process({ call, cut: 'before' });
        const answer = await doomed.call(scene.route, params, body, asked).catch(() => null);
        isDead = doomed.isDead();
        assert.equal(answer !== null, (await seen(since)).states.length > 0, `without call ${call}`);
        if (answer === null) continue;
        shown++;
        const { code, id, created_at } = giftcards.issuedGiftcard.parse(JSON.parse(answer.body));
        assert.ok(code);
        const again = await rig.process().call(scene.route, params, body, asked);
        const replayed = giftcards.issuedGiftcard.parse(JSON.parse(again.body));
        assert.deepEqual([replayed.id, replayed.code, replayed.created_at], [id, null, created_at]);
      }
      assert.ok(shown >= 3, `${shown} were shown`);
    });
  }

  it('when the stock is out: the card is none, whoever goes on, and the key keeps saying so', async () => {
    await rig.forget();
    const { stock } = rig;
    rig.stock = 0;
    const body = { program_id: rig.programId, amount: 100, catalog_item_id: itemId, activate: true, pin: false };
    const asked = key();
    for (const fate of [{ call: 6, cut: 'before' } as const, null, null]) {
      const { call } = rig.process(fate);
      const answer = await call('giftcards.issue', [], body, asked).catch(() => null);
      if (fate !== null) continue;
      assert.deepEqual([answer?.status, JSON.parse(answer?.body ?? '{}').code], [409, 'out_of_stock']);
    }
    const [row] = await rig.database.sql`select status from giftcards`;
    assert.equal(row?.['status'], 'deactivated');
    rig.stock = stock;
  });
});

type How = 'the sweep' | 'its client';
const nothing = { posts: [], tells: [], states: [], open: 0 };

function withoutSecrets(answer: Record<string, unknown>): Record<string, unknown> {
  return 'code' in answer ? { ...answer, code: null, pin: null } : answer;
}
