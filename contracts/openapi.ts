/**
 * OpenAPI 3.1, made from the route table. `node contracts/openapi.ts` rewrites `contracts/openapi.json`; with
 * `--check` it fails when the file is not what would be written.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import * as z from 'zod';
import { bodyRules } from './bodies.ts';
import * as bulk from './bulk.ts';
import * as catalog from './catalog.ts';
import * as merchants from './merchants.ts';
import * as movements from './movements.ts';
import { type ProblemCode, problemMediaType, problemSchema, problemTable } from './problems.ts';
import * as revocations from './revocations.ts';
import { type Route, routes } from './routes.ts';
import * as rules from './rules.ts';
import * as shards from './shards.ts';
import * as wallets from './wallets.ts';

type Json = Record<string, unknown>;

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
  revocation: revocations.revocation,
  shards: shards.overview,
  shards_drained: shards.drained,
  program: merchants.program,
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
  catalog_item: catalog.catalogItem,
  catalog_page: catalog.catalogPage,
  problem: problemSchema,
};
const bodies: Readonly<Record<string, z.ZodType>> = {
  create_merchant: merchants.createMerchant,
  set_merchant_plan: merchants.merchantPlan,
  set_allowed_origins: merchants.allowedOrigins,
  create_api_key: merchants.createApiKey,
  create_revocation: revocations.createRevocation,
  drain_shards: shards.drain,
  create_program: merchants.createProgram,
  create_wallet: wallets.createWallet,
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
  create_catalog_item: catalog.createCatalogItem,
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
    ...(route.scope === null ? [] : (['unauthenticated', 'forbidden'] as const)),
    ...(route.method === 'POST' ? withBody : []),
    ...(route.idempotent ? withKey : []),
    ...route.problems,
  ];
}

function mediaTypeOf({ format }: Route): string {
  return bodyRules[format ?? 'json'].mediaType;
}

function responses(route: Route): Json {
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
    content: { [mediaTypeOf(route)]: { schema: reference(answers, route.answer) } },
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

function parameters(route: Route): Json[] {
  const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string', format: 'uuid' },
  }));
  const query = route.query === null ? null : queryMembers(route.query);
  const inQuery = Object.entries(query?.properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: query?.required?.includes(name) ?? false,
    schema,
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
  const wants = parameters(route);
  return {
    operationId: id,
    summary: route.summary,
    tags: [id.split('.')[0]],
    security: securityOf(route),
    ...describe(route),
    ...(wants.length > 0 ? { parameters: wants } : {}),
    ...(route.body === null
      ? {}
      : {
          requestBody: { required: true, content: { [mediaTypeOf(route)]: { schema: reference(bodies, route.body) } } },
        }),
    responses: responses(route),
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
