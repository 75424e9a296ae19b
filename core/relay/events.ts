/**
 * A row of the ledger as its two Kafka messages. Written by hand from fixed text, because it is hot: every transaction
 * passes here on the thread that answers requests. `events.test.ts` holds every value against the schemas of contracts.
 *
 * Ids, numbers and kinds cannot contain what JSON escapes; a reference and a trace context are escaped.
 */
import { balanceEventId, topics, transactionId } from '@local-plus/contracts';
import type { EventMessage, TopicMessages } from '../platform/kafka/index.ts';
import type { Announcement } from './domain.ts';

const transactionHeaders = { event_type: 'ledger.transaction.posted', schema_version: '1' };
const balanceHeaders = { event_type: 'wallet.balance.updated', schema_version: '1' };

/** Both messages of each announcement, in order. */
export function messagesOf(writerId: number, announcements: readonly Announcement[]): TopicMessages[] {
  const transactions: EventMessage[] = new Array(announcements.length);
  const balances: EventMessage[] = new Array(announcements.length);
  let atMs = Number.NaN;
  let occurredAt = '';
  for (const [index, { batch, place, row }] of announcements.entries()) {
    const { facts, posting } = row;
    if (posting.occurredAtMs !== atMs) {
      atMs = posting.occurredAtMs;
      occurredAt = new Date(atMs).toISOString();
    }
    const id = transactionId(atMs, { writerId, batch, place });
    const cause =
      `","occurred_at":"${occurredAt}","correlation_id":"${facts.requestId}","traceparent":` +
      `${facts.traceparent === null ? 'null' : JSON.stringify(facts.traceparent)}`;
    transactions[index] = {
      key: facts.accountId,
      headers: transactionHeaders,
      value:
        `{"event_id":"${id}${cause},"event_type":"ledger.transaction.posted","schema_version":1,"data":{` +
        `"transaction_id":"${id}","account_id":"${facts.accountId}","contra_account_id":"${posting.contraAccountId}"` +
        `,"program_id":"${facts.programId}","version":${posting.version},"kind":"${posting.kind}"` +
        `,"amount":${posting.amount},"balance_delta":${posting.balanceDelta},"balance_after":${posting.balanceAfter}` +
        `,"held_after":${posting.heldAfter}` +
        `,"reference":${facts.reference === null ? 'null' : JSON.stringify(facts.reference)}}}`,
    };
    balances[index] = {
      key: facts.accountId,
      headers: balanceHeaders,
      value:
        `{"event_id":"${balanceEventId(id)}${cause},"event_type":"wallet.balance.updated","schema_version":1,"data":{` +
        `"wallet_id":"${facts.accountId}","program_id":"${facts.programId}","version":${posting.version}` +
        `,"balance":${posting.balanceAfter},"held":${posting.heldAfter}` +
        `,"available":${posting.balanceAfter - posting.heldAfter}}}`,
    };
  }
  return [
    { topic: topics.ledgerTransactions, messages: transactions },
    { topic: topics.walletBalanceUpdated, messages: balances },
  ];
}
