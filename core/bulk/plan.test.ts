/** Which lines are done alone, which together, and which not at all. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planOf, type Unit } from './plan.ts';

const wallets = ['01938d5c-7e3a-7c4b-8a11-9d0c1e2f3a4b', '01938d5c-7e3a-7c4b-8a11-9d0c1e2f3a4c'] as const;
let keys = 0;

function line(group?: unknown, more: object = {}): string {
  keys++;
  return JSON.stringify({
    wallet_id: wallets[0],
    kind: 'earn',
    amount: 1,
    idempotency_key: `k${keys}`,
    group,
    ...more,
  });
}

/** `line`, `group of 2`, or the fault's code and what it points to. */
function told(unit: Unit): string {
  if (unit.type === 'line') return 'line';
  if (unit.type === 'group') return `group of ${unit.lines.length}`;
  const [error] = unit.fault.errors ?? [];
  return error ? `${unit.fault.code} ${error.pointer} ${error.code}` : unit.fault.code;
}

async function planned(lines: readonly string[]): Promise<string[]> {
  const units = await planOf(lines, 2);
  let next = 0;
  for (const unit of units) {
    assert.equal(unit.index, next, 'in order, without gaps');
    next += unit.type === 'group' ? unit.lines.length : 1;
  }
  assert.equal(next, lines.length);
  return units.map(told);
}

const invalid = { amount: 0 };
const other = { wallet_id: wallets[1] };
const amount = 'invalid_request /amount too_small';
const apart = 'invalid_request /group not_consecutive';
const mixed = 'invalid_request /group several_wallets';
const twice = 'invalid_request /idempotency_key duplicate';
const bad = 'invalid_json';
const syntax = `${bad}  syntax`;

describe('the plan of a request', () => {
  const cases: readonly [string, () => string[], readonly string[]][] = [
    ['lines', () => [line(), line()], ['line', 'line']],
    [
      'a bad line among others',
      () => [line(), '{', line(undefined, invalid), line()],
      ['line', syntax, amount, 'line'],
    ],
    ['a blank line', () => ['', line()], [syntax, 'line']],
    ['no object', () => ['[]', '5'], ['invalid_request  invalid_type', 'invalid_request  invalid_type']],
    ['a group', () => [line(), line('a'), line('a'), line()], ['line', 'group of 2', 'line']],
    ['groups side by side', () => [line('a'), line('a'), line('b'), line('b')], ['group of 2', 'group of 2']],
    ['a group of one', () => [line('a'), line('b')], ['line', 'line']],
    ['a name twice', () => [line('a'), line('a'), line(), line('a')], [apart, apart, 'line', apart]],
    ['two wallets', () => [line('a'), line('a', other), line()], [mixed, mixed, 'line']],
    ['an invalid line', () => [line('a'), line('a', invalid), line('a')], ['group_refused', amount, 'group_refused']],
    ['an invalid line of one', () => [line('a', invalid), line()], [amount, 'line']],
    [
      'an unreadable line behind',
      () => [line('a'), line('a'), '{', line()],
      ['group_refused', 'group_refused', syntax, 'line'],
    ],
    ['an unreadable line before', () => ['{', line('a'), line('b')], [syntax, 'group_refused', 'line']],
    ['an unreadable line within', () => [line('a'), '{', line('a')], [apart, syntax, apart]],
    [
      'a name that is none',
      () => [line('a'), line(5), line('')],
      ['group_refused', 'invalid_request /group invalid_type', 'invalid_request /group too_small'],
    ],
    [
      'a name too long',
      () => [line('a'.repeat(64)), line('a'.repeat(65))],
      ['group_refused', 'invalid_request /group too_big'],
    ],
    [
      'a key twice in a group',
      () => [line('a', { idempotency_key: 'k' }), line('a', { idempotency_key: 'k' }), line('a')],
      [twice, twice, 'group_refused'],
    ],
    [
      "a group's key elsewhere",
      () => [line(undefined, { idempotency_key: 'k' }), line('a'), line('a', { idempotency_key: 'k' })],
      ['line', 'group_refused', twice],
    ],
    [
      'the same key in another wallet',
      () => [line(undefined, { idempotency_key: 'k', ...other }), line('a'), line('a', { idempotency_key: 'k' })],
      ['line', 'group of 2'],
    ],
    [
      'a key twice outside groups',
      () => [line(undefined, { idempotency_key: 'k' }), line(undefined, { idempotency_key: 'k' })],
      ['line', 'line'],
    ],
    ['the longest group', () => Array.from({ length: 100 }, () => line('a')), ['group of 100']],
  ];
  for (const [name, lines, expected] of cases) {
    it(`of ${name}`, async () => assert.deepEqual(await planned(lines()), expected));
  }

  it('of a group too long', async () => {
    const found = await planned(Array.from({ length: 101 }, () => line('a')));
    assert.deepEqual(new Set(found), new Set(['invalid_request /group too_big']));
  });

  it('lets others have their turn while it is made', async () => {
    let immediates = 0;
    const count = (): void => {
      immediates++;
      if (immediates < 1_000) setImmediate(count);
    };
    setImmediate(count);
    await planOf(Array.from({ length: 640 }, () => line()));
    assert.ok(immediates >= 9, `${immediates} turns`);
  });
});
