/**
 * What one process of core says to another: requests for accounts that the other owns, and what came of each. Plain data, as
 * JSON. Both ends hold the same signing keys; what is parsed here is still parsed, because they may be of two releases.
 *
 * Times travel as what is left of them: no two clocks are compared.
 */
import {
  type AccountRequest,
  type AccountState,
  type Command,
  isCommandKind,
  type Outcome,
  type Part,
  type RequestFacts,
} from '@local-plus/actors';
import type { AccountId } from '@local-plus/contracts';
import { shards as contract, isUuid, limits as wire } from '@local-plus/contracts';
import * as z from 'zod';

const uuid = z.string().refine(isUuid);
const nullableText = z.string().nullable();
const milliseconds = z
  .number()
  .min(0)
  .max(wire.bulkBudgetMs * 2);
const version = z.int().min(0);
const count = z.int();

const facts = z.strictObject({
  accountId: uuid,
  programId: uuid,
  // Keys of our own have spaces: the ledger's text is what bounds them.
  idempotencyKey: z.string().min(1).max(1_024),
  requestHash: z.string().regex(/^[0-9a-f]{32}$/),
  requestId: uuid,
  traceparent: nullableText,
  reference: nullableText,
  metadata: nullableText,
});

/** The machine's guards judge the rest: what they are given is what a handler of the sender made. */
const command = z.looseObject({ kind: z.string().refine(isCommandKind), programId: uuid });
const part = z.strictObject({ facts, command });

const question = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('command'),
    facts,
    command,
    also: z.array(part).max(wire.bulkGroupLinesMax).optional(),
    tenant: z.string().max(64).optional(),
    left_ms: milliseconds,
    version,
  }),
  z.strictObject({ type: z.literal('read'), account_id: uuid, version }),
]);

export function messageSchema(itemsMax: number) {
  return z.strictObject({ questions: z.array(question).min(1).max(itemsMax) });
}
type Message = z.output<ReturnType<typeof messageSchema>>;

const posted = z.looseObject({ facts: z.looseObject({}), posting: z.looseObject({ version: count }) });
const refused = z.looseObject({ facts: z.looseObject({}), code: z.string(), version: count, part: count });

const outcome = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('posted'),
    row: posted,
    transactionId: uuid,
    replayed: z.boolean(),
    also: z.array(z.strictObject({ row: posted, transactionId: uuid })),
  }),
  z.strictObject({ type: z.literal('refused'), row: refused, replayed: z.boolean() }),
  z.strictObject({ type: z.literal('overloaded'), retryAfterMs: z.number().min(0).optional() }),
  ...(['key_reused', 'expired', 'unavailable', 'failed'] as const).map((type) =>
    z.strictObject({ type: z.literal(type) }),
  ),
]);

const state = z.looseObject({
  version: count,
  balance: count,
  held: count,
  lastAtMs: count,
  frozen: z.boolean(),
  owed: count,
  lots: z.array(z.unknown()),
  holds: z.array(z.unknown()),
  reversals: z.array(z.unknown()),
  /** Absent from a process that knows no purchases. */
  counters: z.array(z.unknown()).default([]),
});

const reply = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('outcome'), outcome }),
  z.strictObject({ type: z.literal('state'), state: state.nullable() }),
  z.strictObject({ type: z.literal('wrong_owner'), owner: z.int().min(-1), version }),
]);
const replies = z.strictObject({ replies: z.array(reply) });

/** What is asked of the owner of an account. */
export type Question =
  | { readonly type: 'command'; readonly request: AccountRequest }
  | { readonly type: 'read'; readonly accountId: AccountId };

/** A question as it arrived: with the version at which the asker believes the shard to be here. */
export type Arrived = Question & { readonly version: number };

/** `wrong_owner`: not served here; who has it, as far as is known (−1: nobody is known). */
export type Reply =
  | { readonly type: 'outcome'; readonly outcome: Outcome }
  | { readonly type: 'state'; readonly state: AccountState | null }
  | { readonly type: 'wrong_owner'; readonly owner: number; readonly version: number };

/** The part of a question that does not change while it waits: JSON text without its last brace. */
export function questionText(asked: Question): string {
  if (asked.type === 'read') return `{"type":"read","account_id":"${asked.accountId}"`;
  const { facts, command, also, tenant } = asked.request;
  return JSON.stringify({ type: 'command', facts, command, also, tenant }).slice(0, -1);
}

/** @param leftMs null: of a read */
export function messageText(
  questions: readonly { readonly text: string; readonly leftMs: number | null; readonly version: number }[],
): string {
  const texts = questions.map(({ text, leftMs, version }) =>
    leftMs === null ? `${text},"version":${version}}` : `${text},"left_ms":${leftMs},"version":${version}}`,
  );
  return `{"questions":[${texts.join(',')}]}`;
}

/** @param nowMs of the monotonic clock, when the message arrived */
export function questionsOf(message: unknown, nowMs: number): readonly Arrived[] {
  // The server has parsed it: what it is of is its schema's.
  const { questions } = message as Message;
  return questions.map((each): Arrived => {
    const { version } = each;
    if (each.type === 'read') return { type: 'read', accountId: each.account_id as AccountId, version };
    const request = {
      ...partOf(each),
      deadlineMs: nowMs + each.left_ms,
      ...(each.also === undefined ? {} : { also: each.also.map(partOf) }),
      ...(each.tenant === undefined ? {} : { tenant: each.tenant }),
    };
    return { type: 'command', request, version };
  });
}

function partOf({ facts, command }: z.output<typeof part>): Part {
  return { facts: facts as RequestFacts, command: command as unknown as Command };
}

export function repliesText(all: readonly Reply[]): string {
  return JSON.stringify({ replies: all });
}

/** Throws when it is none of `count` replies. */
export function repliesOf(text: string, count: number): readonly Reply[] {
  const parsed = replies.parse(JSON.parse(text));
  if (parsed.replies.length !== count) throw new Error('as many replies as questions are wanted');
  return parsed.replies as unknown as readonly Reply[];
}

/** The account that decides where a question goes. */
export function shardOfQuestion(asked: Question): number {
  return contract.shardOf(asked.type === 'read' ? asked.accountId : asked.request.facts.accountId);
}
