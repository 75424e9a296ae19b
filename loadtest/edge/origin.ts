/**
 * A trivial origin: says yes at once. It knows one key, and answers as core would answer an earn, a balance and a page of
 * the catalog, without looking at signature or content. Its own process.
 *
 *     node loadtest/edge/origin.ts PORT
 */
import { hash } from 'node:crypto';
import { createServer } from 'node:http';
import { generationHeader, internalPaths, merchants, problem, problemMediaType } from '@local-plus/contracts';
import { apiKey } from './traffic.ts';

const id = '01890000-0000-7000-8000-000000000000';
const at = '2026-01-01T00:00:00.000Z';
const generation = 'origin-1';

const grant = merchants.keyGrant.parse({
  api_key_id: id,
  merchant_id: id,
  scopes: merchants.merchantScopes,
  requests_per_minute: 1_000_000,
});
const transaction = {
  ...{ id, wallet_id: id, kind: 'earn', amount: 5, unit: 'PTS', balance_after: 5, held_after: 0, version: 1 },
  ...{ reference: null, reversal_of: null, metadata: null, created_at: at },
};
const balance = { wallet_id: id, unit: 'PTS', balance: 5, held: 0, available: 5, version: 1, as_of: at };
const item = { id, name: 'Coffee card', brand: 'Demo', currency: 'EUR', denominations: [1_000, 2_500], created_at: at };
const page = { data: Array.from({ length: 10 }, () => item), next_cursor: null };

const answers = {
  key: JSON.stringify(grant),
  generations: JSON.stringify({ catalog: generation }),
  transaction: JSON.stringify(transaction),
  balance: JSON.stringify(balance),
  page: JSON.stringify(page),
  refusal: JSON.stringify(problem('not_found', id)),
};
const knownKey = hash('sha256', apiKey);

/** null: there is no such key. */
function answerTo(method: string, url: string): string | null {
  if (method === 'POST') return answers.transaction;
  if (url.startsWith(internalPaths.keys)) return url.endsWith(knownKey) ? answers.key : null;
  if (url.startsWith(internalPaths.generations)) return answers.generations;
  return url.startsWith('/v1/catalog') ? answers.page : answers.balance;
}

const server = createServer((request, response) => {
  const { method = 'GET', url = '/' } = request;
  const found = answerTo(method, url);
  const text = found ?? answers.refusal;
  const headers = {
    'content-type': found === null ? problemMediaType : 'application/json',
    'content-length': Buffer.byteLength(text),
    [generationHeader]: generation,
  };
  request.resume();
  request.once('end', () =>
    response.writeHead(found === null ? 404 : method === 'POST' ? 201 : 200, headers).end(text),
  );
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'));
