/**
 * Step ①e″, on the operator's routes where it is configured: Cloudflare Access has let this person through. In addition
 * to the operator's token, never instead of it: either of the two may leak.
 *
 * Cloudflare's "Validate JWTs": the assertion stands in `Cf-Access-Jwt-Assertion`, its issuer is the team's domain, its
 * keys are at `/cdn-cgi/access/certs`. The header alone proves nothing: anybody may send one.
 */
import { bearerChallenge } from '../access.ts';
import { refuse, type Step } from '../exchange.ts';
import { edgeLimits } from '../limits.ts';
import type { JwtVerifier } from './verifier.ts';

export function requireAccess(verifier: JwtVerifier): Step {
  return async (exchange) => {
    const assertion = exchange.headers.get('cf-access-jwt-assertion') ?? '';
    const { kind } = await verifier.verify(assertion, exchange.info.waitUntil);
    switch (kind) {
      case 'valid':
        return undefined;
      case 'invalid':
        return refuse(exchange, 'unauthenticated', { headers: { 'www-authenticate': bearerChallenge } });
      case 'away':
        return refuse(exchange, 'unavailable', {
          detail: 'The Access assertion cannot be checked right now.',
          headers: { 'retry-after': String(edgeLimits.awayRetryAfterS) },
        });
    }
  };
}
