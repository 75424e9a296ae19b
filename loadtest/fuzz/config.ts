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
    // Of another merchant's, a merchant's key is told 404: what the operator has made, the operator reads.
    '[[operations]]',
    `include-operation-id = ${list(['merchants.read'])}`,
    `headers = { Authorization = "Bearer \${${tokenVariables.operator}}" }`,
    '[output.sanitization]',
    `keys-to-sanitize = ${list(['authorization'])}`,
    `sensitive-markers = ${list(['authorization'])}`,
    '',
  ].join('\n');
}

function idsOf(isMeant: (route: Route) => boolean): string[] {
  return (Object.entries(routes) as [string, Route][]).flatMap(([id, route]) => (isMeant(route) ? [id] : []));
}

/** JSON's strings are TOML's. */
const list = (values: readonly string[]): string => JSON.stringify(values);
