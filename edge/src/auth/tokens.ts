/**
 * Customers' tokens: from the `Authorization` header (RFC 6750 §2.1) to a grant. A token that was verified is remembered
 * by its SHA-256, so that it is verified once per isolate; its key, its time and its revocation are looked at each time.
 *
 * T1  What is remembered is used only while its key is published, and before the token expires.
 * T2  Only valid tokens are remembered, and a bounded number of them: made-up ones push out no real one.
 * T3  A token that comes many times at once is verified by the first who brings it; the others wait, each on a
 *     timer of its own (cache/flights.ts, F1).
 */
import { internalPaths, revocations } from '@local-plus/contracts';
import { LRUCache } from 'lru-cache';
import { Flights } from '../cache/flights.ts';
import { bytesOf, hex, sha256 } from '../encoding.ts';
import type { Exchange, Grant } from '../exchange.ts';
import { ownCall } from '../forward.ts';
import { edgeLimits } from '../limits.ts';
import type { Origin } from '../origin.ts';
import type { Ports } from '../ports.ts';
import type { VerificationKey } from './algorithms.ts';
import type { IdentityConfig } from './config.ts';
import { type Customer, customerOf } from './customer.ts';
import { type ReadPage, RevocationList } from './revocation-list.ts';
import { JwtVerifier } from './verifier.ts';

export type TokenVerdict =
  | { readonly kind: 'granted'; readonly grant: Grant; readonly asMember: Customer['asMember'] }
  | { readonly kind: 'refused' }
  /** The issuer's keys, or core's revocations, could not be had. */
  | { readonly kind: 'away' };

/** A token as it came. */
export interface Presented {
  readonly text: string;
  /** Lower-case hex of its SHA-256. */
  readonly digest: string;
}

interface Remembered {
  readonly customer: Customer;
  readonly expiresAtMs: number;
  readonly key: VerificationKey;
}

/** Three parts between dots: what an API key never is. Whether they are a token's is for the verifier to say. */
const BEARER = /^Bearer +([A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*)$/i;

const { counterBudgetMs, jwksAskingMs, revocationsBudgetMs } = edgeLimits;
/** The longest that verifying takes: a token of the address, the issuer, core, and the charge for what is refused. */
const verifyingMs = 2 * counterBudgetMs + jwksAskingMs + revocationsBudgetMs;

/** Null when the header holds nothing that looks like a token. */
export async function presentedToken(authorization: string | null): Promise<Presented | null> {
  const match = authorization === null ? null : BEARER.exec(authorization);
  if (match === null) return null;
  const text = match[1] as string;
  return { text, digest: hex(await sha256(bytesOf(text))) };
}

export class Tokens {
  readonly #ports: Ports;
  readonly #origin: Origin;
  readonly #tenantClaim: string;
  readonly #verifier: JwtVerifier;
  readonly #revoked: RevocationList;
  readonly #verifying = new Flights<true>({
    flightMs: verifyingMs,
    flightsMax: edgeLimits.lookUpsMax,
    followersMax: edgeLimits.lookUpFollowersMax,
  });
  readonly #remembered = new LRUCache<string, Remembered>({ max: edgeLimits.tokensMax });

  constructor(ports: Ports, origin: Origin, config: NonNullable<IdentityConfig['tokens']>) {
    this.#ports = ports;
    this.#origin = origin;
    this.#tenantClaim = config.tenantClaim;
    this.#verifier = new JwtVerifier(config, ports);
    this.#revoked = new RevocationList(ports);
  }

  /** Of a token that was verified before; null: it has to be verified. */
  async known(exchange: Exchange, { digest }: Presented): Promise<TokenVerdict | null> {
    const remembered = this.#remembered.get(digest);
    if (remembered === undefined) return null;
    if (remembered.expiresAtMs <= this.#ports.nowMs()) {
      this.#remembered.delete(digest);
      return { kind: 'refused' };
    }
    const isPublished = await this.#verifier.stillKnows(remembered.key, exchange.info.waitUntil);
    if (isPublished === 'away') return { kind: 'away' };
    if (isPublished) return this.#ruleOutRevocation(exchange, remembered.customer);
    this.#remembered.delete(digest);
    return null;
  }

  /** Ends when whoever verifies this token has done so, or must have died; null: nobody does. */
  underWay({ digest }: Presented): Promise<unknown> | null {
    const steadyMs = this.#ports.steadyMs();
    if (!this.#verifying.isUnderWay(digest, steadyMs)) return null;
    const boarding = this.#verifying.board(digest, steadyMs);
    return boarding.role === 'follower' ? boarding.wait(verifyingMs) : null;
  }

  /** Does what there is to do for a token not known yet; others who come with the same may wait for it (T3). */
  async lead<Value>({ digest }: Presented, work: () => Promise<Value>): Promise<Value> {
    const boarding = this.#verifying.lead(digest, this.#ports.steadyMs());
    try {
      return await work();
    } finally {
      if (boarding.role === 'leader') boarding.land(true);
    }
  }

  async verify(exchange: Exchange, { text, digest }: Presented): Promise<TokenVerdict> {
    const verification = await this.#verifier.verify(text, exchange.info.waitUntil);
    if (verification.kind !== 'valid') return { kind: verification.kind === 'away' ? 'away' : 'refused' };
    const customer = customerOf(verification.claims, this.#tenantClaim);
    if (customer === null) return { kind: 'refused' };
    const { expiresAtMs, key } = verification;
    this.#remembered.set(digest, { customer, expiresAtMs, key });
    return this.#ruleOutRevocation(exchange, customer);
  }

  async #ruleOutRevocation(exchange: Exchange, customer: Customer): Promise<TokenVerdict> {
    const { grant, asMember, merchantId, tokenId } = customer;
    if (!(await this.#revoked.isUsable(this.#pages(exchange), exchange.info.waitUntil))) return { kind: 'away' };
    const isRevoked = this.#revoked.revokes(merchantId, grant.subject, tokenId);
    return isRevoked ? { kind: 'refused' } : { kind: 'granted', grant, asMember };
  }

  #pages(exchange: Exchange): ReadPage {
    return async (after) => {
      const target = `${internalPaths.revocations}?after=${after}`;
      const outcome = await this.#origin.send(ownCall(exchange, target, edgeLimits.lookUpBudgetMs));
      if (!outcome.ok) return null;
      const { response } = outcome;
      if (response.status !== 200) {
        await response.body?.cancel();
        return null;
      }
      try {
        return revocations.listPage.parse(await response.json());
      } catch (cause) {
        this.#ports.report('origin_unusable', cause);
        return null;
      }
    };
  }
}
