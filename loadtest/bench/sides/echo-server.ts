/**
 * Core's own HTTP server (③: signature, nonce, scope, key, JSON, schema, metrics) in front of nothing: an earn is answered
 * at once, with a transaction of the usual size. Variables: `PORT`, `SIGNING_KEYS`.
 */
import { parseSigningKeys, uuidV7 } from '@local-plus/contracts';
import { limits } from '../../../core/limits.ts';
import { createHttpServer } from '../../../core/platform/http/index.ts';
import { createLog, createMetrics } from '../../../core/platform/telemetry/index.ts';

const { PORT: port = '0', SIGNING_KEYS: signingKeys = '' } = process.env;
/** Answers of core's own length: an id is computed there, too, and random numbers would cost more. */
const transactionId = uuidV7<string>(Date.now());
let version = 0;

const server = createHttpServer({
  host: '127.0.0.1',
  port: Number(port),
  signingKeys: parseSigningKeys(signingKeys),
  handlers: {
    'wallets.earn': ({ params, body }) => {
      version++;
      return {
        status: 201,
        body:
          `{"id":"${transactionId}","wallet_id":"${params[0]}","kind":"earn","amount":${body.amount},"unit":"PTS",` +
          `"balance_after":${version},"held_after":0,"version":${version},"reference":null,"reversal_of":null,` +
          `"metadata":null,"created_at":"${new Date().toISOString()}"}`,
      };
    },
  },
  findKeyGrant: null,
  listRevocations: null,
  readGenerations: null,
  explain: () => null,
  readiness: () => ({ ok: true, reasons: [], parts: {} }),
  openapi: '{}',
  log: createLog('warn'),
  metrics: createMetrics(),
  limits,
});
await server.listen();
process.on('SIGTERM', () => {
  server.stop().then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
