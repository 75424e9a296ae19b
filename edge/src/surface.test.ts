/** What the world sees of the edge beyond its routes: browsers, bots, security.txt, versions, security headers. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { authorized, createStage, earn, earnPath, key, type Stage, startMs, told, walletId } from '../test/stage.ts';
import type { CallerFacts } from './ports.ts';
import { plainSurface, type SurfaceConfig } from './surface-config.ts';

const shop = 'https://shop.example';
const catalog = '/v1/catalog';

async function stageWith(surface: Partial<SurfaceConfig>): Promise<Stage> {
  const { ports } = await createStage();
  return createStage({ config: { ...ports.config, surface: { ...plainSurface, ...surface } } });
}

function preflight(origin: string, method = 'POST'): RequestInit {
  return { method: 'OPTIONS', headers: { origin, 'access-control-request-method': method } };
}

describe('a browser of a listed origin', () => {
  it('may preflight without a key, uncounted, and without the origin', async () => {
    const stage = await stageWith({ corsOrigins: [shop] });
    for (let count = 0; count < 150; count++) {
      assert.equal((await stage.ask(earnPath, preflight(shop))).status, 204);
    }
    const answer = await stage.ask(earnPath, preflight(shop));
    assert.equal(answer.headers.get('access-control-allow-origin'), shop);
    assert.equal(answer.headers.get('access-control-allow-methods'), 'POST');
    assert.match(answer.headers.get('access-control-allow-headers') ?? '', /authorization.*idempotency-key/);
    assert.equal(answer.headers.get('access-control-max-age'), '600');
    assert.equal(answer.headers.get('access-control-allow-credentials'), null);
    assert.equal(answer.headers.get('vary'), 'origin');
    assert.deepEqual([stage.asked, stage.lookUps], [[], []]);
  });

  it('is told the methods of the route table', async () => {
    const stage = await stageWith({ corsOrigins: [shop] });
    const methods = async (path: string) =>
      (await stage.ask(path, preflight(shop))).headers.get('access-control-allow-methods');
    assert.equal(await methods(`/v1/wallets/${walletId}/balance`), 'GET, HEAD');
    assert.equal(await methods(catalog), 'GET, HEAD, POST');
    assert.equal(await methods('/openapi.json'), 'GET, HEAD');
    assert.equal(await told(await stage.ask('/v1/nothing', preflight(shop))), '404 not_found');
  });

  it('may read answers and refusals, and the headers that say something', async () => {
    const stage = await stageWith({ corsOrigins: [shop] });
    for (const init of [earn('{"amount":5}', { origin: shop }), earn('{"amount":0}', { origin: shop })]) {
      const answer = await stage.ask(earnPath, init);
      assert.equal(answer.headers.get('access-control-allow-origin'), shop);
      const exposed = answer.headers.get('access-control-expose-headers') ?? '';
      for (const name of ['x-request-id', 'idempotent-replayed', 'ratelimit', 'retry-after', 'etag']) {
        assert.ok(exposed.split(', ').includes(name), name);
      }
    }
  });
});

describe('a browser of another origin', () => {
  for (const origin of ['https://evil.example', `${shop}.evil.example`, 'http://shop.example', `${shop}:444`, 'null']) {
    it(`may not preflight: ${origin}`, async () => {
      const stage = await stageWith({ corsOrigins: [shop] });
      const answer = await stage.ask(earnPath, preflight(origin));
      assert.equal(answer.headers.get('access-control-allow-origin'), null);
      assert.equal(answer.headers.get('vary'), 'origin');
      assert.equal(await told(answer), '403 origin_not_allowed');
    });
  }

  it('is answered as if there were no CORS', async () => {
    const stage = await stageWith({ corsOrigins: [shop] });
    const answer = await stage.ask(earnPath, earn('{"amount":5}', { origin: 'https://evil.example' }));
    assert.equal(answer.status, 201);
    assert.equal(answer.headers.get('access-control-allow-origin'), null);
  });
});

describe('CORS', () => {
  it('is off unless configured', async () => {
    const stage = await createStage();
    const answer = await stage.ask(earnPath, preflight(shop));
    assert.equal(answer.headers.get('allow'), 'POST');
    assert.equal(await told(answer), '405 method_not_allowed');
    assert.equal((await stage.ask(catalog)).headers.get('vary'), null);
  });

  it('varies every answer by origin, also the one that nobody asked it of', async () => {
    const stage = await stageWith({ corsOrigins: [shop] });
    assert.equal((await stage.ask(catalog)).headers.get('vary'), 'origin');
  });

  it('takes OPTIONS without its headers for what it is', async () => {
    const stage = await stageWith({ corsOrigins: [shop] });
    const answer = await stage.ask(earnPath, { method: 'OPTIONS', headers: { origin: shop } });
    assert.equal(await told(answer), '405 method_not_allowed');
  });
});

describe('the bot policy', () => {
  const policy = { scoreMin: 30, blockedAsns: new Set([64_496]), blockedCountries: new Set(['T1']) };
  const withKey = { authorization: `Bearer ${key}` };
  const madeUp = { authorization: 'Bearer lp_live_00000000000000000000000000000000' };

  const rows: readonly (readonly [string, CallerFacts, Record<string, string>, string])[] = [
    ['a person', { botScore: 90, asn: 1, country: 'DE' }, {}, '200'],
    ['a score just enough', { botScore: 30 }, {}, '200'],
    ['a score below', { botScore: 29 }, {}, '403 bot_suspected'],
    ['a verified bot', { botScore: 1, isVerifiedBot: true }, {}, '200'],
    ['a listed network', { botScore: 90, asn: 64_496 }, {}, '403 network_blocked'],
    [
      'a verified bot of a listed network',
      { botScore: 1, isVerifiedBot: true, asn: 64_496 },
      {},
      '403 network_blocked',
    ],
    ['a listed country', { country: 'T1' }, {}, '403 network_blocked'],
    ['somebody of whom nothing is known', {}, {}, '200'],
    ['a known key', { botScore: 1, asn: 64_496, country: 'T1' }, withKey, '200'],
    ['a made-up key', { botScore: 1 }, madeUp, '403 bot_suspected'],
  ];
  for (const [name, caller, headers, expected] of rows) {
    it(`${name}: ${expected}`, async () => {
      const stage = await stageWith({ bots: policy });
      stage.answer(() => new Response('{}'));
      const request = new Request(`https://edge.test${catalog}`, { headers });
      const info = { clientAddress: '192.0.2.1', waitUntil: () => undefined, caller: () => caller };
      const answer = await stage.edge(request, info);
      assert.equal(answer.headers.has('ratelimit'), expected !== '200', 'what is refused was counted');
      assert.equal(await told(answer), expected);
      assert.equal(stage.asked.length, expected === '200' ? 1 : 0);
    });
  }

  it('is off unless configured: nobody is asked about the caller', async () => {
    const stage = await createStage();
    stage.answer(() => new Response('{}'));
    const caller = () => assert.fail('asked');
    const info = { clientAddress: '192.0.2.1', waitUntil: () => undefined, caller };
    assert.equal((await stage.edge(new Request(`https://edge.test${catalog}`), info)).status, 200);
  });
});

describe('security.txt', () => {
  const securityTxt = {
    contacts: ['mailto:security@local-plus.example', 'https://local-plus.example/report'],
    languages: 'en, de',
    policyUrl: null,
    publicUrl: 'https://api.local-plus.example',
  };

  it('says whom to tell, and until when that is so', async () => {
    const stage = await stageWith({ securityTxt });
    const answer = await stage.ask('/.well-known/security.txt');
    assert.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8');
    assert.equal(answer.headers.get('cache-control'), 'public, max-age=86400');
    const text = await answer.text();
    assert.deepEqual(
      text.split('\n').slice(0, 2),
      securityTxt.contacts.map((contact) => `Contact: ${contact}`),
    );
    assert.match(
      text,
      /\nPreferred-Languages: en, de\nCanonical: https:\/\/api\.[^\n]*\/\.well-known\/security\.txt\n$/,
    );
    const expiresMs = Date.parse(/Expires: (.*)\n/.exec(text)?.[1] ?? '');
    const days = (expiresMs - startMs) / 86_400_000;
    assert.ok(days > 179 && days <= 180, String(days));
  });

  it('stays the same for a day, and moves on', async () => {
    const stage = await stageWith({ securityTxt });
    const read = async () => (await stage.ask('/.well-known/security.txt')).text();
    const first = await read();
    stage.passMs(1_000);
    assert.equal(await read(), first);
    stage.passMs(86_400_000);
    assert.notEqual(await read(), first);
  });

  it('is not there unless configured, and takes no POST', async () => {
    const plain = await createStage();
    assert.equal(await told(await plain.ask('/.well-known/security.txt')), '404 not_found');
    const stage = await stageWith({ securityTxt });
    assert.equal(await told(await stage.ask('/.well-known/security.txt', earn())), '405 method_not_allowed');
  });
});

describe('a version', () => {
  const rows: readonly (readonly [string, RegExp])[] = [
    ['/v2/wallets', /^This API serves \/v1\.$/],
    ['/v0', /^This API serves \/v1\.$/],
    ['/v1/nothing', /^There is nothing here\.$/],
    ['/v1x/wallets', /^There is nothing here\.$/],
    ['/V2/wallets', /^There is nothing here\.$/],
  ];
  for (const [path, expected] of rows) {
    it(`in ${path} is answered: ${expected.source}`, async () => {
      const answer = await (await createStage()).ask(path, { headers: authorized });
      assert.equal(answer.status, 404);
      assert.match(((await answer.json()) as { detail: string }).detail, expected);
    });
  }
});

describe('the security headers', () => {
  it('stand on answers, refusals and preflights', async () => {
    const stage = await stageWith({ corsOrigins: [shop] });
    for (const answer of [
      await stage.ask(earnPath, earn()),
      await stage.ask('/nothing'),
      await stage.ask(earnPath, preflight(shop)),
    ]) {
      assert.equal(answer.headers.get('x-frame-options'), 'DENY');
      assert.equal(answer.headers.get('cross-origin-resource-policy'), 'same-origin');
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
      assert.match(answer.headers.get('strict-transport-security') ?? '', /max-age=31536000/);
      assert.equal(answer.headers.get('cache-control'), 'no-store');
    }
  });
});
