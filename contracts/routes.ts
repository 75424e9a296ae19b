/**
 * Every route, once. The edge's router, core's router, and OpenAPI are made from this table; what is not in it does
 * not exist (404), and a path in it with another method answers 405 with `Allow`.
 */
import type { z } from 'zod';
import type { BodyFormat } from './bodies.ts';
import * as bulk from './bulk.ts';
import * as catalog from './catalog.ts';
import type { GenerationKind } from './generations.ts';
import * as merchants from './merchants.ts';
import * as movements from './movements.ts';
import type { ProblemCode } from './problems.ts';
import * as revocations from './revocations.ts';
import * as rules from './rules.ts';
import * as shards from './shards.ts';
import * as wallets from './wallets.ts';

export interface Route {
  readonly method: 'GET' | 'POST';
  /** `{name}` matches one segment. */
  readonly path: string;
  readonly summary: string;
  /** What the summary cannot say. */
  readonly description?: string;
  /** `null`: public, neither API key nor token needed. */
  readonly scope: merchants.Scope | null;
  /** POST only: the request needs an Idempotency-Key. */
  readonly idempotent: boolean;
  /** What the bodies are: one JSON document each when absent, or lines of them. */
  readonly format?: BodyFormat;
  /** Of `ndjson`: of one line; so is the answer. */
  readonly body: z.ZodType | null;
  readonly query: z.ZodType | null;
  readonly status: 200 | 201;
  readonly answer: z.ZodType;
  /** What this route can refuse with, beyond what every route can. */
  readonly problems: readonly ProblemCode[];
  /** Seconds the edge may serve the answer from its cache; null: never. Public GETs only. */
  readonly cacheS: number | null;
  /** Of a cached answer: what it is out of date with. */
  readonly generation?: GenerationKind;
}

const read = {
  method: 'GET',
  idempotent: false,
  body: null,
  query: null,
  status: 200,
  problems: ['not_found'],
  cacheS: null,
} as const;
const write = { method: 'POST', idempotent: true, query: null, status: 201, cacheS: null } as const;
const setting = { ...write, status: 200, problems: ['not_found'] } as const;
const moving = { ...write, scope: 'transactions:write', answer: wallets.transaction } as const;
const freezing = { ...write, scope: 'wallets:write', body: movements.freeze, answer: wallets.transaction } as const;

