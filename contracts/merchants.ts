/** Merchants, their API keys and their programs, as they stand on the wire. */
import * as z from 'zod';
import * as fields from './fields.ts';
import { limits } from './limits.ts';

/** What a key has by default, and a customer's token can have at most. */
const ordinaryScopes = [
  'wallets:read',
  'wallets:write',
  'transactions:write',
  'programs:read',
  'programs:write',
  'giftcards:read',
  'giftcards:write',
  'payments:read',
  'payments:write',
  'rewards:read',
  'rewards:write',
  'merchants:read',
  'merchants:write',
] as const;

/** What only a role, the operator, or a key that was made for it can have: no token's own word is enough. */
const administrativeScopes = [
  'merchants:lifecycle',
  'keys:read',
  'keys:write',
  'members:read',
  'members:write',
  'audit:read',
  'customers:read',
  'customers:write',
  'customers:erase',
  'catalog:write',
] as const;

/**
 * What a key, or a member's role, allows. `admin` is the operator's and cannot be given to a merchant's key; a key has an
 * administrative one (see {@link ownerScopes}) only when it was asked for.
 */
export const scopes = [...ordinaryScopes, ...administrativeScopes, 'admin'] as const;
export type Scope = (typeof scopes)[number];

export const merchantScopes: readonly Scope[] = ordinaryScopes;
export const ownerScopes: readonly Scope[] = administrativeScopes;
/** What a key can have at all. */
export const keyScopes: readonly Scope[] = [...ordinaryScopes, ...administrativeScopes];

export const merchantStatuses = ['draft', 'submitted', 'active', 'suspended', 'closed'] as const;
export type MerchantStatus = (typeof merchantStatuses)[number];

export const createMerchant = z.strictObject({
  name: fields.name,
  status: z
    .enum(['draft', 'active'])
    .default('active')
    .describe('`draft`: it has to be submitted and activated before its keys and customers may call.'),
});
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
/** As it is shown to people: no credentials, no port of its own. */
export const httpsUrl = z
  .string()
  .max(limits.urlCharsMax)
  .regex(
    /^https:\/\/[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?:\/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$/,
    'is not an https URL',
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
  status: z.enum(merchantStatuses),
  plan: merchantPlan,
  allowed_origins: allowedOriginList,
  created_at: fields.timestamp,
});
export type Merchant = z.infer<typeof merchant>;

/** What a merchant wishes of the platform, and tells whoever asks. Never personal data. */
export const configuration = z.strictObject({
  time_zone: fields.timeZone.describe('In which its days end: when gift cards expire, say. IANA: `Europe/Berlin`.'),
  support_url: httpsUrl.nullable().describe("Where its customers find help. Never a person's address."),
});
export type Configuration = z.infer<typeof configuration>;

/** What holds before anything is set: version 0. */
export const defaultConfiguration: Configuration = {
  time_zone: 'UTC',
  support_url: null,
};

const configurationVersion = z.int().min(0).max(limits.configurationVersionsMax);

export const setConfiguration = z
  .strictObject({
    expected_version: configurationVersion
      .max(limits.configurationVersionsMax - 1)
      .describe('The version that this one takes the place of; another one is there: 409. 0: nothing was set yet.'),
    configuration: configuration.describe('All of it.'),
  })
  .meta({
    examples: [
      {
        expected_version: 0,
        configuration: {
          time_zone: 'Europe/Berlin',
          support_url: 'https://help.example/cards',
        },
      },
    ],
  });
export type SetConfiguration = z.infer<typeof setConfiguration>;

export const configurationRow = z.strictObject({
  merchant_id: fields.uuid,
  version: configurationVersion.describe('1, 2, 3 …; 0: what holds before anything is set.'),
  configuration,
  set_by: z.string().nullable().describe("A key's id, a member's subject, or `operator`; null for version 0."),
  created_at: fields.timestamp.nullable(),
});
export type ConfigurationVersion = z.infer<typeof configurationRow>;

export const pageQuery = z.strictObject(fields.pageQuery);
export type PageQuery = z.infer<typeof pageQuery>;

export const configurationPage = z.strictObject({
  data: z.array(configurationRow),
  next_cursor: fields.nextCursor,
});

export const createApiKey = z.strictObject({
  name: fields.name,
  scopes: z
    .array(z.enum(keyScopes))
    .min(1)
    .max(scopes.length)
    .optional()
    .describe("By default all that are not administrative. Never more than the caller's own."),
  requests_per_minute: z
    .int()
    .min(1)
    .max(limits.keyRequestsPerMinuteMax)
    .default(limits.keyRequestsPerMinuteDefault)
    .describe('The plan of this key; it replaces the limit by address.'),
  burst: burst.default(null),
  requests_per_month: requestsPerMonth.default(null),
  expires_at: fields.moment.optional().describe('In the future. It is refused within seconds of it; never by default.'),
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
  expires_at: fields.timestamp.nullable(),
  last_used_at: fields.timestamp.nullable().describe('To the minute, and up to two minutes late; null: never.'),
  rotated_from: fields.uuid.nullable().describe('The key whose successor it is.'),
  revoked_at: fields.timestamp.nullable(),
});
export type ApiKey = z.infer<typeof apiKey>;

export const createdApiKey = apiKey.extend({
  key: z.string().nullable().describe('The secret. Shown once: null when the answer is a replay.'),
});
export type CreatedApiKey = z.infer<typeof createdApiKey>;

export const apiKeyPage = z.strictObject({ data: z.array(apiKey), next_cursor: fields.nextCursor });

export const rotateApiKey = z
  .strictObject({
    overlap_s: z
      .int()
      .min(0)
      .max(limits.keyOverlapSecondsMax)
      .default(limits.keyOverlapSecondsDefault)
      .describe('How long the old key may still be used, if it does not expire sooner.'),
    expires_at: fields.moment.optional().describe("The new key's. Never by default."),
  })
  .meta({ examples: [{ overlap_s: 3_600 }] });
export type RotateApiKey = z.infer<typeof rotateApiKey>;

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
  status: z.enum(merchantStatuses).default('active').describe('Customers call for an active one only.'),
  plan: merchantPlan.nullable().default(null),
  allowed_origins: z.array(z.string()).default([]),
});
export type Tenant = z.infer<typeof tenant>;
/** What an older core may leave out. */
export type TenantAsTold = z.input<typeof tenant>;

/** What core tells the edge of a key; never leaves the two. */
export const keyGrant = z.object({
  api_key_id: z.string(),
  merchant_id: fields.uuid.nullable().describe('null: the operator.'),
  scopes: z.array(z.enum(scopes)),
  requests_per_minute: z.int().min(1),
  burst: z.int().min(1).nullable().default(null),
  requests_per_month: z.int().min(1).nullable().default(null),
  expires_at_ms: z.int().nullable().default(null).describe('Unix time; null: never.'),
  tenant: tenant.nullable().default(null).describe("The key's merchant; null: nothing is said of it."),
});
export type KeyGrant = z.infer<typeof keyGrant>;
export type KeyGrantAsTold = z.input<typeof keyGrant>;

/** `GET internalPaths.origins`. */
export const originQuery = z.strictObject({ origin: z.string().min(1).max(255) });
