/** Ledger rows as they stand on the wire. Text is put together by hand: this runs once per answered write. */
import type { PostedRow, RefusedRow } from '@local-plus/actors';
import { type Problem, problem, type TransactionId } from '@local-plus/contracts';

/** The members of a `transaction`, without the closing brace. */
function transactionMembers(row: PostedRow, id: TransactionId, unit: string): string {
  const { facts, posting } = row;
  const reference = facts.reference === null ? 'null' : JSON.stringify(facts.reference);
  return (
    `{"id":"${id}","wallet_id":"${facts.accountId}","kind":"${posting.kind}","amount":${posting.amount},` +
    `"unit":"${unit}","balance_after":${posting.balanceAfter},"held_after":${posting.heldAfter},` +
    `"version":${posting.version},"reference":${reference},"reversal_of":null,"metadata":${facts.metadata ?? 'null'},` +
    `"created_at":"${new Date(posting.occurredAtMs).toISOString()}"`
  );
}

export function transactionJson(row: PostedRow, id: TransactionId, unit: string): string {
  return `${transactionMembers(row, id, unit)}}`;
}

/** With both legs: what the account gains, its contra account loses (I1). */
export function transactionWithEntriesJson(row: PostedRow, id: TransactionId, unit: string): string {
  const { facts, posting } = row;
  const legs = [
    { account_id: facts.accountId, amount: posting.balanceDelta },
    { account_id: posting.contraAccountId, amount: -posting.balanceDelta },
  ];
  return `${transactionMembers(row, id, unit)},"entries":${JSON.stringify(legs)}}`;
}

/**
 * The refusal as the problem document of the request that met it first: every replay shows the same, its request id
 * included.
 */
export function refusalProblem(row: RefusedRow): Problem {
  const available = row.balance - row.held;
  const detail =
    row.code === 'insufficient_funds'
      ? `Available is ${available}; the ${row.kind} asks for ${row.amount}.`
      : `The balance is ${row.balance}; with ${row.amount} more it would leave its bounds.`;
  return problem(row.code, row.facts.requestId, detail);
}
