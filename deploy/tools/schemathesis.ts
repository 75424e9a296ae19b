/**
 * Schemathesis: makes requests out of an OpenAPI document, and holds the answers against it. One pinned version, from
 * PyPI, with everything it depends on (schemathesis.txt).
 */
import { join } from 'node:path';
import { defaultCacheDir } from '../local/places.ts';
import { ensurePythonTool, type PythonTool, type PythonToolOutcome } from './python-tool.ts';

const schemathesis: PythonTool = {
  name: 'schemathesis',
  version: '4.32.5',
  module: 'schemathesis.cli',
  requirements: join(import.meta.dirname, 'schemathesis.txt'),
};

/** Finds it or installs it, which takes half a minute. */
export function ensureSchemathesis(log: (line: string) => void, signal?: AbortSignal): Promise<PythonToolOutcome> {
  return ensurePythonTool(schemathesis, { cacheDir: join(defaultCacheDir, 'python'), log, signal });
}
