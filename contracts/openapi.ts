/**
 * OpenAPI 3.1, made from the route table. `node contracts/openapi.ts` rewrites `contracts/openapi.json`; with
 * `--check` it fails when the file is not what would be written.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import * as z from 'zod';
import * as audit from './audit.ts';
import { bodyRules } from './bodies.ts';
import * as bulk from './bulk.ts';
import * as catalog from './catalog.ts';
import * as customers from './customers.ts';
import * as giftcardBatches from './giftcard-batches.ts';
import * as giftcardCodes from './giftcard-codes.ts';
import * as giftcards from './giftcards.ts';
import * as liability from './liability.ts';
import * as lifecycle from './lifecycle.ts';
import * as members from './members.ts';
import * as merchants from './merchants.ts';
import * as movements from './movements.ts';
import * as payments from './payments.ts';
import { type ProblemCode, problemMediaType, problemSchema, problemTable } from './problems.ts';
import * as programs from './programs.ts';
import * as revocations from './revocations.ts';
import * as rewards from './rewards.ts';
import { type Route, routes } from './routes.ts';
import * as rules from './rules.ts';
import * as shards from './shards.ts';
import * as tiers from './tiers.ts';
import * as wallets from './wallets.ts';

type Json = Record<string, unknown>;

/** What was really asked and answered (`npm run examples`), by route. */
interface Example {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly answer: unknown;
}
const examples = JSON.parse(readFileSync(new URL('./examples.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, Example | undefined>
>;

/** What any route may answer with, whatever it does. */
const everywhere: readonly ProblemCode[] = [
  'invalid_request',
  'invalid_path',
  'bot_suspected',
  'network_blocked',
  'request_timeout',
  'uri_too_long',
  'headers_too_large',
  'rate_limited',
  'overloaded',
  'internal',
];
const behindTheEdge: readonly ProblemCode[] = ['bad_gateway', 'unavailable', 'deadline_exceeded', 'gateway_timeout'];
const withBody: readonly ProblemCode[] = ['invalid_json', 'payload_too_large', 'unsupported_media_type'];
const withKey: readonly ProblemCode[] = [
  'idempotency_key_missing',
  'idempotency_key_invalid',
  'idempotency_key_reused',
];

/** What is documented under a name of its own, for people and for client generators. */
const answers: Readonly<Record<string, z.ZodType>> = {
  merchant: merchants.merchant,
  merchant_plan: merchants.merchantPlan,
  allowed_origins: merchants.allowedOrigins,
  api_key: merchants.apiKey,
  created_api_key: merchants.createdApiKey,
  api_key_page: merchants.apiKeyPage,
  merchant_transition: lifecycle.transition,
  merchant_transition_page: lifecycle.transitionPage,
  merchant_configuration: merchants.configurationRow,
  merchant_configuration_page: merchants.configurationPage,
  member: members.member,
  member_page: members.memberPage,
  audit_entry_page: audit.entryPage,
  audit_verification: audit.verification,
  revocation: revocations.revocation,
  shards: shards.overview,
  shards_drained: shards.drained,
  program: merchants.program,
  program_version: programs.programVersion,
  program_version_page: programs.programVersionPage,
  tiers: tiers.tierScheme,
  tiers_page: tiers.tierSchemePage,
  wallet_tier: tiers.walletTier,
  tier_change_page: tiers.tierChangePage,
  reward: rewards.reward,
  reward_page: rewards.rewardPage,
  reward_status_changed: rewards.changedStatus,
  reward_stock_changed: rewards.changedStock,
  redemption: rewards.redemption,
  redemption_page: rewards.redemptionPage,
  rules_version: rules.rulesVersion,
  rules_version_page: rules.rulesVersionPage,
  rules_page: rules.rulesPage,
  quote: rules.quoted,
  wallet: wallets.wallet,
  balance: wallets.walletBalance,
  transaction: wallets.transaction,
  transaction_with_entries: wallets.transactionWithEntries,
  transaction_page: wallets.transactionPage,
  bulk_outcome: bulk.outcome,
  hold: movements.hold,
  transfer: movements.transfer,
  giftcard: giftcards.giftcard,
  issued_giftcard: giftcards.issuedGiftcard,
  giftcard_page: giftcards.giftcardPage,
  giftcard_activity: giftcards.activity,
  giftcard_activity_page: giftcards.activityPage,
  catalog_item: catalog.catalogItem,
  catalog_page: catalog.catalogPage,
  managed_item: catalog.managedItem,
  managed_page: catalog.managedPage,
  customer: customers.customer,
  customer_page: customers.customerPage,
  merged_customers: customers.mergedCustomers,
  exported_customer: customers.exported,
  wallet_page: customers.walletPage,
  consent: customers.consent,
  consent_page: customers.consentPage,
  payment_rate: payments.paymentRate,
  payment_rate_page: payments.paymentRatePage,
  quoted_payment: payments.quotedPayment,
  payment: payments.payment,
  payment_page: payments.paymentPage,
  refund: payments.refund,
  refund_page: payments.refundPage,
  program_liability: liability.programLiability,
  liability_page: liability.liabilityPage,
  giftcard_looked_up: giftcardCodes.lookedUp,
  giftcard_pin: giftcardCodes.pinState,
  giftcard_batch: giftcardBatches.batch,
  giftcard_batch_page: giftcardBatches.batchPage,
  giftcard_batch_line: giftcardBatches.fileLine,
  problem: problemSchema,
};
const bodies: Readonly<Record<string, z.ZodType>> = {
  create_merchant: merchants.createMerchant,
  set_merchant_plan: merchants.merchantPlan,
  set_allowed_origins: merchants.allowedOrigins,
  create_api_key: merchants.createApiKey,
  rotate_api_key: merchants.rotateApiKey,
  create_merchant_transition: lifecycle.createTransition,
  set_merchant_configuration: merchants.setConfiguration,
  create_member: members.createMember,
  set_member_role: members.setRole,
  create_revocation: revocations.createRevocation,
  drain_shards: shards.drain,
  create_program: merchants.createProgram,
  create_program_version: programs.createProgramVersion,
  create_wallet: wallets.createWallet,
  set_tiers: tiers.setTiers,
  create_reward: rewards.createReward,
  change_reward_status: rewards.changeStatus,
  change_reward_stock: rewards.changeStock,
  redeem_reward: rewards.redeem,
  cancel_redemption: rewards.cancel,
  create_rules: rules.createRules,
  add_rules: rules.addRules,
  publish_rules: rules.publishRules,
  request_quote: rules.quote,
  earn: rules.earn,
  posting: wallets.post,
  bulk_line: bulk.line,
  adjustment: movements.adjust,
  freezing: movements.freeze,
  create_hold: movements.createHold,
  capture: movements.capture,
  release: movements.release,
  reversal: movements.reverse,
  create_transfer: movements.createTransfer,
  set_payment_rate: payments.setPaymentRate,
  quote_payment: payments.quotePayment,
  create_payment: payments.createPayment,
  refund_payment: payments.refundPayment,
  look_up_giftcard: giftcardCodes.lookUp,
  create_giftcard_batch: giftcardBatches.createBatch,
  confirm_giftcard_file: giftcardBatches.confirmFile,
  issue_giftcard: giftcards.issue,
  import_giftcard: giftcards.importCard,
  load_giftcard: giftcards.load,
  redeem_giftcard: giftcards.redeem,
  refund_giftcard: giftcards.refund,
  adjust_giftcard: giftcards.adjust,
  because: giftcards.because,
  nothing: giftcards.nothing,
  link_giftcard: giftcards.link,
  transfer_giftcard: giftcards.transfer,
  replace_giftcard: giftcards.replace,
  create_catalog_item: catalog.createCatalogItem,
  draft_catalog_item: catalog.createDraft,
  update_catalog_item: catalog.updateItem,
  change_catalog_status: catalog.changeStatus,
  change_catalog_stock: catalog.changeStock,
  create_customer: customers.createCustomer,
  update_customer: customers.updateCustomer,
  merge_customers: customers.mergeCustomers,
  record_consent: customers.recordConsent,
};

const place = (name: string): string => `#/components/schemas/${name}`;

function withoutDialect(schema: Json): Json {
  const { $schema: _dialect, $id: _id, ...rest } = schema;
  return rest;
}

function namedSchemas(schemas: Readonly<Record<string, z.ZodType>>, io: 'input' | 'output'): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id });
  const made = z.toJSONSchema(registry, { io, target: 'draft-2020-12', uri: place });
  return Object.fromEntries(Object.entries(made.schemas).map(([id, schema]) => [id, withoutDialect(schema as Json)]));
}

