import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fields from './fields.ts';
import {
  allows,
  type EdgeContext,
  formatContext,
  isUuid,
  ledgerTransactionEvent,
  limits,
  matchRoute,
  merchants,
  movements,
  parseContext,
  parseSigningKeys,
  problem,
  problemSchema,
  problemTable,
  type Route,
  routes,
  signingHead,
  validate,
  validateQuery,
  wallets,
} from './index.ts';
import { openapi } from './openapi.ts';

const walletId = '01890000-0000-7000-8000-000000000000';

describe('routes', () => {
  it('finds each route by its own path, and nothing by another', () => {
    for (const [id, route] of Object.entries(routes) as [string, Route][]) {
      const match = matchRoute(route.method, route.path.replace(/\{\w+\}/g, walletId));
      assert.ok(match.found && match.id === id, id);
    }
    assert.deepEqual(matchRoute('POST', `/v1/wallets/${walletId}/earn`), {
      found: true,
      id: 'wallets.earn',
      route: routes['wallets.earn'],
      params: { wallet_id: walletId },
    });
    for (const path of [
      '/',
      '/v1',
      '/v1/wallets/',
      '/v1/wallets//earn',
      '/v2/wallets',
      `/v1/wallets/${walletId}/spend`,
    ]) {
      assert.deepEqual(matchRoute('POST', path), { found: false, allow: [] });
    }
  });

  it('knows the other methods of a path', () => {
    assert.deepEqual(matchRoute('DELETE', '/v1/catalog'), { found: false, allow: ['GET', 'HEAD', 'POST'] });
    assert.deepEqual(matchRoute('GET', `/v1/wallets/${walletId}/burn`), { found: false, allow: ['POST'] });
    const literal = matchRoute('GET', '/v1/transactions/bulk');
    assert.deepEqual(literal, { found: false, allow: ['POST'] }, 'it is no transaction of that name');
    const head = matchRoute('HEAD', '/v1/catalog');
    assert.ok(head.found && head.id === 'catalog.list');
  });

  it('lets a scope do what it names, the operator everything, and anybody what is public', () => {
    assert.ok(allows([], null) && allows(['admin'], 'wallets:read') && allows(['wallets:read'], 'wallets:read'));
    assert.ok(
      !allows([], 'wallets:read') && !allows(['wallets:read'], 'wallets:write') && !allows(['wallets:write'], 'admin'),
    );
  });

  it('needs a key for every POST that changes anything, or for each of its lines, and caches public reads only', () => {
    const changesNothing = new Set<string>([
      routes['programs.quote'].path,
      routes['payments.quote'].path,
      routes['giftcards.lookup'].path,
    ]);
    for (const route of Object.values(routes) as Route[]) {
      const hasKeys = route.idempotent || route.format === 'ndjson';
      if (route.method === 'POST') assert.equal(hasKeys, !changesNothing.has(route.path), route.path);
      if (route.cacheS !== null) assert.ok(route.method === 'GET' && route.scope === null, route.path);
    }
  });
});