export const routes = {
  'merchants.create': {
    ...write,
    path: '/v1/merchants',
    summary: 'Onboard a merchant',
    scope: 'admin',
    body: merchants.createMerchant,
    answer: merchants.merchant,
    problems: [],
  },
  'merchants.read': {
    ...read,
    path: '/v1/merchants/{merchant_id}',
    summary: 'Read a merchant',
    scope: 'merchants:read',
    answer: merchants.merchant,
  },
  'merchants.set_plan': {
    ...setting,
    path: '/v1/merchants/{merchant_id}/plan',
    summary: "Set a merchant's plan: what its keys and customers may ask for together; the edge knows within seconds",
    scope: 'admin',
    body: merchants.merchantPlan,
    answer: merchants.merchantPlan,
  },
  'merchants.set_allowed_origins': {
    ...setting,
    path: '/v1/merchants/{merchant_id}/allowed-origins',
    summary: 'Set the web origins whose scripts may call for a merchant; the edge knows within seconds',
    scope: 'merchants:write',
    body: merchants.allowedOrigins,
    answer: merchants.allowedOrigins,
  },
  'api_keys.create': {
    ...write,
    path: '/v1/merchants/{merchant_id}/api-keys',
    summary: 'Create an API key; its secret is shown once',
    scope: 'admin',
    body: merchants.createApiKey,
    answer: merchants.createdApiKey,
    problems: ['not_found'],
  },
  'api_keys.revoke': {
    ...write,
    path: '/v1/merchants/{merchant_id}/api-keys/{api_key_id}/revoke',
    summary: 'Revoke an API key; the edge refuses it within seconds',
    scope: 'admin',
    status: 200,
    body: null,
    answer: merchants.apiKey,
    problems: ['not_found'],
  },
  'revocations.create': {
    ...write,
    path: '/v1/admin/revocations',
    summary: "Revoke a customer's token, or all of a customer's; the edge refuses them within seconds",
    scope: 'admin',
    body: revocations.createRevocation,
    answer: revocations.revocation,
    problems: [],
  },
  'shards.read': {
    ...read,
    path: '/v1/admin/shards',
    summary: 'Which process serialises which accounts',
    scope: 'admin',
    answer: shards.overview,
    problems: [],
  },
  'shards.drain': {
    ...write,
    path: '/v1/admin/shards/drain',
    summary: 'Let a process hand its shards over to the others, or take its share again',
    scope: 'admin',
    status: 200,
    body: shards.drain,
    answer: shards.drained,
    problems: ['not_found'],
  },
  'programs.create': {
    ...write,
    path: '/v1/programs',
    summary: 'Create a loyalty program',
    scope: 'programs:write',
    body: merchants.createProgram,
    answer: merchants.program,
    problems: [],
  },
  'programs.read': {
    ...read,
    path: '/v1/programs/{program_id}',
    summary: 'Read a program',
    scope: 'programs:read',
    answer: merchants.program,
  },
  'programs.quote': {
    ...write,
    idempotent: false,
    path: '/v1/programs/{program_id}/quote',
    summary: 'What a purchase would earn now, rule by rule; posts nothing',
    scope: 'programs:read',
    status: 200,
    body: rules.quote,
    answer: rules.quoted,
    problems: ['not_found', 'no_rules_in_force', 'program_mismatch'],
  },
  'rules.create': {
    ...write,
    path: '/v1/programs/{program_id}/rules',
    summary: 'Draft a new version of the earn rules of a program',
    scope: 'programs:write',
    body: rules.createRules,
    answer: rules.rulesVersion,
    problems: ['not_found', 'rules_limit_exceeded'],
  },
  'rules.list': {
    ...read,
    path: '/v1/programs/{program_id}/rules',
    summary: "The versions of a program's earn rules, newest first",
    scope: 'programs:read',
    query: rules.rulesQuery,
    answer: rules.rulesVersionPage,
    problems: ['not_found', 'invalid_cursor'],
  },
  'rules.current': {
    ...read,
    path: '/v1/programs/{program_id}/rules/current',
    summary: 'The earn rules that are in force now',
    scope: 'programs:read',
    query: rules.rulesQuery,
    answer: rules.rulesPage,
    problems: ['not_found', 'invalid_cursor', 'no_rules_in_force'],
  },
  'rules.read': {
    ...read,
    path: '/v1/programs/{program_id}/rules/{rules_id}',
    summary: 'One version of the earn rules, with its rules',
    scope: 'programs:read',
    query: rules.rulesQuery,
    answer: rules.rulesPage,
    problems: ['not_found', 'invalid_cursor'],
  },
  'rules.add': {
    ...write,
    path: '/v1/programs/{program_id}/rules/{rules_id}/rules',
    summary: 'Add rules to a draft',
    scope: 'programs:write',
    body: rules.addRules,
    answer: rules.rulesVersion,
    problems: ['not_found', 'rules_published', 'rules_limit_exceeded', 'rule_id_taken'],
  },
  'rules.publish': {
    ...write,
    path: '/v1/programs/{program_id}/rules/{rules_id}/publish',
    summary: 'Publish a draft: it comes into force now, or at a later moment, and changes no more',
    scope: 'programs:write',
    status: 200,
    body: rules.publishRules,
    answer: rules.rulesVersion,
    problems: ['not_found', 'rules_published', 'effective_from_passed'],
  },
  'wallets.create': {
    ...write,
    path: '/v1/wallets',
    summary: 'Create a wallet',
    scope: 'wallets:write',
    body: wallets.createWallet,
    answer: wallets.wallet,
    problems: ['not_found', 'external_id_taken'],
  },
  'wallets.read': {
    ...read,
    path: '/v1/wallets/{wallet_id}',
    summary: 'Read a wallet',
    scope: 'wallets:read',
    answer: wallets.wallet,
  },
  'wallets.earn': {
    ...moving,
    path: '/v1/wallets/{wallet_id}/earn',
    summary: 'Earn: put points into a wallet, so many or what a purchase earns',
    description:
      'The points of a `purchase` come from the rules in force when the request is received; one that earns nothing is refused with `nothing_earned`, and its key remembers that. Sent again with its key it has its first outcome, whatever the rules are by then.',
    body: rules.earn,
    problems: [
      'not_found',
      'account_frozen',
      'balance_limit_exceeded',
      'no_rules_in_force',
      'nothing_earned',
      'counters_limit_exceeded',
    ],
  },
  'wallets.burn': {
    ...moving,
    path: '/v1/wallets/{wallet_id}/burn',
    summary: 'Burn: take points out of a wallet',
    body: wallets.post,
    problems: ['not_found', 'account_frozen', 'insufficient_funds'],
  },
  'wallets.adjust': {
    ...moving,
    path: '/v1/wallets/{wallet_id}/adjust',
    summary: 'Adjust: correct a balance, either way, with a reason; also on a frozen wallet',
    body: movements.adjust,
    problems: ['not_found', 'insufficient_funds', 'balance_limit_exceeded'],
  },
  'wallets.freeze': {
    ...freezing,
    path: '/v1/wallets/{wallet_id}/freeze',
    summary: 'Freeze a wallet: nothing is earned, spent or transferred until it is unfrozen',
    problems: ['not_found', 'account_frozen'],
  },
  'wallets.unfreeze': {
    ...freezing,
    path: '/v1/wallets/{wallet_id}/unfreeze',
    summary: 'Unfreeze a wallet',
    problems: ['not_found', 'account_not_frozen'],
  },
  'holds.create': {
    ...moving,
    path: '/v1/wallets/{wallet_id}/holds',
    summary: 'Hold: set points aside until they are captured or released',
    body: movements.createHold,
    answer: movements.hold,
    problems: ['not_found', 'account_frozen', 'insufficient_funds', 'holds_limit_exceeded'],
  },
  'holds.read': {
    ...read,
    path: '/v1/holds/{hold_id}',
    summary: 'A hold, and what is left of it',
    scope: 'wallets:read',
    answer: movements.hold,
  },
  'holds.capture': {
    ...moving,
    path: '/v1/holds/{hold_id}/capture',
    summary: 'Capture: spend what is held, wholly or in part',
    body: movements.capture,
    problems: ['not_found', 'account_frozen', 'hold_closed', 'capture_exceeds_hold'],
  },
  'holds.release': {
    ...moving,
    path: '/v1/holds/{hold_id}/release',
    summary: 'Release: give back what is left of a hold',
    body: movements.release,
    problems: ['not_found', 'hold_closed'],
  },
  'wallets.balance': {
    ...read,
    path: '/v1/wallets/{wallet_id}/balance',
    summary: 'The balance now, or at a past moment',
    scope: 'wallets:read',
    query: wallets.balanceQuery,
    answer: wallets.walletBalance,
  },
  'wallets.transactions': {
    ...read,
    path: '/v1/wallets/{wallet_id}/transactions',
    summary: "A wallet's transactions, newest first",
    scope: 'wallets:read',
    query: wallets.pageQuery,
    answer: wallets.transactionPage,
    problems: ['not_found', 'invalid_cursor'],
  },
  'transactions.read': {
    ...read,
    path: '/v1/transactions/{transaction_id}',
    summary: 'A transaction with its entries',
    scope: 'wallets:read',
    answer: wallets.transactionWithEntries,
  },
  'transactions.reverse': {
    ...moving,
    path: '/v1/transactions/{transaction_id}/reverse',
    summary: 'Reverse a transaction, wholly or in part',
    body: movements.reverse,
    problems: [
      'not_found',
      'not_reversible',
      'reversal_exceeds_original',
      'reversals_limit_exceeded',
      'insufficient_funds',
      'balance_limit_exceeded',
    ],
  },
  'transactions.bulk': {
    ...moving,
    idempotent: false,
    path: '/v1/transactions/bulk',
    summary: 'Many earns and burns, a line each; an outcome per line. Sending it again resumes it',
    description: bulk.description,
    format: 'ndjson',
    body: bulk.line,
    status: 200,
    answer: bulk.outcome,
    problems: [],
  },
  'transfers.create': {
    ...moving,
    path: '/v1/transfers',
    summary: 'Transfer points from one wallet to another of the same program',
    body: movements.createTransfer,
    answer: movements.transfer,
    problems: ['not_found', 'program_mismatch', 'account_frozen', 'insufficient_funds', 'balance_limit_exceeded'],
  },
  'catalog.create': {
    ...write,
    path: '/v1/catalog',
    summary: 'Publish a catalog item',
    scope: 'admin',
    body: catalog.createCatalogItem,
    answer: catalog.catalogItem,
    problems: [],
  },
  'catalog.list': {
    ...read,
    path: '/v1/catalog',
    summary: 'The public catalog, newest first',
    scope: null,
    query: catalog.catalogQuery,
    answer: catalog.catalogPage,
    problems: ['invalid_cursor'],
    cacheS: 60,
    generation: 'catalog',
  },
  'catalog.read': {
    ...read,
    path: '/v1/catalog/{item_id}',
    summary: 'One catalog item',
    scope: null,
    answer: catalog.catalogItem,
    cacheS: 60,
    generation: 'catalog',
  },
} as const satisfies Record<string, Route>;