/** A reference to a named schema. Throws for one that has no name: give it one above. */
function reference(schemas: Readonly<Record<string, z.ZodType>>, schema: z.ZodType): Json {
  const named = Object.entries(schemas).find(([, candidate]) => candidate === schema);
  if (!named) throw new Error('openapi: a route uses a schema without a name');
  return { $ref: place(named[0]) };
}

function problemsOf(route: Route): ProblemCode[] {
  return [
    ...everywhere,
    ...behindTheEdge,
    ...(route.scope === null ? [] : (['unauthenticated', 'forbidden', 'merchant_inactive'] as const)),
    ...(route.method === 'POST' ? withBody : []),
    ...(route.idempotent ? withKey : []),
    ...route.problems,
  ];
}

function mediaTypeOf({ format }: Route): string {
  return bodyRules[format ?? 'json'].mediaType;
}

/** Of an answer or a body; lines where the route has lines. */
function shown({ format }: Route, value: unknown): Json {
  if (value === undefined) return {};
  return {
    example: format === 'ndjson' ? (value as unknown[]).map((line) => `${JSON.stringify(line)}\n`).join('') : value,
  };
}

function responses(route: Route, example: Example | undefined): Json {
  const answer: Json = {
    description: 'Done.',
    headers: {
      'x-request-id': { schema: { type: 'string' } },
      ...(route.idempotent
        ? {
            'idempotent-replayed': {
              description: '`true` when the answer is that of an earlier request.',
              schema: { type: 'string' },
            },
          }
        : {}),
    },
    content: { [mediaTypeOf(route)]: { schema: reference(answers, route.answer), ...shown(route, example?.answer) } },
  };
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of new Set(problemsOf(route))) {
    const status = problemTable[code].status;
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const refusals = [...byStatus.entries()]
    .sort(([left], [right]) => left - right)
    .map(([status, codes]) => [
      String(status),
      {
        description: codes.map((code) => `\`${code}\`: ${problemTable[code].title}.`).join(' '),
        content: { [problemMediaType]: { schema: { $ref: place('problem') } } },
      },
    ]);
  return { [String(route.status)]: answer, ...Object.fromEntries(refusals) };
}

