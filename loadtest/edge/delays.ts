/**
 * From the call to its effect at the edge, with traffic running: a key is revoked, a customer's token, a customer; the
 * catalog is changed. The effect is the first answer that shows it, and no later answer may take it back.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type ApiClient, createApiClient, created, createdKey } from '../api-client.ts';
import type { SmallStack } from '../small-stack.ts';
import type { Issuer } from './issuer.ts';

export interface Delays {
  readonly what: string;
  /** Milliseconds; one a sample. */
  readonly fromCallMs: readonly number[];
  /** From the answer to the call on: what the caller sees. */
  readonly fromAnswerMs: readonly number[];
}

export interface DelaySettings {
  readonly samples: number;
  readonly log: (line: string) => void;
}

/** How often each key and token is used before its end is called for, … */
const USE_MS = 250;
/** … and while it is awaited: the resolution of the figures. */
const POLL_MS = 20;
/** Calls are spread over this time, so that they fall into every part of the edge's own intervals. */
const SPREAD_MS = 10_000;
const EFFECT_MS_MAX = 60_000;
/** After the effect it is looked at so often again: it stays. */
const LOOKS_AFTER = 10;
const UNAUTHENTICATED = 401;
const OK = 200;

interface Tenant {
  readonly merchantId: string;
  readonly operator: ApiClient;
  readonly path: string;
}

export async function measureDelays(stack: SmallStack, issuer: Issuer, settings: DelaySettings): Promise<Delays[]> {
  const operator = createApiClient(stack.edgeUrl, stack.adminToken);
  const merchant = await operator.post('/v1/merchants', { name: 'Delays' }, created);
  const keys = `/v1/merchants/${merchant.id}/api-keys`;
  const newKey = () => operator.post(keys, { name: 'delays', requests_per_minute: 100_000 }, createdKey);
  const client = createApiClient(stack.edgeUrl, (await newKey()).key);
  const program = await client.post('/v1/programs', { name: 'Points', unit: 'PTS' }, created);
  const wallet = await client.post('/v1/wallets', { program_id: program.id }, created);
  const tenant = { merchantId: merchant.id, operator, path: `/v1/wallets/${wallet.id}/balance` };
  const expires_at = new Date(Date.now() + 3_600_000).toISOString();
  const revoke = (kind: 'token' | 'subject', value: string) =>
    operator.post('/v1/admin/revocations', { kind, value, merchant_id: merchant.id, expires_at }, created);

  const results: Delays[] = [];
  const measure = async (what: string, prepare: () => Promise<Ending>): Promise<void> => {
    settings.log(`${what}: ${settings.samples} samples`);
    const endings = await Promise.all(Array.from({ length: settings.samples }, prepare));
    // From an address each: what is refused is counted on it.
    const timed = endings.map((ending) =>
      timeEnding(createApiClient(stack.edgeUrl, ending.token, nextAddress()), tenant, ending),
    );
    const times = await Promise.all(timed);
    results.push({ what, ...columns(times) });
  };
  await measure('an API key is revoked', async () => {
    const { id, key } = await newKey();
    return { token: key, end: () => operator.post(`${keys}/${id}/revoke`, null, created) };
  });
  await measure('a token is revoked', async () => {
    const jti = randomUUID();
    return { token: issuer.tokenOf(merchant.id, `customer-${jti}`, jti), end: () => revoke('token', jti) };
  });
  await measure('a customer is revoked', async () => {
    const sub = `customer-${randomUUID()}`;
    return { token: issuer.tokenOf(merchant.id, sub, randomUUID()), end: () => revoke('subject', sub) };
  });
  settings.log(`the catalog is changed: ${settings.samples} samples`);
  const changes = [];
  for (let n = 0; n < settings.samples; n++) changes.push(await timeChange(tenant, client));
  results.push({ what: 'the catalog is changed', ...columns(changes) });
  return results;
}

let addresses = 0;
const nextAddress = (): string => `198.18.${(++addresses >> 8) & 255}.${addresses & 255}`;

interface Ending {
  readonly token: string;
  readonly end: () => Promise<unknown>;
}

interface Time {
  readonly fromCallMs: number;
  readonly fromAnswerMs: number;
}

function columns(times: readonly Time[]): Pick<Delays, 'fromCallMs' | 'fromAnswerMs'> {
  return {
    fromCallMs: times.map(({ fromCallMs }) => fromCallMs),
    fromAnswerMs: times.map(({ fromAnswerMs }) => fromAnswerMs),
  };
}

/** Errors: a plain Error when it was refused before its end, accepted after it, or for too long. */
async function timeEnding(client: ApiClient, { path }: Tenant, { end }: Ending): Promise<Time> {
  /** null: the edge could not say, as when core was too slow. */
  const isAccepted = async (): Promise<boolean | null> => {
    const status = await client.status(path);
    if (status === OK) return true;
    if (status === UNAUTHENTICATED) return false;
    if (status >= 500) return null;
    throw new Error(`a key or token in use was answered ${status}`);
  };
  const usedUntilMs = performance.now() + Math.random() * SPREAD_MS;
  while (performance.now() < usedUntilMs) {
    if ((await isAccepted()) === false) throw new Error('refused before it was revoked');
    await delay(USE_MS);
  }
  const calledMs = performance.now();
  let answeredMs = Number.NaN;
  let failure: unknown = null;
  const ending = end().then(
    () => {
      answeredMs = performance.now();
    },
    (error: unknown) => {
      failure = error;
    },
  );
  while ((await isAccepted()) !== false) {
    if (failure !== null) throw failure;
    if (performance.now() - calledMs > EFFECT_MS_MAX) throw new Error('it was revoked, and is accepted still');
    await delay(POLL_MS);
  }
  const effectMs = performance.now();
  await ending;
  for (let look = 0; look < LOOKS_AFTER; look++) {
    if (await isAccepted()) throw new Error('refused once, and accepted again');
    await delay(USE_MS);
  }
  return { fromCallMs: effectMs - calledMs, fromAnswerMs: Math.max(0, effectMs - answeredMs) };
}

const page = z.looseObject({ data: z.array(z.looseObject({ id: z.string() })) });

/** The newest item stands first: the effect is its appearance there. */
async function timeChange({ operator }: Tenant, reader: ApiClient): Promise<Time> {
  const newest = async (): Promise<string | undefined> => (await reader.get('/v1/catalog?limit=1', page)).data[0]?.id;
  for (const untilMs = performance.now() + Math.random() * 1_000; performance.now() < untilMs; ) {
    await newest();
    await delay(POLL_MS);
  }
  const card = { name: 'Card', brand: 'Brand', currency: 'EUR', denominations: [1_000] };
  const calledMs = performance.now();
  const item = await operator.post('/v1/catalog', card, created);
  const answeredMs = performance.now();
  while ((await newest()) !== item.id) {
    if (performance.now() - calledMs > EFFECT_MS_MAX)
      throw new Error('the catalog was changed, and is served as it was');
    await delay(POLL_MS);
  }
  const effectMs = performance.now();
  return { fromCallMs: effectMs - calledMs, fromAnswerMs: effectMs - answeredMs };
}
