/**
 * What the requests of a fuzzed run can be about: merchants, programs, wallets with points, holds and transactions that
 * are really there, so that they come to what a route does, and not only to its 404.
 */
import { generateKeyPairSync } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  giftcardBatches,
  giftcards,
  limits,
  merchants,
  payments,
  rewards,
  tiers as tiersAnswer,
} from '@local-plus/contracts';
import { type ApiClient, createApiClient, created, createdKey } from '../api-client.ts';
import { LoadError } from '../stack.ts';

export interface Tenant {
  readonly apiKey: string;
  /** Values of what is called so, in paths and in bodies. */
  readonly ids: Readonly<Record<IdName, readonly string[]>>;
  /** Of gift cards that are there, without a PIN. */
  readonly codes: readonly string[];
  /** Bulk issues that can be cancelled; those of the run's ids are at their end. */
  readonly jobIds: readonly string[];
  /** A card, and what was redeemed from it: only these can be refunded to it. */
  readonly spent: { readonly giftcardId: string; readonly transactionIds: readonly string[] };
  /** Of the run's own. */
  readonly publicKey: giftcardBatches.PublicKey;
}

export const idNames = [
  'merchant_id',
  'own_merchant_id',
  'draft_merchant_id',
  'member_id',
  'program_id',
  'program_version_id',
  'rules_id',
  'reward_id',
  'redemption_id',
  'api_key_id',
  'wallet_id',
  'from_wallet_id',
  'to_wallet_id',
  'hold_id',
  'transaction_id',
  'item_id',
  'customer_id',
  'giftcard_id',
  'to_giftcard_id',
  'giftcard_batch_id',
  'payment_id',
  'expires_at',
] as const;
export type IdName = (typeof idNames)[number];

/** Bulk issues that are still under way when the run begins. */
export const JOBS_TO_CANCEL = 2;
/** The plan of the key that the run uses: the limiter is on, and knows its caller. */
const REQUESTS_PER_MINUTE = 600_000;
const WALLETS = 40;
/** Each is used up by one full capture or release, or by one full reversal. */
const HOLDS = 200;
const TRANSACTIONS = 200;
const PAYMENTS = 120;
const ITEMS = 5;
/** Each is published once, and withdrawn once. */
const OWN_ITEMS = 60;
/** Each is merged once, or erased once. */
const CUSTOMERS = 120;
const DRAFTS = 60;
const PROGRAM_VERSIONS = 5;
/** Half of them drafts, each published once; all of them withdrawn once. */
const REWARDS = 80;
/** Each is cancelled once. */
const REDEMPTIONS = 80;
const SPARE_KEYS = 40;
/** Each is submitted, or closed, or configured for the first time, once; each member is removed once. */
const DRAFT_MERCHANTS = 60;
const MEMBERS = 40;
/** In turn active, pending, imported, blocked, linked; many of them end by a deactivation or a replacement. */
const GIFTCARDS = 250;
const TO_GIFTCARDS = 20;
/** Each is used up by one full refund. */
const REDEMPTIONS_OF_ONE_CARD = 100;
/** Bulk issues of a single card: a file is one line, and is used up by its confirmation. */
const BATCHES = 20;
const BATCHES_AT_ONCE = limits.batchesOpenMax;
const CONCURRENCY = 16;
/** How often a bulk issue is looked at before the run gives up, and how long it waits between. */
const BATCH_LOOKS_MAX = 200;
const BATCH_LOOK_MS = 100;
const DAY_MS = 24 * 3_600_000;

