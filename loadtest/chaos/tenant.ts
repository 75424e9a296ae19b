/** Whom a run is about: one merchant, one program, some wallets, and a key that no limit stops. */
import { createApiClient, created, createdKey } from '../api-client.ts';
import { limits } from './limits.ts';

export interface Tenant {
  readonly apiKey: string;
  readonly walletIds: readonly string[];
}

const REQUESTS_PER_MINUTE = 600_000;

export async function createTenant(edgeUrl: string, adminToken: string): Promise<Tenant> {
  const operator = createApiClient(edgeUrl, adminToken);
  const merchant = await operator.post('/v1/merchants', { name: 'Chaos' }, created);
  const plan = { name: 'chaos', requests_per_minute: REQUESTS_PER_MINUTE };
  const { key: apiKey } = await operator.post(`/v1/merchants/${merchant.id}/api-keys`, plan, createdKey);
  const client = createApiClient(edgeUrl, apiKey);
  const program = await client.post('/v1/programs', { name: 'Points', unit: 'PTS' }, created);
  const walletIds: string[] = [];
  for (let number = 0; number < limits.wallets; number++) {
    walletIds.push((await client.post('/v1/wallets', { program_id: program.id }, created)).id);
  }
  return { apiKey, walletIds };
}
