/**
 * `GET /.well-known/security.txt`: whom to tell of a vulnerability (RFC 9116). Off (404) unless `SECURITY_CONTACT` is
 * set.
 *
 * `Expires` is computed, whole days ahead, so that it never lies and the document stays the same for a day.
 */
import type { Step } from './exchange.ts';
import { edgeLimits } from './limits.ts';
import type { SecurityTxt } from './surface-config.ts';

export const securityTxtPath = '/.well-known/security.txt';
const DAY_MS = 86_400_000;

export function answerSecurityTxt(config: SecurityTxt, nowMs: () => number): Step {
  return () => ({
    status: 200,
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': `public, max-age=${edgeLimits.securityTxtMaxAgeS}`,
    },
    body: write(config, nowMs()),
  });
}

function write({ contacts, languages, policyUrl, publicUrl }: SecurityTxt, nowMs: number): string {
  const expiresMs = (Math.floor(nowMs / DAY_MS) + edgeLimits.securityTxtDays) * DAY_MS;
  const lines = [
    ...contacts.map((contact) => `Contact: ${contact}`),
    `Expires: ${new Date(expiresMs).toISOString()}`,
    `Preferred-Languages: ${languages}`,
    ...(publicUrl === null ? [] : [`Canonical: ${publicUrl}${securityTxtPath}`]),
    ...(policyUrl === null ? [] : [`Policy: ${policyUrl}`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