export async function createTenant(edgeUrl: string, adminToken: string, jobsToCancel: number): Promise<Tenant> {
  const operator = createApiClient(edgeUrl, adminToken);
  const merchant = await operator.post('/v1/merchants', { name: 'Fuzzed' }, created);
  const keys = `/v1/merchants/${merchant.id}/api-keys`;
  const plan = { requests_per_minute: REQUESTS_PER_MINUTE };
  const { key: apiKey } = await operator.post(keys, { name: 'fuzz', ...plan, scopes: merchants.keyScopes }, createdKey);
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
  const draft = { kind: 'gift_card', name: 'Draft', brand: 'Brand', currency: 'EUR', stock: 100 };
  const amounts = { type: 'fixed', denominations: [1_000] };
  const ownItems = await idsOf(OWN_ITEMS, () => client.post('/v1/catalog-items', { ...draft, amounts }, created));
  const customers = await idsOf(CUSTOMERS, (n) =>
    client.post('/v1/customers', { external_id: `fuzz-${n}`, contact: { name: 'Fuzzed' } }, created),
  );
  const base = { id: 'base', currency: 'EUR', effect: { type: 'points_per_amount', points: 1, per: 100 } };
  const rulesOf = (programId: string): string => `/v1/programs/${programId}/rules`;
  for (const { id } of [program, second]) {
    const published = await client.post(rulesOf(id), { rules: [base] }, created);
    await client.post(`${rulesOf(id)}/${published.id}/publish`, {}, created);
  }
  const drafts = await idsOf(DRAFTS, () => client.post(rulesOf(program.id), {}, created));
  const terms = { point_expiry: null, reversal_policy: { type: 'recover' }, hold_expires_in_s: 60 };
  const versions = await idsOf(PROGRAM_VERSIONS, () =>
    client.post(`/v1/programs/${program.id}/versions`, terms, created),
  );
  const loyalty = await createRewards(
    client,
    program.id,
    wallets.filter((_, n) => n % 3 !== 2),
  );
  const gifts = await createGiftcards(client, jobsToCancel);
  const rate = { currency: 'EUR', rate: { points: 1, amount: 1 } };
  for (const { id } of [program, second]) {
    await client.post(`/v1/programs/${id}/payment-rates`, rate, payments.paymentRate);
  }
  // Half of them are captured, and can be refunded; the others can be captured or voided.
  const paid = await idsOf(PAYMENTS, (n) => {
    const sources = [{ type: 'wallet', wallet_id: wallets[n % wallets.length] }];
    return client.post('/v1/payments', { amount: 1_000, currency: 'EUR', sources, capture: n % 2 === 0 }, created);
  });
  // Never the run's own merchant and key: who revokes it, or takes its plan away, sees 401 or 429 from there on.
  const other = await operator.post('/v1/merchants', { name: 'Another' }, created);
  const spareKeys = `/v1/merchants/${other.id}/api-keys`;
  const spare = await idsOf(SPARE_KEYS, () => operator.post(spareKeys, { name: 'spare' }, created));
  const members = await idsOf(MEMBERS, (n) =>
    operator.post(`/v1/merchants/${other.id}/members`, { subject: `spare-${n}`, role: 'cashier' }, created),
  );
  const draftMerchants = await idsOf(DRAFT_MERCHANTS, (n) =>
    operator.post('/v1/merchants', { name: `Draft ${n}`, status: 'draft' }, created),
  );
  const { codes, publicKey, jobIds, spent } = gifts;
  return {
    apiKey,
    codes,
    jobIds,
    spent,
    publicKey,
    ids: {
      merchant_id: [other.id],
      own_merchant_id: [merchant.id],
      draft_merchant_id: draftMerchants,
      member_id: members,
      program_id: [program.id, second.id],
      program_version_id: versions,
      rules_id: drafts,
      reward_id: loyalty.rewardIds,
      redemption_id: loyalty.redemptionIds,
      api_key_id: spare,
      wallet_id: wallets,
      from_wallet_id: wallets.slice(0, WALLETS / 2),
      to_wallet_id: wallets.slice(WALLETS / 2),
      hold_id: holds,
      transaction_id: earns,
      item_id: [...items, ...ownItems],
      customer_id: customers,
      giftcard_id: gifts.cardIds,
      to_giftcard_id: gifts.toCardIds,
      giftcard_batch_id: gifts.batchIds,
      payment_id: paid,
      expires_at: [1, 2, 3].map((days) => new Date(Date.now() + days * DAY_MS).toISOString()),
    },
  };
}

