/** Lines of bulk requests, and what has become of them. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { bulk } from '@local-plus/contracts';
import type { Answer } from '../../test/stack.ts';

export type Line = Omit<bulk.BulkLine, 'kind' | 'amount'> & { kind: string; amount: number };

export function earn(walletId: string, amount: number, more: Partial<Line> = {}): Line {
  return { wallet_id: walletId, kind: 'earn', amount, idempotency_key: randomUUID(), ...more };
}

export function burn(walletId: string, amount: number, more: Partial<Line> = {}): Line {
  return earn(walletId, amount, { kind: 'burn', ...more });
}

export function bodyOf(lines: readonly (Line | string)[]): string {
  return lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
}

export function outcomesOf(answer: Answer): bulk.BulkOutcome[] {
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers.get('content-type'), 'application/x-ndjson');
  assert.ok(answer.text.endsWith('\n'));
  const outcomes = answer.text
    .trimEnd()
    .split('\n')
    .map((line) => bulk.outcome.parse(JSON.parse(line)) as bulk.BulkOutcome);
  for (const [index, outcome] of outcomes.entries()) {
    assert.equal(outcome.index, index);
    assert.equal(outcome.status, outcome.problem?.status ?? 201);
    assert.equal(outcome.transaction === undefined, outcome.problem !== undefined);
  }
  return outcomes;
}

/** `201`, `409 insufficient_funds`, with `again` for a replay. */
export function told(outcomes: readonly bulk.BulkOutcome[]): string[] {
  return outcomes.map(({ status, problem, replayed }) =>
    [status, problem?.code, replayed && 'again'].filter((part) => part !== undefined).join(' '),
  );
}