export type RouteId = keyof typeof routes;

/** Paths between edge and core only; signed like the others, with the subject `edge`. */
export const internalPaths = {
  /** `GET` + lower-case hex of the key's SHA-256 → 200 `keyGrant` | 404. */
  keys: '/internal/keys/',
  /** `GET` + a merchant's id → 200 `merchants.tenant` | 404. */
  tenants: '/internal/tenants/',
  /** `GET` with the query `origin` → 200 when some merchant allows that origin | 404. */
  origins: '/internal/origins',
  /** `GET` → 200 `generations`. */
  generations: '/internal/generations',
  /** `GET` with the query `after` → 200 `revocations.listPage`. */
  revocations: '/internal/revocations',
  /** `POST`: one process of core to another, signed with the subject `core`. */
  peers: '/internal/peers',
} as const;
export const edgeSubject = 'edge';
export const coreSubject = 'core';
export const publicSubject = 'public';
export const operatorSubject = 'operator';
/** Who these are is ours to say: no customer can be called so. */
export const reservedSubjects: ReadonlySet<string> = new Set([
  edgeSubject,
  coreSubject,
  publicSubject,
  operatorSubject,
]);

/** Whether a caller with `granted` may use a route that needs `needed`; the operator's `admin` passes everything. */
export function allows(granted: readonly merchants.Scope[], needed: merchants.Scope | null): boolean {
  return needed === null || granted.includes(needed) || granted.includes('admin');
}
