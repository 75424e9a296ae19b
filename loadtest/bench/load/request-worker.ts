/** Makes and signs requests ahead of the client that sends them (live-client.ts), a piece for every message. */
import { parentPort, workerData } from 'node:worker_threads';
import { parseSigningKeys } from '@local-plus/contracts';
import type { LivePlan } from './live.ts';
import { requestText } from './requests.ts';

const PIECE = 500;

const plan = workerData as LivePlan;
const [signingKey] = parseSigningKeys(plan.signingKeyText);
let n = 0;

parentPort?.on('message', () => {
  const texts = Array.from({ length: PIECE }, () => requestText({ ...plan, signingKey }, n++, Date.now()));
  // Its own memory, so that it can be handed over instead of copied.
  const requests = new Uint8Array(Buffer.byteLength(texts.join('')));
  Buffer.from(requests.buffer).write(texts.join(''), 'latin1');
  parentPort?.postMessage({ requests, requestBytes: texts[0]?.length ?? 0 }, [requests.buffer]);
});
