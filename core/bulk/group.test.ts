/** What each line of a group is told, for each outcome of its one request; and when the ledger is asked once more. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AccountRequest, Outcome, PostedRow, RefusedRow, StoredOutcome } from '@local-plus/actors';
import { type ProblemCode, problem, type RequestId, type TransactionId } from '@local-plus/contracts';
import { ProblemError } from '../platform/http/index.ts';
import type { LineAnswer } from './answers.ts';
import { answerGroup } from './group.ts';
import type { AccountKey, BulkLedger, LinePart } from './ports.ts';

const requestId = '01938d5c-7e3a-7c4b-8a11-9d0c1e2f3a4b' as RequestId;
const keys = ['k0', 'k1', 'k2'];

function parts(): LinePart[] {
  return keys.map((idempotencyKey) => {
    const facts = { accountId: 'wallet', idempotencyKey, requestHash: `hash of ${idempotencyKey}`, requestId };
    return { part: { facts, command: { kind: 'earn', amount: 1 } } as unknown as LinePart['part'], unit: 'PTS' };
  });
}

type Offered = Omit<AccountRequest, 'deadlineMs'>;
/** What the ledger has of each key: the group's own row, another request's, or nothing. */
type Found = 'own' | 'refused' | 'strange' | null;

function postedOf(offered: Offered, at: number): { row: PostedRow; transactionId: TransactionId } {
  const { facts } = [offered, ...(offered.also ?? [])][at] as Offered;
  return { row: { facts } as PostedRow, transactionId: `t${at}` as TransactionId };
}

function refusalOf(offered: Offered, part: number): RefusedRow {
  return { facts: offered.facts, part } as RefusedRow;
}

/** The answers, in short, and how often the ledger was asked for keys. */
async function answers(
  outcomeOf: (offered: Offered) => Outcome,
  found: readonly Found[] = [],
): Promise<{ told: readonly string[]; asked: readonly (readonly string[])[] }> {
  const asked: string[][] = [];
  let request: Offered | null = null;
  const storedAt = (what: Found, at: number): StoredOutcome | null => {
    if (what === null) return null;
    const { row, transactionId } = postedOf(request as Offered, at);
    if (what === 'refused') return { ...refusalOf(request as Offered, 1), type: 'refused' };
    const facts = what === 'own' ? row.facts : { ...row.facts, requestHash: 'of another request' };
    return { ...row, facts, type: 'posted', transactionId };
  };
  const ledger = {
    stored: async (wanted: readonly AccountKey[]) => {
      asked.push(wanted.map(({ idempotencyKey }) => idempotencyKey));
      return found.map(storedAt);
    },
    transactionJson: (_row: PostedRow, id: TransactionId, unit: string) => `${id} ${unit}`,
    refusalProblem: ({ facts }: RefusedRow) => problem('insufficient_funds', facts.requestId),
    failures: {
      key_reused: 'idempotency_key_reused',
      overloaded: 'overloaded',
      expired: 'deadline_exceeded',
      unavailable: 'unavailable',
      failed: 'internal',
    },
  } as unknown as BulkLedger;
  const lines = await answerGroup(ledger, parts(), requestId, async (offered) => {
    request = offered;
    return outcomeOf(offered);
  });
  return { told: lines.map(told), asked };
}

function told(answer: LineAnswer): string {
  const what = answer.type === 'applied' ? answer.transactionJson : answer.problem.code;
  return answer.replayed ? `${what} again` : what;
}

function posted(offered: Offered, replayed: boolean): Outcome {
  const also = replayed ? [] : (offered.also ?? []).map((_, at) => postedOf(offered, at + 1));
  return { type: 'posted', ...postedOf(offered, 0), replayed, also };
}

function refused(offered: Offered, replayed: boolean): Outcome {
  return { type: 'refused', row: refusalOf(offered, 1), replayed };
}

const keyReused = (): Outcome => ({ type: 'key_reused' });

