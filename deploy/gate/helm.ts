/**
 * The helm that the gate and the chart's tests use: one pinned version, from PATH or built once.
 */
import { join } from 'node:path';
import { defaultCacheDir } from '../local/places.ts';
import { ensureGoTool, findGoTool, type GoTool, type GoToolOutcome } from '../tools/go-tool.ts';

const helm: GoTool = {
  name: 'helm',
  module: 'helm.sh/helm/v4',
  version: 'v4.3.1',
  package: 'helm.sh/helm/v4/cmd/helm',
};
const cacheDir = join(defaultCacheDir, 'bin');

/** Finds helm or builds it, which takes minutes. */
export function ensureHelm(log: (line: string) => void, signal: AbortSignal): Promise<GoToolOutcome> {
  return ensureGoTool(helm, { cacheDir, log, signal });
}

/** Finds helm; `null` when it would have to be built first (the gate does that). */
export function findHelm(): Promise<string | null> {
  return findGoTool(helm, { cacheDir, log: () => undefined });
}
