/**
 * Who acts for a merchant with a token: members, and what each of their roles allows. A member is known by the `sub` of its
 * tokens, and by nothing else: names and addresses are the issuer's to keep.
 *
 * A token whose `scope` has `member` acts as a member: it may do what the role allows, and of that only what else it names,
 * if it names anything else. The edge asks core for the role, as it asks for a key's grant.
 */
import * as z from 'zod';
import * as fields from './fields.ts';
import { keyScopes, type MerchantStatus, merchantScopes, type Scope, scopes } from './merchants.ts';
import { reservedSubjects, subjectForm } from './subjects.ts';

export const roles = ['owner', 'manager', 'cashier', 'analyst', 'auditor'] as const;
export type Role = (typeof roles)[number];

/** The one table of what each role may do. */
export const roleScopes: Readonly<Record<Role, readonly Scope[]>> = {
  owner: keyScopes,
  manager: [
    ...merchantScopes,
    'keys:read',
    'members:read',
    'customers:read',
    'customers:write',
    'customers:erase',
    'catalog:write',
  ],
  cashier: [
    'wallets:read',
    'wallets:write',
    'transactions:write',
    'programs:read',
    'giftcards:read',
    'giftcards:write',
    'payments:read',
    'payments:write',
    'rewards:read',
    'customers:read',
  ],
  analyst: ['wallets:read', 'programs:read', 'rewards:read', 'giftcards:read', 'payments:read', 'merchants:read'],
  auditor: ['audit:read', 'merchants:read', 'keys:read', 'members:read', 'programs:read', 'wallets:read'],
};

const onboarding: readonly Scope[] = [
  'merchants:read',
  'merchants:write',
  'merchants:lifecycle',
  'keys:read',
  'keys:write',
  'members:read',
  'members:write',
  'audit:read',
];
const lookingBack: readonly Scope[] = ['merchants:read', 'keys:read', 'members:read', 'audit:read'];

/** What is left of a role in each state of the merchant; null: all of it. Keys and customers call for active ones only. */
export const scopesLeftIn: Readonly<Record<MerchantStatus, readonly Scope[] | null>> = {
  draft: onboarding,
  submitted: onboarding,
  active: null,
  suspended: lookingBack,
  closed: lookingBack,
};

/** In the `scope` of a token: its bearer acts as a member. No scope of a route. */
export const memberMark = 'member';

export const subject = z
  .string()
  .regex(subjectForm, 'is not 1 to 64 letters, digits or -')
  .refine((text) => !reservedSubjects.has(text), { error: 'is a name of ours' })
  .describe('The `sub` of its tokens. An opaque id, never an address.');

const role = z
  .enum(roles)
  .describe(
    'owner: everything; manager: all but keys, members and what becomes of the merchant; cashier: what a till does; analyst and auditor read.',
  );

export const createMember = z
  .strictObject({ subject, role })
  .meta({ examples: [{ subject: 'auth0-5f2c', role: 'cashier' }] });
export type CreateMember = z.infer<typeof createMember>;

export const setRole = z.strictObject({ role }).meta({ examples: [{ role: 'manager' }] });
export type SetRole = z.infer<typeof setRole>;

export const member = z.strictObject({
  id: fields.uuid,
  merchant_id: fields.uuid,
  subject: z.string(),
  role: z.enum(roles),
  created_at: fields.timestamp,
  removed_at: fields.timestamp.nullable(),
});
export type Member = z.infer<typeof member>;

export const memberPage = z.strictObject({
  data: z.array(member).describe('Those that were not removed, newest first.'),
  next_cursor: fields.nextCursor,
});

/** `GET internalPaths.members`. */
export const grantQuery = z.strictObject({ merchant_id: fields.uuid, subject: z.string().regex(subjectForm) });

/** What core tells the edge of a member; never leaves the two. Not strict: core may tell more than this edge knows. */
export const memberGrant = z.object({ role: z.string(), scopes: z.array(z.enum(scopes)) });
export type MemberGrant = z.infer<typeof memberGrant>;
