/** The same HTTP without a ledger: what any durable answer can at best come near to. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { parseSigningKeys, uuidV7 } from '@local-plus/contracts';
import { freePorts } from '@local-plus/deploy';
import type { HttpSide, Surroundings } from '../side.ts';
import { startChild, untilReady } from './child.ts';

export async function startEcho(surroundings: Surroundings): Promise<HttpSide> {
  const [port = 0] = await freePorts(1);
  const signingText = `k1:${randomBytes(32).toString('base64url')}`;
  const child = startChild({
    name: 'echo',
    program: new URL('echo-server.ts', import.meta.url),
    dir: join(surroundings.dir, 'echo'),
    env: { PORT: String(port), SIGNING_KEYS: signingText },
  });
  await untilReady(child, port);
  const [signingKey] = parseSigningKeys(signingText);
  return {
    kind: 'http',
    name: 'echo',
    port,
    caller: { type: 'merchant', merchantId: uuidV7(Date.now()) },
    signingKey,
    walletIds: Array.from({ length: surroundings.walletCount }, () => uuidV7<string>(Date.now())),
    mayRefuse: false,
    pid: child.pid,
    brokerPid: null,
    countRows: null,
    countBusy: null,
    audit: null,
    stop: () => child.stop(),
  };
}