describe('schemas', () => {
  const good = { amount: 5, reference: 'order-1 é🎁', metadata: { channel: 'web', items: 3, gift: true } };

  it('accept the documented posting', () => {
    assert.deepEqual(validate(wallets.post, good), { ok: true, value: good });
  });

  const bad: readonly (readonly [string, unknown, string])[] = [
    ['no amount', {}, '/amount'],
    ['zero', { amount: 0 }, '/amount'],
    ['negative', { amount: -1 }, '/amount'],
    ['a fraction', { amount: 1.5 }, '/amount'],
    ['a text', { amount: '5' }, '/amount'],
    ['null', { amount: null }, '/amount'],
    ['too much', { amount: 1_000_000_000_001 }, '/amount'],
    ['an unknown member', { amount: 5, extra: 1 }, '/extra'],
    ['a control character', { amount: 5, reference: 'a\u0007b' }, '/reference'],
    ['an empty reference', { amount: 5, reference: '' }, '/reference'],
    ['nested metadata', { amount: 5, metadata: { a: { b: 1 } } }, '/metadata/a'],
    ['an array', [], ''],
  ];
  for (const [name, body, pointer] of bad) {
    it(`refuse ${name} and point at it`, () => {
      const result = validate(wallets.post, body);
      assert.ok(!result.ok);
      assert.equal(result.errors[0]?.pointer, pointer);
    });
  }

  it('refuse too much metadata', () => {
    const metadata = Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`m${index}`, index]));
    assert.equal(validate(wallets.post, { amount: 1, metadata }).ok, false);
  });

  it('read a query with its defaults, and refuse what stands twice or is unknown', () => {
    assert.deepEqual(validateQuery(wallets.pageQuery, ''), { ok: true, value: { limit: 25 } });
    assert.deepEqual(validateQuery(wallets.pageQuery, 'limit=7'), { ok: true, value: { limit: 7 } });
    for (const query of ['limit=0', 'limit=101', 'limit=x', 'limit=1&limit=2', 'page=2', 'cursor=%2F']) {
      assert.equal(validateQuery(wallets.pageQuery, query).ok, false, query);
    }
    assert.equal(validateQuery(null, 'a=1').ok, false);
    assert.equal(validateQuery(null, '').ok, true);
  });

  it('ask for at least 1, and show the 0 of what moves nothing', () => {
    const shown = {
      id: walletId,
      wallet_id: walletId,
      kind: 'freeze',
      amount: 0,
      unit: 'PTS',
      balance_after: -5,
      held_after: 0,
      version: 1,
      reference: null,
      reversal_of: null,
      metadata: null,
      created_at: '2026-01-01T00:00:00.000Z',
    };
    assert.ok(validate(wallets.transaction, shown).ok);
    assert.ok(!validate(wallets.transaction, { ...shown, amount: -1 }).ok);
    assert.ok(!validate(movements.createHold, { amount: 0 }).ok);
    assert.ok(ledgerTransactionEvent.shape.data.shape.amount.safeParse(0).success);
  });

  it('take an empty object where everything has a default, and fill it in', () => {
    assert.deepEqual(validate(movements.capture, {}), { ok: true, value: { final: false } });
    assert.deepEqual(validate(movements.release, {}), { ok: true, value: {} });
    assert.deepEqual(validate(movements.reverse, {}), { ok: true, value: {} });
  });

  it('refuse a transfer from a wallet to itself, and point at where it goes', () => {
    const result = validate(movements.createTransfer, { from_wallet_id: walletId, to_wallet_id: walletId, amount: 1 });
    assert.ok(!result.ok);
    assert.equal(result.errors[0]?.pointer, '/to_wallet_id');
  });

  it('give a program its rules by default', () => {
    const result = validate(merchants.createProgram, { name: 'P', unit: 'PTS' });
    assert.deepEqual(result, {
      ok: true,
      value: {
        name: 'P',
        unit: 'PTS',
        scale: 0,
        reversal_policy: { type: 'refuse' },
        hold_expires_in_s: limits.holdSecondsDefault,
      },
    });
  });

  it('accept the ids that we make', () => {
    assert.ok(isUuid(walletId) && fields.uuid.safeParse(walletId).success);
  });
});

describe('problems', () => {
  it('have their own schema, for every code', () => {
    for (const code of Object.keys(problemTable) as (keyof typeof problemTable)[]) {
      const document = problem(code, 'r', undefined, [{ pointer: '/a', code: 'x', detail: 'y' }]);
      assert.deepEqual(problemSchema.parse(document), document);
    }
  });
});

