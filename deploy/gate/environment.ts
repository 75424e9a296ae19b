/**
 * What a step's process sees of the environment: no colours, no telemetry, the pinned tools in front.
 */
import { delimiter, dirname, join } from 'node:path';
import { repositoryDir } from '../local/places.ts';

export function stepEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  // NODE_TEST_CONTEXT makes a test runner believe that it is the child of another one.
  const { FORCE_COLOR: _color, NODE_TEST_CONTEXT: _context, PATH = '', ...rest } = env;
  const path = [dirname(process.execPath), join(repositoryDir, 'node_modules', '.bin'), PATH].join(delimiter);
  return { ...rest, PATH: path, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1', WRANGLER_SEND_METRICS: 'false' };
}
