/**
 * API keys: from the `Authorization` header (RFC 6750 §2.1) to the key's digest, and from the digest to core's word.
 *
 * The key itself is neither kept nor sent: only its SHA-256 is compared and looked up, so that comparing leaks nothing
 * about a key through time.
 */
import { internalPaths, merchants } from '@local-plus/contracts';
import { bytesOf, hex, sha256 } from './encoding.ts';
import type { Exchange } from './exchange.ts';
import { ownCall } from './forward.ts';
import type { Verdict } from './key-cache.ts';
import { edgeLimits } from './limits.ts';
import type { Origin } from './origin.ts';
import type { Ports } from './ports.ts';

const BEARER = /^Bearer +(lp_(?:live|admin)_[A-Za-z0-9_-]{16,128})$/i;

/** Lower-case hex of the key's SHA-256; null when the header holds nothing that looks like a key of ours. */
export async function keyDigest(authorization: string | null): Promise<string | null> {
  const key = authorization === null ? null : BEARER.exec(authorization);
  return key === null ? null : hex(await sha256(bytesOf(key[1] as string)));
}

/** Asks core what a key may do. */
export async function lookUpKey(
  origin: Origin,
  report: Ports['report'],
  exchange: Exchange,
  digest: string,
): Promise<Verdict> {
  const outcome = await origin.send(ownCall(exchange, internalPaths.keys + digest, edgeLimits.lookUpBudgetMs));
  if (!outcome.ok) return { kind: 'away' };
  const { response } = outcome;
  if (response.status === 200) {
    const grant = await readGrant(response, report);
    return grant === null ? { kind: 'away' } : { kind: 'granted', grant };
  }
  await response.body?.cancel();
  if (response.status === 404) return { kind: 'refused' };
  report('origin_unusable', new Error(`a key look-up answered ${response.status}`));
  return { kind: 'away' };
}

async function readGrant(response: Response, report: Ports['report']): Promise<merchants.KeyGrant | null> {
  try {
    return merchants.keyGrant.parse(await response.json());
  } catch (cause) {
    report('origin_unusable', cause);
    return null;
  }
}