describe("the edge's signature", () => {
  const context: EdgeContext = {
    keyId: 'k1',
    timeMs: 1_700_000_000_000,
    nonce: 'AAAAAAAAAAAAAAAAAAAAAA',
    budgetMs: 10_000,
    clientIp: '2001:db8::1',
    merchantId: walletId,
    subject: walletId,
    scopes: ['wallets:read', 'transactions:write'],
  };

  it('carries its context unchanged', () => {
    assert.deepEqual(parseContext(formatContext(context)), context);
    const nobody = { ...context, merchantId: null, subject: 'public', clientIp: '-', scopes: [] };
    assert.deepEqual(parseContext(formatContext(nobody)), nobody);
  });

  it('reads no text that differs from the form', () => {
    const text = formatContext(context);
    const wrong = [
      '',
      `${text};`,
      ` ${text}`,
      `${text}\n`,
      text.replace('v2', 'v1'),
      text.replace('wallets:read', 'root'),
    ];
    for (const candidate of wrong) assert.equal(parseContext(candidate), null, candidate);
  });

  it('covers every part', () => {
    const base = ['c', 'POST', '/v1/x?y=1', 'key'] as const;
    const inputs = new Set([signingHead(...base)]);
    for (let part = 0; part < base.length; part++) {
      const changed = base.map((value, index) => (index === part ? `${value}x` : value)) as unknown as typeof base;
      inputs.add(signingHead(...changed));
    }
    assert.equal(inputs.size, base.length + 1);
  });

  it('reads its keys, and names every fault', () => {
    const secret = Buffer.alloc(32, 7).toString('base64url');
    assert.deepEqual(
      parseSigningKeys(`k2:${secret},k1:${secret}`).map(({ keyId, secret }) => [keyId, secret.length]),
      [
        ['k2', 32],
        ['k1', 32],
      ],
    );
    assert.throws(() => parseSigningKeys('K!:short,k1:AAAA'), /key 1: its id.*key 1: not 32.*key 2: not 32/);
    const other = Buffer.alloc(32, 8).toString('base64url');
    assert.throws(
      () => parseSigningKeys(`k1:${secret},k2:${other}, k1:${other}`),
      /^Error: key 3: its id stands twice$/,
    );
    assert.throws(() => parseSigningKeys(`k1:${secret}:junk`), /^Error: key 1: has more than an id and a secret$/);
    assert.throws(() => parseSigningKeys(`k1:${secret.slice(0, -1)}d`), /^Error: key 1: not 32/, 'bits left over');
  });
});

/** By a pattern, or because it has a closed set of values or a format. */
function refusesNul(schema: Readonly<Record<string, unknown>>): boolean {
  const parts = [schema, ...((schema['allOf'] as Record<string, unknown>[] | undefined) ?? [])];
  return (
    ['enum', 'const', 'format'].some((member) => member in schema) ||
    parts.some(({ pattern }) => typeof pattern === 'string' && !new RegExp(pattern, 'u').test('\0'))
  );
}

describe('OpenAPI', () => {
  it('documents every route, with a problem for every 4xx and 5xx', () => {
    const { paths } = openapi() as { paths: Record<string, Record<string, { responses: Record<string, unknown> }>> };
    for (const [id, route] of Object.entries(routes) as [string, Route][]) {
      const operation = paths[route.path]?.[route.method.toLowerCase()];
      assert.ok(operation, id);
      assert.ok(operation.responses[String(route.status)], id);
      assert.equal('401' in operation.responses, route.scope !== null, id);
    }
  });

  it('says of every text of a request which characters it has: none has U+0000, and any is refused that has it', () => {
    const { paths, components } = openapi() as {
      paths: Record<string, Record<string, { parameters?: unknown; requestBody?: unknown }>>;
      components: { schemas: Record<string, unknown> };
    };
    const texts: string[] = [];
    const silent: string[] = [];
    const seen = new Set<string>();
    const walk = (node: unknown, place: string): void => {
      if (typeof node !== 'object' || node === null) return;
      const schema = node as Record<string, unknown>;
      const { type, $ref: reference } = schema;
      if (typeof reference === 'string' && !seen.has(reference)) {
        seen.add(reference);
        const name = reference.slice('#/components/schemas/'.length);
        walk(components.schemas[name], name);
      }
      if (type === 'string' || (Array.isArray(type) && type.includes('string'))) {
        texts.push(place);
        if (!refusesNul(schema)) silent.push(place);
      }
      for (const [member, value] of Object.entries(schema)) walk(value, `${place}/${member}`);
    };
    for (const [path, operations] of Object.entries(paths)) {
      for (const [method, { parameters, requestBody }] of Object.entries(operations)) {
        walk([parameters, requestBody], `${method} ${path}`);
      }
    }
    assert.ok(texts.length > 100, `only ${texts.length} texts were found`);
    assert.deepEqual(silent, []);
  });
});
