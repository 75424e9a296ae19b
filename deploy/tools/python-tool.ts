/**
 * Tools that are written in Python (schemathesis): installed by pip into a folder of their own (venv), once.
 *
 * - T1 an installation is whole or does not count: a file that is written last says so.
 * - T2 one installation at a time; whoever comes second waits and then finds the first one's result.
 * - T3 the folder's name holds the version: another version is another folder, never a stale hit.
 * - T4 what cannot be had is a value, one plain sentence; it is never an exception.
 *
 * Every package is pinned, those it depends on too: a seed gives the same cases only with the same generator.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../local/commands.ts';
import { errnoOf, messageOf, StartError } from '../local/errors.ts';
import { writeFileAtomic } from '../local/files.ts';
import { waitForLock } from '../local/locks.ts';

export interface PythonTool {
  /** For sentences, and the folder's name. */
  readonly name: string;
  readonly version: string;
  /** What is run as `python -m`. */
  readonly module: string;
  /** A file in pip's format, every version pinned. */
  readonly requirements: string;
}

export interface PythonToolOptions {
  /** Where the folder is made: `.local/cache/python`. */
  readonly cacheDir: string;
  /** Progress, one line at a time. */
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** The environment to look at; for tests. */
  readonly env?: NodeJS.ProcessEnv;
}

/** `command`: what stands before the tool's own arguments. `missing`: one plain sentence for the person at the terminal. */
export type PythonToolOutcome = { readonly command: readonly string[] } | { readonly missing: string };

const bounds = {
  venvMs: 2 * 60_000,
  /** A slow line is no error. */
  installMs: 10 * 60_000,
  /** Whoever waits for an installation outwaits it. */
  lockMs: 13 * 60_000,
} as const;

/** Finds the tool or installs it. Throws only when `signal` is aborted. */
export async function ensurePythonTool(tool: PythonTool, options: PythonToolOptions): Promise<PythonToolOutcome> {
  const folder = join(options.cacheDir, `${tool.name}-${tool.version}`);
  if (isWhole(folder)) return found(tool, folder);
  try {
    const lock = await waitForLock(`${folder}.lock`, bounds.lockMs, options.signal);
    try {
      // Another run may have installed it while this one waited (T2).
      if (!isWhole(folder)) await install(tool, folder, options);
    } finally {
      lock.release();
    }
    return found(tool, folder);
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof StartError || errnoOf(error) !== null) return { missing: messageOf(error) };
    throw error;
  }
}

const markOf = (folder: string): string => join(folder, 'local-plus.installed');
const pythonOf = (folder: string): string => join(folder, 'bin', 'python');
const isWhole = (folder: string): boolean => existsSync(markOf(folder));
const found = (tool: PythonTool, folder: string): PythonToolOutcome => ({
  command: [pythonOf(folder), '-m', tool.module],
});

async function install(tool: PythonTool, folder: string, options: PythonToolOptions): Promise<void> {
  const { env = process.env, signal, log } = options;
  rmSync(folder, { recursive: true, force: true });
  log(`Installing ${tool.name} ${tool.version} with pip, once.`);
  const logFile = `${folder}.install.log`;
  const made = await runCommand('python3', ['-m', 'venv', folder], { timeoutMs: bounds.venvMs, logFile, env, signal });
  if (made.kind === 'missing') throw new StartError(`python3 is not on PATH, and ${tool.name} needs it.`);
  if (made.kind === 'failed') {
    throw new StartError(
      `python3 cannot make a folder for ${tool.name}: its module venv is missing (on Debian: apt-get install python3-venv); ${logFile} says more.`,
    );
  }
  const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', tool.requirements];
  const installed = await runCommand(pythonOf(folder), args, { timeoutMs: bounds.installMs, logFile, env, signal });
  if (installed.kind !== 'done') {
    const why = installed.kind === 'failed' ? installed.exit : 'its python is gone';
    throw new StartError(`pip could not install ${tool.name} (${why}); ${logFile} says why.`);
  }
  writeFileAtomic(markOf(folder), `${tool.version}\n`);
}
