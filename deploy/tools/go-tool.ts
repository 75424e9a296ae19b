/**
 * Tools that are written in Go (helm, k6): the one on PATH, else the one built earlier, else built now, once.
 *
 * - T1 a binary appears whole: built beside and renamed, so nobody ever runs half a file.
 * - T2 one build at a time per machine user: whoever comes second waits and then finds the first one's result.
 * - T3 a file name holds the version: another version is another file, never a stale hit.
 * - T4 what cannot be had is a value, one plain sentence; it is never an exception.
 *
 * A wrapper module is built instead of `go install pkg@version`, because the latter is refused for modules with
 * replace directives. The checksum database of Go decides whether what was downloaded is what was published.
 */
import { copyFileSync, existsSync, linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { outputOf, runCommand } from '../local/commands.ts';
import { errnoOf, messageOf, StartError } from '../local/errors.ts';
import { type HeldLock, waitForLock } from '../local/locks.ts';

export interface GoTool {
  /** The program's name, on PATH and in sentences. */
  readonly name: string;
  readonly module: string;
  /** `v1.2.3`, pinned. One on PATH is taken when it has the same major version and is not older in its minor one. */
  readonly version: string;
  /** The main package inside the module. */
  readonly package: string;
  /** The module's own non-local replacements, `path` → `path version`. */
  readonly replaces?: Readonly<Record<string, string>>;
}

export interface GoToolOptions {
  /** Where the binary is kept: `.local/cache/bin`. A copy goes to the user's cache folder, for the next clone. */
  readonly cacheDir: string;
  /** Progress, one line at a time. */
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal;
  /** The environment to look at; for tests. */
  readonly env?: NodeJS.ProcessEnv;
}

/** `missing` is one plain sentence for the person at the terminal. */
export type GoToolOutcome = { readonly path: string } | { readonly missing: string };

const bounds = {
  /** Helm takes five minutes on two cold, busy cores. */
  buildMs: 15 * 60_000,
  /** Whoever waits for a build outwaits it. */
  lockMs: 16 * 60_000,
  progressMs: 20_000,
} as const;

/** The go line of the wrapper module: the newest that any tool here asks for. */
const goLine = '1.26.0';

/** What the Go command may know of the surroundings: where its caches are and how it reaches its module proxy. */
const passedOn =
  /^(HOME|PATH|TMPDIR|USER|XDG_CACHE_HOME|XDG_CONFIG_HOME|SSL_CERT_(FILE|DIR)|(HTTPS?|NO)_PROXY|GO(CACHE|ENV|MODCACHE|PATH|PROXY|PRIVATE|NOPROXY|SUMDB|NOSUMDB|TOOLCHAIN|FLAGS))$/i;

/** Where the tool is: on PATH or built earlier; `null` when it would have to be built. */
export async function findGoTool(tool: GoTool, options: GoToolOptions): Promise<string | null> {
  const env = options.env ?? process.env;
  return (await onPath(tool, options.log, env)) ?? inCaches(tool, options, env);
}

/** Finds the tool or builds it. Throws only when `signal` is aborted. */
export async function ensureGoTool(tool: GoTool, options: GoToolOptions): Promise<GoToolOutcome> {
  const env = options.env ?? process.env;
  const found = await findGoTool(tool, options);
  if (found !== null) return { path: found };
  const go = executablesOnPath('go', env)[0];
  if (go === undefined) {
    return { missing: `Neither ${tool.name} nor Go is on PATH: install one of them (Go builds ${tool.name} once).` };
  }
  try {
    const lock = await takeBuildLock(tool, options, env);
    try {
      // Another run may have built it while this one waited (T2).
      return { path: inCaches(tool, options, env) ?? (await build(tool, go, options, env)) };
    } finally {
      lock.release();
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof StartError || errnoOf(error) !== null) return { missing: messageOf(error) };
    throw error;
  }
}

/** Whether a version that a program printed will do in place of the pinned one. */
export function isAcceptable(printed: string, pinned: string): boolean {
  const numbers = /v?(\d+)\.(\d+)/;
  const [, haveMajor, haveMinor] = numbers.exec(printed) ?? [];
  const [, wantMajor, wantMinor] = numbers.exec(pinned) ?? [];
  if (haveMajor === undefined || wantMajor === undefined) return false;
  return haveMajor === wantMajor && Number(haveMinor) >= Number(wantMinor);
}

/** The `go.mod` of the wrapper. */
export function wrapperModule(tool: GoTool): string {
  const replaces = Object.entries(tool.replaces ?? {}).map(([from, to]) => `replace ${from} => ${to}`);
  return [`module local/${tool.name}`, `go ${goLine}`, `require ${tool.module} ${tool.version}`, ...replaces, ''].join(
    '\n\n',
  );
}

async function onPath(tool: GoTool, log: (line: string) => void, env: NodeJS.ProcessEnv): Promise<string | null> {
  for (const path of executablesOnPath(tool.name, env)) {
    const printed = await outputOf(path, ['version']);
    if (printed !== null && isAcceptable(printed, tool.version)) return path;
    log(`${path} is not of version ${tool.version} or a later one of the same major version: not used.`);
  }
  return null;
}

function executablesOnPath(name: string, env: NodeJS.ProcessEnv): string[] {
  const { PATH = '' } = env;
  const folders = PATH.split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).filter((path) => existsSync(path));
}

