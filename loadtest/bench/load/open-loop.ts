/** Runs the open-loop client (open-loop-client.ts) against a side. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { requestPlan } from '../round.ts';
import type { HttpSide, Workload } from '../side.ts';
import { outcomeLine } from './generator.ts';
import { writeRequests } from './requests.ts';
import { single } from './shape.ts';

export const openLoopOutcome = z.object({
  offered: z.int(),
  sent: z.int(),
  /** Found no connection before the end, or was noticed too late. */
  unsent: z.int(),
  statuses: z.record(z.string(), z.int()),
  /** Successes within the seconds, without those that came after them. */
  okInTime: z.int(),
  broken: z.int(),
  seconds: z.number(),
  /** Of the successes. */
  p50Ms: z.number(),
  p99Ms: z.number(),
  /** How late the client itself was. */
  latenessP99Ms: z.number(),
});
export type OpenLoopOutcome = z.infer<typeof openLoopOutcome>;

export interface OpenLoopPlan {
  readonly dir: string;
  readonly workload: Workload;
  readonly ratePerSecond: number;
  readonly seconds: number;
  readonly connections: number;
  readonly seed: number;
}

/** So many standard deviations of the number of arrivals have requests made for them. */
const DEVIATIONS = 6;

/** A signature is good for half a minute: `seconds` are 20 at most. */
export async function runOpenLoop(side: HttpSide, plan: OpenLoopPlan): Promise<OpenLoopOutcome> {
  const { dir, workload, ratePerSecond, seconds, connections, seed } = plan;
  const mean = ratePerSecond * seconds;
  const path = join(dir, 'arrivals.http');
  const count = Math.ceil(mean + DEVIATIONS * Math.sqrt(mean)) + 1;
  const requests = writeRequests(path, requestPlan(side, workload, single, count));
  try {
    const line = await outcomeLine(new URL('open-loop-client.ts', import.meta.url), [
      ...['--file', path, '--bytes', String(requests.requestBytes), '--port', String(side.port)],
      ...['--connections', String(connections), '--seconds', String(seconds)],
      ...['--rate', String(ratePerSecond), '--seed', String(seed)],
    ]);
    return openLoopOutcome.parse(line);
  } finally {
    rmSync(path, { force: true });
  }
}
