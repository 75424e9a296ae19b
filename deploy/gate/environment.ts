/**
 * What a step's process sees of the environment: no colours, no telemetry, the pinned tools in front.
 * SEED is that of the tests that draw: the same at every run, so that the verdict is of the change. Alone they draw another.
 */
import { delimiter, dirname, join } from 'node:path';
import { repositoryDir } from '../local/places.ts';

export function stepEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  // NODE_TEST_CONTEXT makes a test runner believe that it is the child of another one.
  const { FORCE_COLOR: _color, NODE_TEST_CONTEXT: _context, PATH = '', SEED = '1', ...rest } = env;
  const path = [dirname(process.execPath), join(repositoryDir, 'node_modules', '.bin'), PATH].join(delimiter);
  return { ...rest, SEED, PATH: path, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1', WRANGLER_SEND_METRICS: 'false' };
}
