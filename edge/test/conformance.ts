/** What the edge must do wherever it runs: the same cases on each real runtime. */
import { badInputSuite } from './bad-input-suite.ts';
import { bulkSuite } from './bulk-suite.ts';
import { originSuite } from './origin-suite.ts';
import { rawSuite } from './raw-suite.ts';
import type { Runtime } from './runtimes.ts';
import { surfaceSuite } from './surface-suite.ts';
import { trafficSuite } from './traffic-suite.ts';

export function conformance(runtime: Runtime): void {
  trafficSuite(runtime);
  badInputSuite(runtime);
  rawSuite(runtime);
  bulkSuite(runtime);
  surfaceSuite(runtime);
  originSuite(runtime);
}
