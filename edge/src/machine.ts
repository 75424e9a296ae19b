/**
 * What machines ask, outside `/v1`: is the edge alive, can the origin work, what is the contract.
 *
 * `/healthz` asks nobody. `/readyz` asks core, at most once a second per isolate however often it is asked (who asks
 * meanwhile waits for that answer), and is not counted, so that a probe is never refused by a limit. `/openapi.json` is
 * the contracts' document, bundled, and read when it is asked for: it is seven tenths of the bundle, and every isolate starts.
 */
import { Question } from './cache/question.ts';
import { matchesEtag, strongEtag } from './cache/validators.ts';
import { bytesOf } from './encoding.ts';
import { type Answer, type Exchange, refuse, type Step } from './exchange.ts';
import { ownCall } from './forward.ts';
import { edgeLimits } from './limits.ts';
import type { Origin } from './origin.ts';

const OPENAPI_MAX_AGE_S = 300;

export const answerAlive: Step = () => json('{"status":"ok"}');

export function answerReady(origin: Origin, steadyMs: () => number): Step {
  let isReady = false;
  const question = new Question<'ready'>({ steadyMs, givenUpMs: edgeLimits.readyBudgetMs });
  return async (exchange) => {
    const asked = question.ask('ready', edgeLimits.readyMemoMs, exchange.info.waitUntil, async () => {
      isReady = await askOrigin(origin, exchange);
    });
    await question.answered(asked, edgeLimits.readyBudgetMs);
    if (isReady) return json('{"status":"ready"}');
    return refuse(exchange, 'unavailable', {
      detail: 'The origin is not ready.',
      headers: { 'retry-after': String(edgeLimits.awayRetryAfterS) },
    });
  };
}

async function askOrigin(origin: Origin, exchange: Exchange): Promise<boolean> {
  const outcome = await origin.send(ownCall(exchange, '/readyz', edgeLimits.readyBudgetMs));
  if (!outcome.ok) return false;
  await outcome.response.body?.cancel();
  return outcome.response.status === 200;
}

export function answerOpenapi(): Step {
  let document: { readonly body: Uint8Array<ArrayBuffer>; readonly etag: string } | null = null;
  return async (exchange) => {
    document ??= await publish();
    const headers = { etag: document.etag, 'cache-control': `public, max-age=${OPENAPI_MAX_AGE_S}` };
    return matchesEtag(exchange.headers.get('if-none-match'), document.etag)
      ? { status: 304, headers, body: null }
      : { status: 200, headers: { ...headers, 'content-type': 'application/json' }, body: document.body };
  };
}

async function publish(): Promise<{ body: Uint8Array<ArrayBuffer>; etag: string }> {
  const { default: openapi } = await import('@local-plus/contracts/openapi.json', { with: { type: 'json' } });
  const body = bytesOf(JSON.stringify(openapi));
  return { body, etag: await strongEtag(body) };
}

function json(body: string): Answer {
  return { status: 200, headers: { 'content-type': 'application/json' }, body };
}
