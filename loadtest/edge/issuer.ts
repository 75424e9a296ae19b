/** An issuer of customers' tokens for one run: its keys, served as a JWKS on the loopback interface (RFC 7517, RFC 7519). */
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Issuer {
  /** What the edge has to be told of it. */
  readonly bindings: Readonly<Record<'JWT_ISSUER' | 'JWT_AUDIENCE' | 'JWT_JWKS_URL', string>>;
  /** A token of the customer `sub`, good for an hour. */
  tokenOf(merchantId: string, sub: string, jti: string): string;
  stop(): void;
}

const HOUR_S = 3_600;
const issuerName = 'https://issuer.example/';
const audience = 'local-plus';
const kid = 'bench';

export async function startIssuer(): Promise<Issuer> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwks = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }] });
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(jwks);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const part = (content: object): string => Buffer.from(JSON.stringify(content)).toString('base64url');
  return {
    bindings: { JWT_ISSUER: issuerName, JWT_AUDIENCE: audience, JWT_JWKS_URL: `http://127.0.0.1:${port}/jwks` },
    tokenOf(merchantId, sub, jti) {
      const iat = Math.floor(Date.now() / 1_000);
      const claims = { iss: issuerName, aud: audience, sub, jti, iat, exp: iat + HOUR_S, merchant_id: merchantId };
      const input = `${part({ alg: 'ES256', typ: 'at+jwt', kid })}.${part({ ...claims, scope: 'wallets:read' })}`;
      const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return `${input}.${signature.toString('base64url')}`;
    },
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