describe('a group', () => {
  it('is offered whole, every part under a hash of the whole', async () => {
    let offered: Offered | null = null;
    await answers((request) => {
      offered = request;
      return posted(request, false);
    });
    const { facts, also = [] } = offered as unknown as Offered;
    const all = [facts, ...also.map((part) => part.facts)];
    assert.deepEqual(
      all.map(({ idempotencyKey }) => idempotencyKey),
      keys,
    );
    assert.equal(new Set(all.map(({ requestHash }) => requestHash)).size, 1);
    assert.match(facts.requestHash, /^[0-9a-f]{32}$/);
  });

  it('that is applied now tells each line its transaction, and asks the ledger for nothing more', async () => {
    const { told: lines, asked } = await answers((offered) => posted(offered, false));
    assert.deepEqual(lines, ['t0 PTS', 't1 PTS', 't2 PTS']);
    assert.deepEqual(asked, []);
  });

  for (const replayed of [false, true]) {
    it(`that is refused ${replayed ? 'again' : 'now'} says whose fault it was, and asks for nothing more`, async () => {
      const again = replayed ? ' again' : '';
      const { told: lines, asked } = await answers((offered) => refused(offered, replayed));
      assert.deepEqual(lines, [`group_refused${again}`, `insufficient_funds${again}`, `group_refused${again}`]);
      assert.deepEqual(asked, []);
    });
  }

  it('that is replayed finds what every line became', async () => {
    const { told: lines, asked } = await answers((offered) => posted(offered, true), ['own', 'own', 'own']);
    assert.deepEqual(lines, ['t0 PTS again', 't1 PTS again', 't2 PTS again']);
    assert.deepEqual(asked, [keys]);
  });

  it('that is replayed is never answered with rows that are not its own', async () => {
    for (const found of [
      ['own', 'strange', 'own'],
      ['own', null, 'own'],
    ] as const) {
      await assert.rejects(
        answers((offered) => posted(offered, true), found),
        /a part of a group is not there/,
      );
    }
  });

  const reused: ProblemCode = 'idempotency_key_reused';
  const taken: readonly [string, readonly Found[], readonly string[]][] = [
    ['its first key is', ['strange', null, null], [reused, reused, reused]],
    ['all of its keys are', ['strange', 'strange', 'strange'], [reused, reused, reused]],
    ['one of its further keys is', [null, 'strange', null], ['group_refused', reused, 'group_refused']],
    ['all of its further keys are', [null, 'strange', 'strange'], ['group_refused', reused, reused]],
    // Quicker than the look: the one before, which had used the first key, was this group itself.
    ['it was applied meanwhile: none', ['own', 'own', 'own'], ['t0 PTS again', 't1 PTS again', 't2 PTS again']],
    [
      'it was refused meanwhile: none',
      ['refused', null, null],
      ['group_refused again', 'insufficient_funds again', 'group_refused again'],
    ],
  ];
  for (const [name, found, expected] of taken) {
    it(`with a reused key says of each line whose key it is: ${name} another request's`, async () => {
      const { told: lines, asked } = await answers(keyReused, found);
      assert.deepEqual(lines, expected);
      assert.deepEqual(asked, [keys]);
    });
  }

  it('with a reused key that the ledger does not have is a fault of ours', async () => {
    await assert.rejects(answers(keyReused, [null, null, null]), /a reused key is not there/);
  });

  it('of which nothing is known tells all lines the same, and asks for nothing more', async () => {
    const outcomes = { overloaded: 'overloaded', expired: 'deadline_exceeded', unavailable: 'unavailable' } as const;
    for (const [type, code] of Object.entries({ ...outcomes, failed: 'internal' })) {
      const { told: lines, asked } = await answers(() => ({ type }) as Outcome);
      assert.deepEqual(lines, [code, code, code]);
      assert.deepEqual(asked, []);
    }
  });

  it('whose look-up fails says so', async () => {
    const away = { stored: () => Promise.reject(new ProblemError('unavailable')) } as unknown as BulkLedger;
    await assert.rejects(
      answerGroup(away, parts(), requestId, async () => ({ type: 'key_reused' })),
      (error) => error instanceof ProblemError && error.code === 'unavailable',
    );
  });
});
