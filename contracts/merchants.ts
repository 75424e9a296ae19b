/** Merchants, their API keys and their programs, as they stand on the wire. */
import * as z from 'zod';
import * as fields from './fields.ts';
import { limits } from './limits.ts';

/**
 * What a key allows. `admin` is the operator's and cannot be given to a merchant's key.
 */
export const scopes = [
  'wallets:read',
  'wallets:write',
  'transactions:write',
  'programs:read',
  'programs:write',
  'merchants:read',
  'admin',
] as const;
export type Scope = (typeof scopes)[number];
export const merchantScopes = scopes.filter((scope) => scope !== 'admin');

export const createMerchant = z.strictObject({ name: fields.name });
export type CreateMerchant = z.infer<typeof createMerchant>;

export const merchant = z.strictObject({
  id: fields.uuid,
  name: fields.name,
  status: z.enum(['active', 'suspended', 'closed']),
  created_at: fields.timestamp,
});
export type Merchant = z.infer<typeof merchant>;

export const createApiKey = z.strictObject({
  name: fields.name,
  scopes: z
    .array(z.enum(merchantScopes as [Scope, ...Scope[]]))
    .min(1)
    .max(scopes.length)
    .optional()
    .describe('All by default.'),
  requests_per_minute: z
    .int()
    .min(1)
    .max(limits.keyRequestsPerMinuteMax)
    .default(limits.keyRequestsPerMinuteDefault)
    .describe('The plan of this key; it replaces the limit by address.'),
});
export type CreateApiKey = z.infer<typeof createApiKey>;

export const apiKey = z.strictObject({
  id: fields.uuid,
  merchant_id: fields.uuid,
  name: fields.name,
  prefix: z.string().describe('The first characters, to tell keys apart.'),
  scopes: z.array(z.enum(scopes)),
  requests_per_minute: z.int(),
  created_at: fields.timestamp,
  revoked_at: fields.timestamp.nullable(),
});
export type ApiKey = z.infer<typeof apiKey>;

export const createdApiKey = apiKey.extend({
  key: z.string().nullable().describe('The secret. Shown once: null when the answer is a replay.'),
});
export type CreatedApiKey = z.infer<typeof createdApiKey>;

export const createProgram = z.strictObject({
  name: fields.name,
  unit: fields.unit,
  scale: z
    .int()
    .min(0)
    .max(6)
    .default(0)
    .describe('Digits behind the decimal point of one unit; amounts stay integers.'),
});
export type CreateProgram = z.infer<typeof createProgram>;

export const program = z.strictObject({
  id: fields.uuid,
  merchant_id: fields.uuid,
  name: fields.name,
  unit: fields.unit,
  scale: z.int().min(0).max(6),
  created_at: fields.timestamp,
});
export type Program = z.infer<typeof program>;

/** What core tells the edge of a key; never leaves the two. */
export const keyGrant = z.strictObject({
  api_key_id: z.string(),
  merchant_id: fields.uuid.nullable().describe('null: the operator.'),
  scopes: z.array(z.enum(scopes)),
  requests_per_minute: z.int().min(1),
});
export type KeyGrant = z.infer<typeof keyGrant>;
