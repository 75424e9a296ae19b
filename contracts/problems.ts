/**
 * The error table: one row per code, the only place that maps a code to its status and its words.
 *
 * A problem document is RFC 9457 with `code` (stable, for programs), `retryable` (the same request, sent again with
 * the same Idempotency-Key, may succeed), `request_id`, and `errors` for input. The public words never contain the
 * text of an exception.
 */
import * as z from 'zod';

interface ProblemRow {
  readonly status: number;
  readonly title: string;
  readonly retryable: boolean;
}

export const problemTable = {
  invalid_json: { status: 400, title: 'The body is not acceptable JSON', retryable: false },
  invalid_request: { status: 400, title: 'The request does not have the documented shape', retryable: false },
  invalid_cursor: { status: 400, title: 'The cursor is not one that this resource gave out', retryable: false },
  invalid_path: { status: 400, title: 'The path is not in canonical form', retryable: false },
  idempotency_key_missing: { status: 400, title: 'This request needs an Idempotency-Key header', retryable: false },
  idempotency_key_invalid: { status: 400, title: 'The Idempotency-Key header is not acceptable', retryable: false },
  unauthenticated: { status: 401, title: 'A valid API key or token is needed', retryable: false },
  signature_invalid: { status: 401, title: 'The request did not come through the edge', retryable: false },
  forbidden: { status: 403, title: 'The API key or token does not allow this', retryable: false },
  bot_suspected: { status: 403, title: 'The request looks automated', retryable: false },
  network_blocked: { status: 403, title: 'Requests from this network are not served', retryable: false },
  origin_not_allowed: { status: 403, title: 'Scripts of this origin may not call', retryable: false },
  giftcard_pin_wrong: { status: 403, title: 'The PIN is wrong', retryable: false },
  merchant_inactive: { status: 403, title: 'The merchant is not active', retryable: false },
  not_found: { status: 404, title: 'There is nothing here', retryable: false },
  method_not_allowed: { status: 405, title: 'The resource does not have this method', retryable: false },
  request_timeout: { status: 408, title: 'The request did not arrive in time', retryable: true },
  insufficient_funds: { status: 409, title: 'The available balance is too small', retryable: false },
  balance_limit_exceeded: { status: 409, title: 'The balance would leave its bounds', retryable: false },
  account_frozen: { status: 409, title: 'The account is frozen', retryable: false },
  account_not_frozen: { status: 409, title: 'The account is not frozen', retryable: false },
  giftcard_active: { status: 409, title: 'The gift card is active already', retryable: false },
  giftcard_linked: { status: 409, title: 'The gift card belongs to another customer', retryable: false },
  giftcard_not_linked: { status: 409, title: 'The gift card belongs to no customer', retryable: false },
  giftcard_not_offered: { status: 409, title: 'The catalog item offers no such gift card', retryable: false },
  giftcard_busy: { status: 409, title: 'Another activity of the gift card is under way', retryable: true },
  expires_on_passed: { status: 409, title: 'The last day is over already', retryable: false },
  giftcard_pending: { status: 409, title: 'The gift card is not active yet', retryable: false },
  giftcard_expired: { status: 409, title: 'The gift card has expired', retryable: false },
  giftcard_deactivated: { status: 409, title: 'The gift card was deactivated', retryable: false },
  hold_closed: { status: 409, title: 'Nothing is left of the hold', retryable: false },
  capture_exceeds_hold: { status: 409, title: 'The capture asks for more than is left of the hold', retryable: false },
  holds_limit_exceeded: { status: 409, title: 'The account has too many open holds', retryable: false },
  not_reversible: { status: 409, title: 'A transaction of this kind cannot be reversed', retryable: false },
  reversal_exceeds_original: {
    status: 409,
    title: 'The reversal asks for more than is left of the transaction',
    retryable: false,
  },
  nothing_earned: { status: 409, title: 'The purchase earns no points', retryable: false },
  counters_limit_exceeded: { status: 409, title: 'The account is counted against too many caps', retryable: false },
  no_rules_in_force: { status: 409, title: 'The program has no earn rules in force', retryable: true },
  rules_published: { status: 409, title: 'The rules are published and change no more', retryable: false },
  rules_limit_exceeded: { status: 409, title: 'The program has too many rules, or versions of them', retryable: false },
  rule_id_taken: { status: 409, title: 'The rules have a rule with this id', retryable: false },
  effective_from_too_soon: { status: 409, title: 'A version comes into force a little later', retryable: false },
  no_tiers: { status: 409, title: 'The program has no tiers', retryable: true },
  versions_limit_exceeded: { status: 409, title: 'There are too many versions', retryable: false },
  effective_from_passed: { status: 409, title: 'Rules come into force now or later', retryable: false },
  reversals_limit_exceeded: { status: 409, title: 'The account has too many reversed transactions', retryable: false },
  program_mismatch: { status: 409, title: 'The wallets belong to different programs', retryable: false },
  group_refused: {
    status: 409,
    title: 'Another line of its group was refused; none was applied',
    retryable: false,
  },
  payment_rate_missing: {
    status: 409,
    title: 'Points of the program pay nothing in this currency',
    retryable: false,
  },
  payment_quote_changed: {
    status: 409,
    title: 'At the current rate it takes another number of points',
    retryable: false,
  },
  currency_mismatch: { status: 409, title: 'The gift card is of another currency', retryable: false },
  payment_expired: { status: 409, title: 'The payment was not completed in time', retryable: false },
  payment_not_held: { status: 409, title: 'The payment is not held', retryable: false },
  payment_not_captured: { status: 409, title: 'The payment is not captured', retryable: false },
  refund_exceeds_payment: {
    status: 409,
    title: 'The refund asks for more than is left of the payment',
    retryable: false,
  },
  transaction_managed: { status: 409, title: 'It belongs to another resource: change that one', retryable: false },
  giftcard_pin_missing: { status: 409, title: 'The gift card needs its PIN', retryable: false },
  giftcard_batch_running: { status: 409, title: 'The bulk issue is not at its end', retryable: true },
  giftcard_batch_ended: { status: 409, title: 'The bulk issue is at its end', retryable: false },
  giftcard_codes_delivered: {
    status: 409,
    title: 'The codes were delivered, or nobody came for them, and are deleted',
    retryable: false,
  },
  giftcard_batches_limit_exceeded: {
    status: 409,
    title: 'Too many bulk issues are under way, or not delivered',
    retryable: true,
  },
  transition_refused: { status: 409, title: "The merchant's state does not allow this", retryable: false },
  revocations_limit_exceeded: { status: 409, title: 'Too many revocations are in force', retryable: true },
  api_key_ended: { status: 409, title: 'The API key is revoked or has expired', retryable: false },
  member_exists: { status: 409, title: 'The subject is a member already', retryable: false },
  last_owner: { status: 409, title: 'The merchant would have no owner', retryable: false },
  version_conflict: { status: 409, title: 'It has another version than the one that was read', retryable: false },
  customer_merged: { status: 409, title: 'The customer was merged into another one', retryable: false },
  customer_erased: { status: 409, title: 'The customer is erased', retryable: false },
  customer_limit_exceeded: { status: 409, title: 'The customer has too many merges, or consents', retryable: false },
  catalog_status: { status: 409, title: 'An item of this status does not allow it', retryable: false },
  catalog_unsellable: { status: 409, title: 'The item has no amount that could be bought', retryable: false },
  reward_status: { status: 409, title: 'A reward of this status does not allow it', retryable: false },
  reward_not_available: { status: 409, title: 'The reward cannot be redeemed now', retryable: false },
  reward_limit_reached: { status: 409, title: 'The reward was redeemed as often as it may be', retryable: false },
  reward_tier_missing: { status: 409, title: 'The reward is for other tiers', retryable: false },
  redemption_status: { status: 409, title: 'A redemption of this status does not allow it', retryable: false },
  out_of_stock: { status: 409, title: 'Not as many are left', retryable: false },
  external_id_taken: { status: 409, title: 'The external id belongs to another resource', retryable: false },
  payload_too_large: { status: 413, title: 'The body is too large', retryable: false },
  uri_too_long: { status: 414, title: 'The path and query are too long', retryable: false },
  unsupported_media_type: { status: 415, title: 'The body has not the media type of this route', retryable: false },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key belongs to another request', retryable: false },
  rate_limited: { status: 429, title: 'Too many requests', retryable: true },
  overloaded: { status: 429, title: 'Too much is waiting already', retryable: true },
  giftcard_pin_locked: { status: 429, title: 'Too many wrong PINs: none is looked at for a while', retryable: true },
  headers_too_large: { status: 431, title: 'The header fields are too large', retryable: false },
  internal: { status: 500, title: 'Something went wrong on our side', retryable: true },
  customers_not_configured: {
    status: 501,
    title: 'The operator has configured no key for the contact details of customers',
    retryable: false,
  },
  giftcard_codes_not_configured: {
    status: 501,
    title: 'The operator has configured no key for the codes of gift cards',
    retryable: false,
  },
  bad_gateway: { status: 502, title: 'The origin gave no usable answer', retryable: true },
  unavailable: { status: 503, title: 'The ledger cannot be written right now', retryable: true },
  deadline_exceeded: { status: 503, title: 'The request waited too long and was not executed', retryable: true },
  gateway_timeout: { status: 504, title: 'The origin did not answer in time', retryable: true },
} as const satisfies Record<string, ProblemRow>;

