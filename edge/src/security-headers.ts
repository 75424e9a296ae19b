/**
 * The headers of every answer, by the OWASP REST security and HTTP headers cheat sheets: HSTS (RFC 6797), no sniffing,
 * no framing (twice: old browsers know only the second), nothing that a page of another site could embed, nothing kept.
 *
 * Not among them, on purpose: `X-XSS-Protection` and `Expect-CT` (obsolete), `Permissions-Policy` (for documents; these
 * answers are none), `Server` and `X-Powered-By` (the edge sets neither).
 */
export const securityHeaders = {
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;
