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
  'merchants:write',
  'admin',
] as const;
export type Scope = (typeof scopes)[number];
export const merchantScopes = scopes.filter((scope) => scope !== 'admin');

export const createMerchant = z.strictObject({ name: fields.name });
export type CreateMerchant = z.infer<typeof createMerchant>;

const burst = z
  .int()
  .min(1)
  .max(limits.merchantRequestsPerMinuteMax)
  .nullable()
  .describe('At most so many requests in any ten seconds; null: no fewer than in a minute.');
const requestsPerMonth = z
  .int()
  .min(1)
  .max(limits.requestsPerMonthMax)
  .nullable()
  .describe('At most so many requests in a calendar month, UTC; null: any number.');

/** What all keys of a merchant, and its customers' tokens, may ask for together. */
export const merchantPlan = z.strictObject({
  requests_per_minute: z
    .int()
    .min(1)
    .max(limits.merchantRequestsPerMinuteMax)
    .nullable()
    .describe('In any sixty seconds; null: as much as its keys and customers may.'),
  burst,
  requests_per_month: requestsPerMonth,
});
export type MerchantPlan = z.infer<typeof merchantPlan>;

/** As browsers write it (RFC 6454 §6.2): https, lower case, no path, no default port. */
const origin = z
  .string()
  .max(255)
  .regex(
    /^https:\/\/[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*(?::(?!443$)(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$/,
    'is not an https origin without a path',
  );
const allowedOriginList = z
  .array(origin)
  .max(limits.allowedOriginsMax)
  .describe("Whose scripts may call with this merchant's keys and customers' tokens, exactly; no wildcards.");

export const allowedOrigins = z.strictObject({ allowed_origins: allowedOriginList });
export type AllowedOrigins = z.infer<typeof allowedOrigins>;

export const merchant = z.strictObject({
  id: fields.uuid,
  name: fields.name,
  status: z.enum(['active', 'suspended', 'closed']),
  plan: merchantPlan,
  allowed_origins: allowedOriginList,
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
  burst: burst.default(null),
  requests_per_month: requestsPerMonth.default(null),
});
export type CreateApiKey = z.infer<typeof createApiKey>;

export const apiKey = z.strictObject({
  id: fields.uuid,
  merchant_id: fields.uuid,
  name: fields.name,
  prefix: z.string().describe('The first characters, to tell keys apart.'),
  scopes: z.array(z.enum(scopes)),
  requests_per_minute: z.int(),
  burst,
  requests_per_month: requestsPerMonth,
  created_at: fields.timestamp,
  revoked_at: fields.timestamp.nullable(),
});
export type ApiKey = z.infer<typeof apiKey>;

export const createdApiKey = apiKey.extend({
  key: z.string().nullable().describe('The secret. Shown once: null when the answer is a replay.'),
});
export type CreatedApiKey = z.infer<typeof createdApiKey>;

const endOfMonth = z
  .boolean()
  .default(false)
  .describe('Moved to the last day of its month, which customers can remember.');

/** When points expire that are earned. Days and months are of the UTC calendar; points last to the end of their day. */
export const pointExpiry = z.discriminatedUnion('period', [
  z.strictObject({
    period: z.literal('months'),
    count: z.int().min(1).max(limits.expiryMonthsMax),
    end_of_month: endOfMonth,
  }),
  z.strictObject({
    period: z.literal('days'),
    count: z.int().min(1).max(limits.expiryDaysMax),
    end_of_month: endOfMonth,
  }),
]);
export type PointExpiry = z.infer<typeof pointExpiry>;

/** What becomes of the reversal of an earn whose points are spent. */
export const reversalPolicy = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('refuse') }).describe('It is refused.'),
  z
    .strictObject({ type: z.literal('negative'), limit: fields.amount })
    .describe('The balance goes below zero, to minus the limit at most.'),
  z
    .strictObject({ type: z.literal('recover') })
    .describe('What is there is taken; later earns pay the rest back first.'),
]);
export type ReversalPolicy = z.infer<typeof reversalPolicy>;

const holdExpiresInS = z.int().min(1).max(limits.holdSecondsMax);

export const createProgram = z.strictObject({
  name: fields.name,
  unit: fields.unit,
  scale: z
    .int()
    .min(0)
    .max(6)
    .default(0)
    .describe('Digits behind the decimal point of one unit; amounts stay integers.'),
  point_expiry: pointExpiry.optional().describe('When points expire; never by default.'),
  reversal_policy: reversalPolicy
    .default({ type: 'refuse' })
    .describe('What becomes of the reversal of an earn whose points are spent.'),
  hold_expires_in_s: holdExpiresInS
    .default(limits.holdSecondsDefault)
    .describe('How long a hold lasts that does not say it itself.'),
});
export type CreateProgram = z.infer<typeof createProgram>;

export const program = z.strictObject({
  id: fields.uuid,
  merchant_id: fields.uuid,
  name: fields.name,
  unit: fields.unit,
  scale: z.int().min(0).max(6),
  point_expiry: pointExpiry.nullable(),
  reversal_policy: reversalPolicy,
  hold_expires_in_s: holdExpiresInS,
  created_at: fields.timestamp,
});
export type Program = z.infer<typeof program>;

/**
 * What core tells the edge of a merchant; never leaves the two. Neither this nor a key's grant is strict: core may tell
 * more than this edge knows, or less.
 */
export const tenant = z.object({
  plan: merchantPlan.nullable().default(null),
  allowed_origins: z.array(z.string()).default([]),
});
export type Tenant = z.infer<typeof tenant>;

/** What core tells the edge of a key; never leaves the two. */
export const keyGrant = z.object({
  api_key_id: z.string(),
  merchant_id: fields.uuid.nullable().describe('null: the operator.'),
  scopes: z.array(z.enum(scopes)),
  requests_per_minute: z.int().min(1),
  burst: z.int().min(1).nullable().default(null),
  requests_per_month: z.int().min(1).nullable().default(null),
  tenant: tenant.nullable().default(null).describe("The key's merchant; null: nothing is said of it."),
});
export type KeyGrant = z.infer<typeof keyGrant>;

/** `GET internalPaths.origins`. */
export const originQuery = z.strictObject({ origin: z.string().min(1).max(255) });