/** Tiers, rewards, and what some wallets of the program redeemed. */
async function createRewards(client: ApiClient, programId: string, wallets: readonly string[]) {
  const tiers = [{ id: 'gold', name: 'Gold', points: 1_000 }];
  const ladder = { window: { period: 'months', count: 12 }, tiers };
  await client.post(`/v1/programs/${programId}/tiers`, ladder, tiersAnswer.tierScheme);
  const mug = { name: 'A mug', gives: { type: 'product', sku: 'mug' }, points: 1, stock: 1_000 };
  const rewardIds = await idsOf(REWARDS, async (n) => {
    const reward = await client.post(`/v1/programs/${programId}/rewards`, mug, created);
    if (n % 2 === 0) await client.post(`/v1/rewards/${reward.id}/publish`, {}, rewards.changedStatus);
    return reward;
  });
  const redemptionIds = await idsOf(REDEMPTIONS, (n) =>
    client.post(`/v1/rewards/${rewardIds[0]}/redeem`, { wallet_id: wallets[n % wallets.length] }, created),
  );
  return { rewardIds, redemptionIds };
}

async function createGiftcards(client: ApiClient, jobsToCancel: number) {
  const program = await client.post('/v1/programs', { name: 'Cards', unit: 'EUR', scale: 2 }, created);
  const card = { program_id: program.id, amount: 1_000 };
  const issued: giftcards.IssuedGiftcard[] = [];
  const make = async (n: number): Promise<giftcards.IssuedGiftcard> => {
    const made = await cardOf(client, card, n);
    issued.push(made);
    return made;
  };
  const cardIds = await idsOf(GIFTCARDS, make);
  const toCardIds = await idsOf(TO_GIFTCARDS, () => make(0));
  const giftcardId = (await make(0)).id;
  const transactionIds = await transactionsOf(REDEMPTIONS_OF_ONE_CARD, () =>
    client.post(`/v1/giftcards/${giftcardId}/redeem`, { amount: 10 }, giftcards.activity),
  );
  const { publicKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKey = giftcardBatches.publicKey.parse(key.export({ format: 'jwk' }));
  const issue = (count: number) =>
    client.post('/v1/giftcard-batches', { ...card, count, public_key: publicKey }, created);
  const batchIds: string[] = [];
  while (batchIds.length < BATCHES) {
    const ids = await idsOf(Math.min(BATCHES_AT_ONCE, BATCHES - batchIds.length), () => issue(1));
    for (const id of ids) await ended(client, id);
    batchIds.push(...ids);
  }
  // As large as can be: under way when a request comes to cancel it.
  const jobs = await idsOf(jobsToCancel, () => issue(limits.batchCardsMax));
  const codes = issued.flatMap(({ code }) => (code === null ? [] : [code]));
  return { cardIds, toCardIds, codes, publicKey, batchIds, jobIds: jobs, spent: { giftcardId, transactionIds } };
}

/** A card in one of five states, by its number. */
async function cardOf(client: ApiClient, card: object, n: number): Promise<giftcards.IssuedGiftcard> {
  const why = { reason: 'fuzzed' };
  switch (n % 5) {
    case 1:
      return client.post('/v1/giftcards', { ...card, activate: false }, giftcards.issuedGiftcard);
    case 2:
      return client.post('/v1/giftcards/import', { ...card, external_id: `old-${n}` }, giftcards.issuedGiftcard);
    case 3: {
      const made = await client.post('/v1/giftcards', card, giftcards.issuedGiftcard);
      await client.post(`/v1/giftcards/${made.id}/block`, why, giftcards.activity);
      return made;
    }
    default: {
      const customer = n % 5 === 4 ? { customer_id: crypto.randomUUID() } : {};
      return client.post('/v1/giftcards', { ...card, ...customer }, giftcards.issuedGiftcard);
    }
  }
}

async function ended(client: ApiClient, id: string): Promise<void> {
  for (let looks = 0; looks < BATCH_LOOKS_MAX; looks++) {
    const { ended_at } = await client.get(`/v1/giftcard-batches/${id}`, giftcardBatches.batch);
    if (ended_at !== null) return;
    await pause(BATCH_LOOK_MS);
  }
  throw new LoadError('A bulk issue of one card does not come to its end.');
}

/** The transactions of a card's activities, made one after the other. */
async function transactionsOf(count: number, move: () => Promise<giftcards.Activity>): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) {
    const { transaction_id: id } = await move();
    if (id === null) throw new LoadError('An activity that moves an amount has no transaction.');
    ids.push(id);
  }
  return ids;
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
