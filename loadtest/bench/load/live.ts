/** Runs the client that signs while it sends (live-client.ts) against a side. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { requestPlan } from '../round.ts';
import type { HttpSide, Workload } from '../side.ts';
import { outcomeLine } from './generator.ts';
import type { RequestPlan } from './requests.ts';
import { single } from './shape.ts';

/** What the client is told, as JSON. */
export interface LivePlan extends Omit<RequestPlan, 'signingKey'> {
  /** `kid:base64url`. */
  readonly signingKeyText: string;
  readonly connections: number;
  readonly seconds: number;
}

const liveOutcome = z.object({
  ok: z.int(),
  notOk: z.int(),
  broken: z.int(),
  handed: z.int(),
  /** When the first second began, on the clock of `Date.now()`. */
  startedAtMs: z.number(),
  /** Successes of each second; what was under way at the end comes in one more. */
  perSecond: z.array(z.int()),
});
export type LiveOutcome = z.infer<typeof liveOutcome>;

export async function runLive(
  side: HttpSide,
  options: {
    readonly dir: string;
    readonly workload: Workload;
    readonly seconds: number;
    readonly connections: number;
  },
): Promise<LiveOutcome> {
  const { dir, workload, seconds, connections } = options;
  const { signingKey, ...plan } = requestPlan(side, workload, single, 0);
  const signingKeyText = `${signingKey.keyId}:${Buffer.from(signingKey.secret).toString('base64url')}`;
  const path = join(dir, 'live-plan.json');
  const live: LivePlan = { ...plan, signingKeyText, connections, seconds };
  writeFileSync(path, JSON.stringify(live), { mode: 0o600 });
  try {
    return liveOutcome.parse(await outcomeLine(new URL('live-client.ts', import.meta.url), [path]));
  } finally {
    rmSync(path, { force: true });
  }
}