function queryMembers(schema: z.ZodType): { properties?: Json; required?: string[] } {
  return z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' }) as { properties?: Json; required?: string[] };
}

function parameters(route: Route, example: Example | undefined): Json[] {
  const segments = example?.path.split('/') ?? [];
  const inPath = route.path.split('/').flatMap((segment, index) => {
    const [, name] = /^\{(\w+)\}$/.exec(segment) ?? [];
    if (name === undefined) return [];
    const value = segments[index];
    const schema = { type: 'string', format: 'uuid' };
    return [{ name, in: 'path', required: true, schema, ...(value === undefined ? {} : { example: value }) }];
  });
  const query = route.query === null ? null : queryMembers(route.query);
  const inQuery = Object.entries(query?.properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: query?.required?.includes(name) ?? false,
    schema,
    ...(example?.query?.[name] === undefined ? {} : { example: example.query[name] }),
  }));
  const inHeader = route.idempotent
    ? [
        {
          name: 'Idempotency-Key',
          in: 'header',
          required: true,
          description: 'The same key with the same request answers with the outcome of the first time.',
          schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
        },
      ]
    : [];
  return [...inPath, ...inQuery, ...inHeader];
}

function describe({ scope, description }: Route): Json {
  const sentences = [...(description ? [description] : []), ...(scope === null ? [] : [`Scope: \`${scope}\`.`])];
  return sentences.length === 0 ? {} : { description: sentences.join(' ') };
}

function securityOf({ scope }: Route): Json[] {
  if (scope === null) return [];
  return scope === 'admin' ? [{ operator_token: [] }] : [{ api_key: [] }, { customer_token: [] }];
}

function operation(id: string, route: Route): Json {
  const example = examples[id];
  const wants = parameters(route, example);
  const content = { schema: route.body === null ? {} : reference(bodies, route.body), ...shown(route, example?.body) };
  return {
    operationId: id,
    summary: route.summary,
    tags: [id.split('.')[0]],
    security: securityOf(route),
    ...describe(route),
    ...(wants.length > 0 ? { parameters: wants } : {}),
    ...(route.body === null ? {} : { requestBody: { required: true, content: { [mediaTypeOf(route)]: content } } }),
    responses: responses(route, example),
  };
}

/** The whole document. */
export function openapi(): Json {
  const paths: Record<string, Json> = {};
  for (const [id, route] of Object.entries(routes) as [string, Route][]) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(id, route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Local-Plus',
      version: '1.0.0',
      description:
        'Loyalty points and gift cards on a double-entry ledger. Amounts are integers; errors are RFC 9457 problems.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      securitySchemes: {
        api_key: { type: 'http', scheme: 'bearer', description: 'An API key: lp_live_…' },
        operator_token: { type: 'http', scheme: 'bearer', description: "The operator's token, for scope `admin`." },
        customer_token: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'A JWT of the configured issuer; its `scope` and its merchant decide.',
        },
      },
      schemas: { ...namedSchemas(bodies, 'input'), ...namedSchemas(answers, 'output') },
    },
  };
}

if (process.argv[1] === import.meta.filename) {
  const file = new URL('./openapi.json', import.meta.url);
  const wanted = `${JSON.stringify(openapi(), null, 2)}\n`;
  if (!process.argv.includes('--check')) writeFileSync(file, wanted);
  else if (readFileSync(file, 'utf8') !== wanted) {
    console.error('contracts/openapi.json is not what the routes say. Run: npm run openapi');
    process.exitCode = 1;
  }
}
