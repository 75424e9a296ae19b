/**
 * Schemathesis' configuration for one run (TOML): which token a route gets, and which ids are really there. Tokens stand
 * in the environment, not in the file.
 */
import { join } from 'node:path';
import { type Route, routes } from '@local-plus/contracts';
import { type IdName, idNames, type Tenant } from './tenant.ts';

export const tokenVariables = { apiKey: 'LOCAL_PLUS_FUZZ_API_KEY', operator: 'LOCAL_PLUS_FUZZ_OPERATOR' } as const;

/** How often a parameter is the id of something that is there; else it is any UUID. */
const ID_SHARE = 0.85;

/** What the operator does, or an owner, in the place of the key that the run uses. */
const administrative = idsOf(
  ({ path, scope }) =>
    scope !== 'admin' &&
    scope !== null &&
    (path.startsWith('/v1/merchants/') || path.startsWith('/v1/audit-entries')) &&
    !path.endsWith('/allowed-origins'),
);

const rejections = [400, 401, 403, 404, 405, 409, 413, 414, 415, 422, 429, 431];

export function configText(tenant: Tenant): string {
  const bind = (dictionary: IdName): string => `{ dictionary = "${dictionary}", probability = ${ID_SHARE} }`;
  const publicIds = idsOf((route) => route.scope === null);
  return [
    `hooks = ${JSON.stringify(join(import.meta.dirname, 'hooks.py'))}`,
    '[auth.openapi.api_key]',
    `bearer = "\${${tokenVariables.apiKey}}"`,
    '[auth.openapi.operator_token]',
    `bearer = "\${${tokenVariables.operator}}"`,
    ...idNames.flatMap((name) => [`[dictionaries.${name}]`, `values = ${list(tenant.ids[name])}`]),
    '[parameters]',
    ...idNames.map((name) => `"path.${name}" = ${bind(name)}`),
    ...idNames.map((name) => `"body.${name}" = ${bind(name)}`),
    // Nobody needs a key for these; a known one is counted on its plan instead of the address it comes from.
    '[[operations]]',
    `include-operation-id = ${list(publicIds)}`,
    `headers = { Authorization = "Bearer \${${tokenVariables.apiKey}}" }`,
    // Too large, or too long, is no right shape either.
    '[checks.negative_data_rejection]',
    `expected-statuses = ${JSON.stringify(rejections)}`,
    // A merchant's key asks for its own scripts only, which is harmless to the run.
    '[[operations]]',
    `include-operation-id = ${list(['merchants.set_allowed_origins'])}`,
    `parameters = { "path.merchant_id" = ${bind('own_merchant_id')} }`,
    '[[operations]]',
    `include-operation-id = ${list(['revocations.create'])}`,
    `parameters = { "body.expires_at" = ${bind('expires_at')} }`,
    // Of another merchant's, a merchant's key is told 404: what the operator has made, the operator administers.
    '[[operations]]',
    `include-operation-id = ${list(administrative)}`,
    `headers = { Authorization = "Bearer \${${tokenVariables.operator}}" }`,
    '[[operations]]',
    `include-operation-id = ${list(['merchants.transition'])}`,
    `parameters = { "path.merchant_id" = ${bind('draft_merchant_id')} }`,
    '[[operations]]',
    `include-operation-id = ${list(['configuration.set'])}`,
    `parameters = { "path.merchant_id" = ${bind('draft_merchant_id')}, "body.expected_version" = 0 }`,
    ...giftcardText(tenant),
    // The version that every item is drafted in.
    '[[operations]]',
    `include-operation-id = ${list(['catalog_items.publish', 'catalog_items.withdraw'])}`,
    'parameters = { "body.expected_version" = 1 }',
    ...paymentText(),
    '[output.sanitization]',
    `keys-to-sanitize = ${list(['authorization'])}`,
    `sensitive-markers = ${list(['authorization'])}`,
    '',
  ].join('\n');
}

/** Codes that are somebody's, a key that is one, jobs of one card, a card with its own redemptions, and files from their beginning. */
function giftcardText({ codes, jobIds, ids, spent, publicKey }: Tenant): string[] {
  const job = jobIds.length > 0 ? jobIds : ids.giftcard_batch_id;
  const values = {
    code: codes,
    job,
    spent_giftcard: [spent.giftcardId],
    redeemed: spent.transactionIds,
    public_key_x: [publicKey.x],
    public_key_y: [publicKey.y],
  };
  const bind = (dictionary: keyof typeof values): string =>
    `{ dictionary = "${dictionary}", probability = ${ID_SHARE} }`;
  const key = `"body.public_key.x" = ${bind('public_key_x')}, "body.public_key.y" = ${bind('public_key_y')}`;
  return [
    ...Object.entries(values).flatMap(([name, entries]) => [`[dictionaries.${name}]`, `values = ${list(entries)}`]),
    '[[operations]]',
    `include-operation-id = ${list(['giftcards.lookup'])}`,
    `parameters = { "body.code" = ${bind('code')} }`,
    '[[operations]]',
    `include-operation-id = ${list(['giftcards.refund'])}`,
    `parameters = { "path.giftcard_id" = ${bind('spent_giftcard')}, "body.transaction_id" = ${bind('redeemed')} }`,
    '[[operations]]',
    `include-operation-id = ${list(['giftcard_batches.create'])}`,
    `parameters = { "body.count" = 1, ${key} }`,
    '[[operations]]',
    `include-operation-id = ${list(['giftcard_batches.cancel'])}`,
    `parameters = { "path.giftcard_batch_id" = ${bind('job')} }`,
    '[[operations]]',
    `include-operation-id = ${list(['giftcard_batches.file'])}`,
    'parameters = { "query.from" = 0 }',
  ];
}

/** From wallets and cards that are there, in the currency in which points pay. */
function paymentText(): string[] {
  const bind = (name: IdName): string =>
    `"body.sources[*].${name}" = { dictionary = "${name}", probability = ${ID_SHARE} }`;
  return [
    '[[operations]]',
    `include-operation-id = ${list(['payments.create', 'payments.quote'])}`,
    `parameters = { "body.currency" = "EUR", ${bind('wallet_id')}, ${bind('giftcard_id')} }`,
  ];
}

function idsOf(isMeant: (route: Route) => boolean): string[] {
  return (Object.entries(routes) as [string, Route][]).flatMap(([id, route]) => (isMeant(route) ? [id] : []));
}

/** JSON's strings are TOML's. */
const list = (values: readonly string[]): string => JSON.stringify(values);
