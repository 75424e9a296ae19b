/** Memory of the workerd process over many requests: every kind of them, from many callers, many of them strangers. */
import { join } from 'node:path';
import type { Server } from '@local-plus/deploy';
import { readTrees } from '../processor-time.ts';
import type { CostSettings } from './cost.ts';
import { writeRequests } from './requests.ts';
import { mixedRequests, refusedShare } from './traffic.ts';

export interface MemorySample {
  /** Since the process was started. */
  readonly requests: number;
  readonly rssBytes: number;
}

/** More than any list of the edge holds. */
const REQUESTS = 50_000;
/** A sample after each. */
const SLICE_SECONDS = 2;
/** Of the requests that the edge refuses; strangers that came back too often are refused otherwise, and no more. */
const REFUSED_SHARE_MAX = 2 * refusedShare;

/** @param server freshly started */
export async function measureMemory(
  server: Server,
  requestCount: number,
  { generator, dir, connections, log }: CostSettings,
): Promise<MemorySample[]> {
  const file = join(dir, 'mixed.requests');
  writeRequests(file, mixedRequests(REQUESTS));
  const samples: MemorySample[] = [{ requests: 0, rssBytes: rssOf(server) }];
  for (let requests = 0, tenths = 0; requests < requestCount; ) {
    const { answers, notOk, broken } = await generator.run({
      file,
      port: server.port,
      connections,
      seconds: SLICE_SECONDS,
    });
    if (broken > 0) throw new Error(`${broken} answers did not come`);
    if (notOk > answers * REFUSED_SHARE_MAX) throw new Error(`${notOk} of ${answers} answers were refusals`);
    requests += answers;
    samples.push({ requests, rssBytes: rssOf(server) });
    const done = Math.floor((requests / requestCount) * 10);
    if (done > tenths) log(`${requests} requests, ${(rssOf(server) / 2 ** 20).toFixed(0)} MB`);
    tenths = done;
  }
  return samples;
}

/** The first sample at or after so many requests. */
export function sampleAt(samples: readonly MemorySample[], requests: number): MemorySample {
  const sample = samples.find((one) => one.requests >= requests) ?? samples.at(-1);
  if (sample === undefined) throw new Error('there is a sample of the start');
  return sample;
}

function rssOf({ pid, name }: Server): number {
  const use = pid === null ? undefined : readTrees([pid]).get(pid);
  if (use === undefined) throw new Error(`${name} does not run any more`);
  return use.rssBytes;
}
