/**
 * The demo's merchant, its key, its program, its catalog item and its wallets: made once through the edge, kept in
 * `.local/demo.json`, and only looked at by later starts.
 *
 * Every step has an idempotency key made of one seed that is saved before the first step, so that a run that was cut
 * off is taken up by the next one and nothing is made twice. The API key alone cannot be: its secret is shown once.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import type { DemoClient } from './demo-client.ts';
import { readFileIfAny, writeFileAtomic } from './files.ts';
import { limits } from './limits.ts';

const demoFile = z.object({
  seed: z.string(),
  merchant_id: z.string().nullable(),
  api_key: z.string().nullable(),
  program_id: z.string().nullable(),
  catalog_item_id: z.string().nullable(),
  wallet_ids: z.array(z.string()),
});
type DemoFile = z.infer<typeof demoFile>;

export interface DemoTenant {
  readonly seed: string;
  readonly merchantId: string;
  readonly apiKey: string;
  readonly programId: string;
  readonly walletIds: readonly string[];
}

export interface DemoSetupOptions {
  readonly client: DemoClient;
  readonly adminToken: string;
  readonly dataDir: string;
  readonly walletCount: number;
  readonly log: (line: string) => void;
}

export const created = z.looseObject({ id: z.string() });
const createdKey = z.looseObject({ key: z.string() });
/** Load tests use the demo's key: a known caller with a plan of its own, not a limiter that is switched off. */
const requestsPerMinute = 600_000;

/** What an earlier start has left, complete or `null`. */
export function readDemoTenant(dataDir: string): DemoTenant | null {
  return tenantOf(readDemoFile(dataDir));
}

export async function setUpDemo(options: DemoSetupOptions): Promise<DemoTenant> {
  const earlier = readDemoFile(options.dataDir);
  let demo: DemoFile = { ...emptyDemo, seed: randomBytes(9).toString('base64url') };
  if (earlier !== null && (await isStillThere(options.client, earlier))) demo = earlier;
  else save(options.dataDir, demo);
  const tenant = tenantOf(await makeWallets(options, await makeTenant(options, demo)));
  if (tenant === null) throw new Error('a demo that was set up is complete');
  return tenant;
}

const emptyDemo: Omit<DemoFile, 'seed'> = {
  merchant_id: null,
  api_key: null,
  program_id: null,
  catalog_item_id: null,
  wallet_ids: [],
};

function readDemoFile(dataDir: string): DemoFile | null {
  const text = readFileIfAny(join(dataDir, 'demo.json'));
  return text === null ? null : demoFile.parse(JSON.parse(text));
}

function save(dataDir: string, demo: DemoFile): void {
  writeFileAtomic(join(dataDir, 'demo.json'), `${JSON.stringify(demo, null, 2)}\n`, 0o600);
}

function tenantOf(demo: DemoFile | null): DemoTenant | null {
  if (demo === null || demo.merchant_id === null || demo.api_key === null || demo.program_id === null) return null;
  const { seed, merchant_id: merchantId, api_key: apiKey, program_id: programId, wallet_ids: walletIds } = demo;
  return { seed, merchantId, apiKey, programId, walletIds };
}

/** One wallet stands for all; without any yet, the seed alone is worth keeping. Another database has other wallets. */
async function isStillThere(client: DemoClient, demo: DemoFile): Promise<boolean> {
  const [walletId] = demo.wallet_ids;
  if (walletId === undefined || demo.api_key === null) return true;
  const answer = await client.call({ method: 'GET', path: `/v1/wallets/${walletId}`, token: demo.api_key });
  return answer.status === 200;
}

async function makeTenant(options: DemoSetupOptions, start: DemoFile): Promise<DemoFile> {
  const { client, adminToken, dataDir, log } = options;
  const post = { method: 'POST', token: adminToken } as const;
  let demo = start;
  const keep = (change: Partial<DemoFile>): void => {
    demo = { ...demo, ...change };
    save(dataDir, demo);
  };
  if (demo.merchant_id === null) {
    log('onboarding the demo merchant');
    const idempotencyKey = `demo-${demo.seed}-merchant`;
    const body = { name: 'Demo Coffee' };
    const merchant = await client.expect({ ...post, path: '/v1/merchants', idempotencyKey, body }, 201, created);
    keep({ merchant_id: merchant.parsed.id, api_key: null, program_id: null });
  }
  if (demo.api_key === null) {
    const path = `/v1/merchants/${demo.merchant_id}/api-keys`;
    const body = { name: 'demo', requests_per_minute: requestsPerMinute };
    const key = await client.expect({ ...post, path, idempotencyKey: randomUUID(), body }, 201, createdKey);
    keep({ api_key: key.parsed.key });
  }
  if (demo.program_id === null) {
    const idempotencyKey = `demo-${demo.seed}-program`;
    const body = { name: 'Demo points', unit: 'PTS', scale: 0 };
    const token = demo.api_key ?? '';
    const program = await client.expect({ ...post, token, path: '/v1/programs', idempotencyKey, body }, 201, created);
    keep({ program_id: program.parsed.id });
  }
  if (demo.catalog_item_id === null) {
    const idempotencyKey = `demo-${demo.seed}-catalog`;
    const body = { name: 'Coffee card', brand: 'Demo Coffee', currency: 'EUR', denominations: [1_000, 2_500, 5_000] };
    const item = await client.expect({ ...post, path: '/v1/catalog', idempotencyKey, body }, 201, created);
    keep({ catalog_item_id: item.parsed.id });
  }
  return demo;
}

/** Fills up to the wanted number, a bounded number at a time. The ids are saved when all are there. */
async function makeWallets(options: DemoSetupOptions, demo: DemoFile): Promise<DemoFile> {
  const { client, walletCount, dataDir, log } = options;
  const ids = demo.wallet_ids.slice(0, walletCount);
  const firstMissing = ids.length;
  if (firstMissing === walletCount) return { ...demo, wallet_ids: ids };
  let next = firstMissing;
  let doneCount = firstMissing;
  async function worker(): Promise<void> {
    for (let index = next++; index < walletCount; index = next++) {
      const name = `demo-${demo.seed}-wallet-${index}`;
      const body = { program_id: demo.program_id, external_id: name };
      const call = {
        method: 'POST',
        path: '/v1/wallets',
        token: demo.api_key ?? '',
        idempotencyKey: name,
        body,
      } as const;
      ids[index] = (await client.expect(call, 201, created)).parsed.id;
      if (++doneCount % 2_000 === 0 || doneCount === walletCount) log(`${doneCount} of ${walletCount} wallets`);
    }
  }
  await Promise.all(Array.from({ length: limits.demoConcurrency }, worker));
  const complete = { ...demo, wallet_ids: ids };
  save(dataDir, complete);
  return complete;
}