export type ProblemCode = keyof typeof problemTable;

export interface FieldError {
  /** JSON Pointer (RFC 6901) into the body, or `?name` for a query parameter. */
  readonly pointer: string;
  readonly code: string;
  readonly detail: string;
}

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ProblemCode;
  readonly detail: string;
  readonly retryable: boolean;
  readonly request_id: string;
  readonly errors?: readonly FieldError[];
}

export const problemMediaType = 'application/problem+json';

/**
 * Builds the document. `detail` is for the caller's eyes: never an exception's text; defaults to the title.
 * `type` is a tag URI (RFC 4151): it identifies, and promises no page.
 */
export function problem(
  code: ProblemCode,
  requestId: string,
  detail?: string,
  errors?: readonly FieldError[],
): Problem {
  const row = problemTable[code];
  return {
    type: `tag:localplus.io,2026:problem/${code}`,
    title: row.title,
    status: row.status,
    code,
    detail: detail ?? `${row.title}.`,
    retryable: row.retryable,
    request_id: requestId,
    ...(errors && errors.length > 0 ? { errors } : {}),
  };
}

export const problemSchema = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int().min(400).max(599),
  code: z.enum(Object.keys(problemTable) as [ProblemCode, ...ProblemCode[]]),
  detail: z.string(),
  retryable: z.boolean().describe('The same request with the same Idempotency-Key may succeed later.'),
  request_id: z.string(),
  errors: z
    .array(z.strictObject({ pointer: z.string(), code: z.string(), detail: z.string() }))
    .optional()
    .describe('One entry per thing that is wrong with the input.'),
});
