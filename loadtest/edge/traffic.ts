/** What is asked of the edge in its bench, each request as a merchant's program would make it. */
import { uuidV7 } from '@local-plus/contracts';
import type { PlannedRequest } from './requests.ts';

/** The one key that the trivial origin knows. */
export const apiKey = `lp_live_${'k'.repeat(43)}`;
const known = { authorization: `Bearer ${apiKey}` };

export const kinds = ['get', 'post', 'catalog', 'stranger', 'made-up-key'] as const;
export type Kind = (typeof kinds)[number];

/** The n-th of its kind: another wallet, another key, another caller. */
export function requestOf(kind: Kind, n: number): PlannedRequest {
  const wallet = `/v1/wallets/${uuidV7(1_700_000_000_000 + n)}`;
  const address = { 'cf-connecting-ip': `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}` };
  switch (kind) {
    case 'get':
      return { method: 'GET', target: `${wallet}/balance`, headers: known };
    case 'post':
      return {
        method: 'POST',
        target: `${wallet}/earn`,
        headers: { ...known, 'idempotency-key': `order-${n}` },
        body: JSON.stringify({ amount: 100 + (n % 900), reference: `order-${n}` }),
      };
    case 'catalog':
      return { method: 'GET', target: `/v1/catalog?limit=${1 + (n % 50)}`, headers: known };
    case 'stranger':
      return { method: 'GET', target: `${wallet}/balance`, headers: address };
    case 'made-up-key': {
      const authorization = `Bearer lp_live_${String(n).padStart(43, 'x')}`;
      return { method: 'GET', target: `${wallet}/balance`, headers: { ...address, authorization } };
    }
  }
}

export function requestsOf(kind: Kind, count: number): PlannedRequest[] {
  return Array.from({ length: count }, (_, n) => requestOf(kind, n));
}

/** Shares of a hundred. Nobody vouches for the last two: they fill what the edge remembers of strangers. */
const mix: Readonly<Record<Kind, number>> = { get: 56, post: 30, catalog: 10, stranger: 2, 'made-up-key': 2 };

export const refusedShare = (mix.stranger + mix['made-up-key']) / 100;

export function mixedRequests(count: number): PlannedRequest[] {
  const cards = kinds.flatMap((kind) => Array<Kind>(mix[kind]).fill(kind));
  // A step that shares no factor with a hundred deals them evenly.
  return Array.from({ length: count }, (_, n) => requestOf(cards[(n * 37) % cards.length] as Kind, n));
}
