/**
 * What the requests of a fuzzed run can be about: merchants, programs, wallets with points, holds and transactions that
 * are really there, so that they come to what a route does, and not only to its 404.
 */
import { limits } from '@local-plus/contracts';
import { createApiClient, created, createdKey } from '../api-client.ts';

export interface Tenant {
  readonly apiKey: string;
  /** Values of what is called so, in paths and in bodies. */
  readonly ids: Readonly<Record<IdName, readonly string[]>>;
}

export const idNames = [
  'merchant_id',
  'own_merchant_id',
  'program_id',
  'rules_id',
  'api_key_id',
  'wallet_id',
  'from_wallet_id',
  'to_wallet_id',
  'hold_id',
  'transaction_id',
  'item_id',
  'expires_at',
] as const;
export type IdName = (typeof idNames)[number];

/** The plan of the key that the run uses: the limiter is on, and knows its caller. */
const REQUESTS_PER_MINUTE = 600_000;
const WALLETS = 40;
/** Each is used up by one full capture or release, or by one full reversal. */
const HOLDS = 200;
const TRANSACTIONS = 200;
const ITEMS = 5;
const DRAFTS = 60;
const SPARE_KEYS = 40;
const CONCURRENCY = 16;
const DAY_MS = 24 * 3_600_000;

export async function createTenant(edgeUrl: string, adminToken: string): Promise<Tenant> {
  const operator = createApiClient(edgeUrl, adminToken);
  const merchant = await operator.post('/v1/merchants', { name: 'Fuzzed' }, created);
  const keys = `/v1/merchants/${merchant.id}/api-keys`;
  const plan = { requests_per_minute: REQUESTS_PER_MINUTE };
  const { key: apiKey } = await operator.post(keys, { name: 'fuzz', ...plan }, createdKey);
  const client = createApiClient(edgeUrl, apiKey);
  const program = await client.post('/v1/programs', { name: 'Points', unit: 'PTS' }, created);
  const generous = { name: 'Generous', unit: 'PTS', reversal_policy: { type: 'recover' } };
  const second = await client.post('/v1/programs', generous, created);

  // Two of three are of one program, so that transfers between them are possible.
  const wallets = await idsOf(WALLETS, (n) =>
    client.post('/v1/wallets', { program_id: n % 3 === 2 ? second.id : program.id }, created),
  );
  const walletOf = (n: number): string => `/v1/wallets/${wallets[n % wallets.length]}`;
  const earns = await idsOf(TRANSACTIONS, (n) =>
    client.post(`${walletOf(n)}/earn`, { amount: limits.amountMax }, created),
  );
  const holds = await idsOf(HOLDS, (n) => client.post(`${walletOf(n)}/holds`, { amount: 1_000 }, created));
  const card = { name: 'Card', brand: 'Brand', currency: 'EUR', denominations: [1_000] };
  const items = await idsOf(ITEMS, () => operator.post('/v1/catalog', card, created));
  const base = { id: 'base', currency: 'EUR', effect: { type: 'points_per_amount', points: 1, per: 100 } };
  const rulesOf = (programId: string): string => `/v1/programs/${programId}/rules`;
  for (const { id } of [program, second]) {
    const published = await client.post(rulesOf(id), { rules: [base] }, created);
    await client.post(`${rulesOf(id)}/${published.id}/publish`, {}, created);
  }
  const drafts = await idsOf(DRAFTS, () => client.post(rulesOf(program.id), {}, created));
  // Never the run's own merchant and key: who revokes it, or takes its plan away, sees 401 or 429 from there on.
  const other = await operator.post('/v1/merchants', { name: 'Another' }, created);
  const spareKeys = `/v1/merchants/${other.id}/api-keys`;
  const spare = await idsOf(SPARE_KEYS, () => operator.post(spareKeys, { name: 'spare' }, created));
  return {
    apiKey,
    ids: {
      merchant_id: [other.id],
      own_merchant_id: [merchant.id],
      program_id: [program.id, second.id],
      rules_id: drafts,
      api_key_id: spare,
      wallet_id: wallets,
      from_wallet_id: wallets.slice(0, WALLETS / 2),
      to_wallet_id: wallets.slice(WALLETS / 2),
      hold_id: holds,
      transaction_id: earns,
      item_id: items,
      expires_at: [1, 2, 3].map((days) => new Date(Date.now() + days * DAY_MS).toISOString()),
    },
  };
}

/** Creates `count` things, a bounded number at a time, and returns their ids. */
async function idsOf(count: number, create: (n: number) => Promise<{ readonly id: string }>): Promise<string[]> {
  const ids: string[] = [];
  for (let start = 0; start < count; start += CONCURRENCY) {
    const size = Math.min(CONCURRENCY, count - start);
    const made = await Promise.all(Array.from({ length: size }, (_, offset) => create(start + offset)));
    ids.push(...made.map(({ id }) => id));
  }
  return ids;
}
