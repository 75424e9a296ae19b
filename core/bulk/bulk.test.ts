/** Bulk on the real stack below the edge: what each line becomes, and that sending again does what was not done, once. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { type bulk, type ProblemCode, wallets } from '@local-plus/contracts';
import { signHeaders } from '../platform/http/index.ts';
import { RawConnection } from '../test/http.ts';
import {
  type Answer,
  assertProblem,
  type Caller,
  eventually,
  type SignedClient,
  signingKey,
  TestStack,
} from '../test/stack.ts';
import { Tenant } from '../test/tenant.ts';
import { bodyOf, burn, earn, type Line, outcomesOf, told } from './test/lines.ts';

const target = '/v1/transactions/bulk';
const headers = { 'content-type': 'application/x-ndjson' };

describe('bulk', () => {
  const stack = new TestStack();
  let client: SignedClient;
  let port: number;
  let caller: Caller;
  let programId: string;

  before(async () => {
    ({ client, port } = await stack.serve());
    ({ caller, programId } = await Tenant.open(client));
  });
  after(() => stack.stop());

  async function newWallets(count: number): Promise<string[]> {
    const answers = await Promise.all(
      Array.from({ length: count }, () => client.post('/v1/wallets', { program_id: programId }, { caller })),
    );
    return answers.map(({ json }) => wallets.wallet.parse(json).id);
  }

  async function newWallet(points = 0): Promise<string> {
    const [id = ''] = await newWallets(1);
    if (points > 0) await client.post(`/v1/wallets/${id}/earn`, { amount: points }, { caller });
    return id;
  }

  function send(lines: readonly (Line | string)[], by: Caller = caller): Promise<Answer> {
    return client.send('POST', target, { caller: by, body: bodyOf(lines), headers });
  }

  async function outcomes(lines: readonly (Line | string)[]): Promise<bulk.BulkOutcome[]> {
    const found = outcomesOf(await send(lines));
    assert.equal(found.length, lines.length);
    return found;
  }

  async function walletOf(id: string): Promise<wallets.Wallet> {
    return wallets.wallet.parse((await client.get(`/v1/wallets/${id}`, { caller })).json);
  }

  describe('2,000 lines over fifty wallets, some bad', () => {
    const lines: (Line | string)[] = [];
    let ids: string[] = [];
    let first: bulk.BulkOutcome[] = [];

    before(async () => {
      ids = await newWallets(50);
      for (let index = 0; index < 2_000; index++) {
        const id = ids[index % 50] as string;
        if (index % 100 === 7) lines.push('{"wallet_id":');
        else if (index % 100 === 17) lines.push(earn(id, 0));
        else if (index % 100 === 27) lines.push(earn(randomUUID(), 1));
        else if (index % 100 === 37) lines.push(burn(id, 1_000_000));
        else lines.push(earn(id, index + 1, { reference: `line ${index}`, metadata: { b: index, a: 'ä' } }));
      }
    });

    it('has an outcome for each, in order, and the order of each wallet is kept', async () => {
      first = await outcomes(lines);
      const bad: Record<number, string> = {
        7: '400 invalid_json',
        17: '400 invalid_request',
        27: '404 not_found',
        37: '409 insufficient_funds',
      };
      assert.deepEqual(
        told(first),
        lines.map((_, index) => bad[index % 100] ?? '201'),
      );
      const versions = new Map<string, number>();
      for (const [index, { transaction }] of first.entries()) {
        if (transaction === undefined) continue;
        assert.equal(transaction.reference, `line ${index}`);
        const version = (versions.get(transaction.wallet_id) ?? 0) + 1;
        versions.set(transaction.wallet_id, version);
        assert.equal(transaction.version, version);
      }
      const errors = first[17]?.problem?.errors?.map(({ pointer }) => pointer);
      assert.deepEqual(errors, ['/amount']);
    });

    it('replays what was stored when half of it is sent again, then all of it', async () => {
      for (const again of [lines.slice(0, 1_000), lines]) {
        const replayed = await outcomes(again);
        assert.deepEqual(
          told(replayed),
          told(first.slice(0, again.length)).map((text) => (/^(201|409)/.test(text) ? `${text} again` : text)),
        );
        for (const [index, { transaction, problem }] of replayed.entries()) {
          assert.deepEqual(transaction, first[index]?.transaction);
          if (problem?.status === 409) assert.deepEqual(problem, first[index]?.problem);
        }
      }
      for (const [at, id] of ids.entries()) {
        const own = first.filter((_, index) => index % 50 === at);
        const amounts = own.map(({ transaction }) => transaction?.amount ?? 0);
        const { balance, version } = await walletOf(id);
        assert.equal(
          balance,
          amounts.reduce((sum, amount) => sum + amount, 0),
        );
        assert.equal(version, own.filter(({ status }) => status === 201).length);
      }
    });
  });

  it('takes a line for the single request with its key, and the other way round', async () => {
    const id = await newWallet();
    const note = { reference: 'r', metadata: { z: true, a: 'x' } };
    const line = earn(id, 5, note);
    const [applied] = await outcomes([line]);
    const single = await client.post(
      `/v1/wallets/${id}/earn`,
      { amount: 5, reference: 'r', metadata: { a: 'x', z: true } },
      { caller, key: line.idempotency_key },
    );
    assert.deepEqual([single.status, single.headers.get('idempotent-replayed')], [201, 'true'], single.text);
    assert.deepEqual(wallets.transaction.parse(single.json), applied?.transaction);

    const key = randomUUID();
    const refused = assertProblem(
      await client.post(`/v1/wallets/${id}/burn`, { amount: 6 }, { caller, key }),
      409,
      'insufficient_funds',
    );
    const [again, other] = await outcomes([
      burn(id, 6, { idempotency_key: key }),
      burn(id, 4, { idempotency_key: key }),
    ]);
    assert.deepEqual([again?.replayed, again?.problem], [true, refused]);
    assert.equal(other?.problem?.code, 'idempotency_key_reused');
  });

  it('takes the same line twice in one request for one, CRLF for LF, and a blank line for a bad one', async () => {
    const id = await newWallet();
    const line = JSON.stringify(earn(id, 5));
    const answer = await client.send('POST', target, { caller, body: `${line}\r\n\r\n${line}\r\n`, headers });
    assert.deepEqual(told(outcomesOf(answer)), ['201', '400 invalid_json', '201 again']);
    assert.equal((await walletOf(id)).balance, 5);
  });

  it("shows another merchant's wallet as one that does not exist", async () => {
    const id = await newWallet();
    const { caller: stranger } = await Tenant.open(client);
    assert.deepEqual(told(outcomesOf(await send([earn(id, 1)], stranger))), ['404 not_found']);
    assert.equal((await walletOf(id)).version, 0);
  });

  describe('a group', () => {
    it('is applied as a whole, on top of itself, and replayed as a whole', async () => {
      const id = await newWallet(1);
      const group = [earn(id, 10, { group: 'g' }), burn(id, 11, { group: 'g' }), earn(id, 3, { group: 'g' })];
      const lines = [earn(id, 1), ...group, burn(id, 2)];
      const first = await outcomes(lines);
      assert.deepEqual(told(first), ['201', '201', '201', '201', '201']);
      assert.deepEqual(
        first.map(({ transaction }) => [transaction?.version, transaction?.balance_after]),
        [2, 3, 4, 5, 6].map((version, at) => [version, [2, 12, 1, 4, 2][at]]),
      );
      const again = await outcomes(lines);
      assert.deepEqual(
        again,
        first.map((outcome) => ({ ...outcome, replayed: true })),
      );
      assert.equal((await walletOf(id)).version, 6);
    });

    it('is refused as a whole when one line is, and so it stays', async () => {
      const id = await newWallet(5);
      const lines = [
        earn(id, 1, { group: 'g' }),
        burn(id, 9, { group: 'g' }),
        earn(id, 9, { group: 'g' }),
        earn(id, 100),
      ];
      const first = await outcomes(lines);
      assert.deepEqual(told(first), ['409 group_refused', '409 insufficient_funds', '409 group_refused', '201']);
      assert.match(first[1]?.problem?.detail ?? '', /Available is 6; the burn asks for 9/);
      assert.equal((await walletOf(id)).balance, 105);
      const again = await outcomes(lines);
      assert.deepEqual(
        again,
        first.map((outcome) => ({ ...outcome, replayed: true })),
      );
      assert.equal((await walletOf(id)).balance, 105);
    });

    it('with its first key and anything else changed is another request', async () => {
      const id = await newWallet();
      const lines = [earn(id, 1, { group: 'g' }), earn(id, 2, { group: 'g' }), earn(id, 3, { group: 'g' })];
      await outcomes(lines);
      const [one, two, three] = lines as [Line, Line, Line];
      const reused = '422 idempotency_key_reused';
      const changes: [string, Line[]][] = [
        ['another amount', [one, two, { ...three, amount: 4 }]],
        ['one line less', [one, two]],
        ['one line more', [...lines, earn(id, 4, { group: 'g' })]],
        ['another further key', [one, { ...two, idempotency_key: randomUUID() }, three]],
        ['another order of the rest', [one, three, two]],
        ['a line alone', [{ ...one, group: 'alone' }]],
        ['a further line alone', [{ ...two, group: 'alone' }]],
      ];
      for (const [name, changed] of changes) {
        assert.deepEqual(
          told(await outcomes(changed)),
          changed.map(() => reused),
          name,
        );
      }
      const single = { caller, key: two.idempotency_key };
      assertProblem(await client.post(`/v1/wallets/${id}/earn`, { amount: 2 }, single), 422, 'idempotency_key_reused');
      assert.deepEqual([(await walletOf(id)).balance, (await walletOf(id)).version], [6, 3]);
    });

    it('is refused when a further key belongs to another request, applied or refused', async () => {
      const id = await newWallet(1);
      const [applied, refused] = [earn(id, 1), burn(id, 100)];
      await outcomes([applied, refused]);
      for (const taken of [applied, refused]) {
        const lines = [earn(id, 1), { ...taken, kind: 'earn' }, earn(id, 1)].map((line) => ({ ...line, group: 'g' }));
        const expected = ['409 group_refused', '422 idempotency_key_reused', '409 group_refused'];
        assert.deepEqual(told(await outcomes(lines)), expected);
        assert.deepEqual(told(await outcomes(lines)), expected);
      }
      assert.equal((await walletOf(id)).balance, 2);
    });

    it('sent twice at once is applied once', async () => {
      const id = await newWallet();
      const lines = Array.from({ length: 20 }, (_, at) => earn(id, at + 1, { group: `g${Math.floor(at / 5)}` }));
      const answers = await Promise.all(Array.from({ length: 6 }, () => outcomes(lines)));
      const plain = answers.map((found) => found.map(({ replayed: _, ...outcome }) => outcome));
      for (const found of plain) assert.deepEqual(found, plain[0]);
      for (let index = 0; index < lines.length; index++) {
        assert.equal(answers.filter((found) => found[index]?.replayed === undefined).length, 1);
      }
      assert.deepEqual([(await walletOf(id)).balance, (await walletOf(id)).version], [210, 20]);
    });

    it('that is refused, sent twice at once, is refused once and for the same reason', async () => {
      const id = await newWallet(5);
      const lines = [earn(id, 1, { group: 'g' }), burn(id, 9, { group: 'g' }), earn(id, 9, { group: 'g' })];
      const answers = await Promise.all(Array.from({ length: 6 }, () => outcomes(lines)));
      const plain = answers.map((found) => found.map(({ replayed: _, ...outcome }) => outcome));
      for (const found of plain) assert.deepEqual(found, plain[0]);
      assert.deepEqual(told(plain[0] ?? []), ['409 group_refused', '409 insufficient_funds', '409 group_refused']);
      assert.equal(answers.filter(([first]) => first?.replayed === undefined).length, 1);
      assert.deepEqual([(await walletOf(id)).balance, (await walletOf(id)).version], [5, 1]);
    });

    it('and another one with its first key at once: one is applied, the other is told that the key is reused', async () => {
      for (let turn = 0; turn < 5; turn++) {
        const id = await newWallet();
        const [first, second] = [earn(id, 1, { group: 'g' }), earn(id, 2, { group: 'g' })];
        const groups = [[first, second], [first, { ...second, amount: 5 }], [first]];
        const found = await Promise.all(groups.map((lines) => outcomes(lines)));
        const { balance } = await walletOf(id);
        const winner = [3, 6, 1].indexOf(balance);
        const expected = groups.map((lines, at) =>
          lines.map(() => (at === winner ? '201' : '422 idempotency_key_reused')),
        );
        assert.deepEqual(found.map(told), expected);
      }
    });

    it('and a single request that want the same further key at once: one gets it, the other is refused', async () => {
      for (let turn = 0; turn < 10; turn++) {
        const id = await newWallet();
        const lines = [earn(id, 1, { group: 'g' }), earn(id, 2, { group: 'g' })];
        const key = lines[1]?.idempotency_key ?? '';
        const single = () => client.post(`/v1/wallets/${id}/earn`, { amount: 2 }, { caller, key });
        const [group, answer] = await Promise.all([outcomes(lines), single()]);
        const { balance } = await walletOf(id);
        assert.ok(balance === 3 || balance === 2, String(balance));
        const taken = ['409 group_refused', '422 idempotency_key_reused'];
        assert.deepEqual([told(group), answer.status], balance === 3 ? [['201', '201'], 422] : [taken, 201]);
        const later = [told(await outcomes(lines)), (await single()).status];
        assert.deepEqual(later, balance === 3 ? [['201 again', '201 again'], 422] : [taken, 201]);
      }
    });

    it("shows another merchant's wallet as missing, line by line", async () => {
      const { caller: stranger } = await Tenant.open(client);
      const id = await newWallet();
      const lines = [earn(id, 1, { group: 'g' }), earn(id, 1, { group: 'g' })];
      assert.deepEqual(told(outcomesOf(await send(lines, stranger))), ['404 not_found', '404 not_found']);
    });
  });

  it('applies every line once when the client leaves in the middle and sends all of it again', async () => {
    const ids = await newWallets(10);
    const lines = Array.from({ length: 3_000 }, (_, index) =>
      earn(ids[index % 10] as string, 1, index % 30 < 10 ? {} : { reference: 'x'.repeat(100) }),
    );
    for (let turn = 0; turn < 3; turn++) {
      const connection = await new RawConnection(port).open();
      connection.socket.pause();
      connection.send(signed(bodyOf(lines)));
      connection.socket.once('data', () => connection.socket.resetAndDestroy());
      connection.socket.resume();
      await eventually('the client is gone', () => connection.isClosed);
    }
    await eventually('nothing is in flight', async () => {
      return /^http_requests_in_flight 0$/m.test((await client.get('/metrics')).text);
    });
    const before = await Promise.all(ids.map(walletOf));
    const done = before.reduce((sum, { version }) => sum + version, 0);
    assert.ok(done > 0 && done < 3_000, `${done} lines before the client left`);
    const found = await outcomes(lines);
    assert.ok(found.every(({ status }) => status === 201));
    assert.equal(found.filter(({ replayed }) => replayed).length, done);
    for (const { balance, version } of await Promise.all(ids.map(walletOf))) {
      assert.deepEqual([balance, version], [300, 300]);
    }
  });

  function signed(body: string): string {
    const own = signHeaders(signingKey, { method: 'POST', target, body, context: caller });
    const all = { ...own, ...headers, host: 'core', 'content-length': String(Buffer.byteLength(body)) };
    const text = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    return `POST ${target} HTTP/1.1\r\n${text.join('')}\r\n${body}`;
  }

  describe('a request as a whole', () => {
    const line = JSON.stringify(earn('01938d5c-7e3a-7c4b-8a11-9d0c1e2f3a4b', 1));
    const refusals: readonly [string, string, number, ProblemCode][] = [
      ['empty', '', 400, 'invalid_request'],
      ['of a line too many', `${line}\n`.repeat(5_001), 413, 'payload_too_large'],
      ['of a line too long', `${line}\n${' '.repeat(4_097)}`, 413, 'payload_too_large'],
      ['too large', `${'x'.repeat(1_000)}\n`.repeat(1_100), 413, 'payload_too_large'],
    ];
    for (const [name, body, status, code] of refusals) {
      it(`is refused when it is ${name}`, async () => {
        assertProblem(await client.send('POST', target, { caller, body, headers }), status, code);
      });
    }

    it('is refused with another media type, by a caller without the scope, and unsigned', async () => {
      const other = { 'content-type': 'application/json' };
      const refused = await client.send('POST', target, { caller, body: line, headers: other });
      assert.match(assertProblem(refused, 415, 'unsupported_media_type').detail, /application\/x-ndjson/);
      const reader: Caller = { ...caller, scopes: ['wallets:read'] };
      assertProblem(await client.send('POST', target, { caller: reader, body: line, headers }), 403, 'forbidden');
      const unsigned = await fetch(client.origin + target, { method: 'POST', headers, body: line });
      assert.equal(unsigned.status, 401);
    });
  });
});