/** Shared by the clones of one user, as the XDG base directory specification has it. */
function userCacheDir(env: NodeJS.ProcessEnv): string {
  const { HOME = homedir(), XDG_CACHE_HOME = '' } = env;
  return join(XDG_CACHE_HOME === '' ? join(HOME, '.cache') : XDG_CACHE_HOME, 'local-plus', 'bin');
}

const fileName = (tool: GoTool): string => `${tool.name}-${tool.version}`;

function inCaches(tool: GoTool, options: GoToolOptions, env: NodeJS.ProcessEnv): string | null {
  const paths = [options.cacheDir, userCacheDir(env)].map((folder) => join(folder, fileName(tool)));
  return paths.find((path) => existsSync(path)) ?? null;
}

async function takeBuildLock(tool: GoTool, options: GoToolOptions, env: NodeJS.ProcessEnv): Promise<HeldLock> {
  const lockName = `${fileName(tool)}.lock`;
  try {
    return await waitForLock(join(userCacheDir(env), lockName), bounds.lockMs, options.signal);
  } catch (error) {
    // A user without a writable cache folder: the clone's own is lock enough.
    if (errnoOf(error) === null) throw error;
    return await waitForLock(join(options.cacheDir, lockName), bounds.lockMs, options.signal);
  }
}

async function build(tool: GoTool, go: string, options: GoToolOptions, env: NodeJS.ProcessEnv): Promise<string> {
  mkdirSync(options.cacheDir, { recursive: true });
  const folder = mkdtempSync(join(options.cacheDir, `.build-${tool.name}-`));
  const path = join(options.cacheDir, fileName(tool));
  const startedMs = performance.now();
  const seconds = (): number => Math.round((performance.now() - startedMs) / 1_000);
  options.log(`Building ${tool.name} ${tool.version} with Go, once: this takes some minutes.`);
  const progress = setInterval(() => options.log(`… building ${tool.name} (${seconds()} s)`), bounds.progressMs);
  try {
    writeFileSync(join(folder, 'go.mod'), wrapperModule(tool));
    const flags = ['-mod=mod', '-trimpath', '-ldflags=-s -w', '-o', join(folder, tool.name)];
    const outcome = await runCommand('nice', ['-n', '10', go, 'build', ...flags, tool.package], {
      timeoutMs: bounds.buildMs,
      logFile: `${path}.build.log`,
      cwd: folder,
      env: buildEnvironment(env),
      signal: options.signal,
    });
    if (outcome.kind === 'missing') throw new StartError(`${tool.name} could not be built: "nice" is not on PATH.`);
    if (outcome.kind === 'failed') {
      throw new StartError(`${tool.name} could not be built with Go (${outcome.exit}): ${lastLine(outcome.tail)}`);
    }
    renameSync(join(folder, tool.name), path);
    options.log(`Built ${tool.name} ${tool.version} in ${seconds()} s.`);
  } finally {
    clearInterval(progress);
    rmSync(folder, { recursive: true, force: true });
  }
  share(tool, path, userCacheDir(env), options.log);
  return path;
}

function buildEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => passedOn.test(name));
  return { ...Object.fromEntries(kept), CGO_ENABLED: '0', GOWORK: 'off' };
}

const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1) ?? '';

/** Hands the binary to the user's other clones. Without it they build their own, so a failure is only said. */
function share(tool: GoTool, path: string, folder: string, log: (line: string) => void): void {
  const beside = join(folder, `.${fileName(tool)}.${process.pid}`);
  try {
    mkdirSync(folder, { recursive: true });
    linkOrCopy(path, beside);
    renameSync(beside, join(folder, fileName(tool)));
  } catch (error) {
    log(`${tool.name} could not be shared with other clones: ${messageOf(error)}`);
  } finally {
    rmSync(beside, { force: true });
  }
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    copyFileSync(from, to);
  }
}
