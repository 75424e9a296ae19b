/**
 * One server of the stack: what Postgres, the broker, Valkey, core and workerd have in common. Each of their modules
 * fills in the parts; the life cycle stands here, once.
 *
 *     stopped → start(): free port, no orphan, prepare, spawn, ready → running → stop() | kill() | its own death → stopped
 *
 * A server knows its own process only. Who restarts it when it dies is the supervisor's business (supervisor.ts).
 */
import { StartError } from './errors.ts';
import { logTail } from './files.ts';
import { limits } from './limits.ts';
import { localHost, requireFreePorts } from './ports.ts';
import {
  describeExit,
  endOrphan,
  type ProcessExit,
  type ProcessSpec,
  type RunningProcess,
  startProcess,
} from './processes.ts';
import { waitUntil, within } from './waits.ts';

/** What every server module takes. */
export interface ServerOptions {
  readonly port: number;
  /** Pid files; where a later run looks for orphans. */
  readonly runDir: string;
  readonly logDir: string;
  /** Progress in plain words ("creating the database cluster"); silent when absent. */
  readonly log?: ((line: string) => void) | undefined;
  /** Ends preparations (downloads, installations) early. */
  readonly signal?: AbortSignal | undefined;
}

export interface Server {
  readonly name: string;
  readonly port: number;
  readonly url: string;
  /** The process that runs now; `null` while there is none. Changes with every start. */
  readonly pid: number | null;
  /** Resolves when the process that runs now is gone; at once when there is none. */
  readonly exited: Promise<ProcessExit>;
  /** Starts it, again on the same data; resolves when it answers. A {@link StartError} says why it does not. */
  start(): Promise<void>;
  /** Ends it gracefully, within bounds; nothing happens when it does not run. */
  stop(): Promise<void>;
  /** SIGKILL, for fault tests and last resorts. Its data stays as the crash left it. */
  kill(): Promise<void>;
  /** stop() and start(). */
  restart(): Promise<void>;
}

export interface ServerParts {
  readonly name: string;
  /** "Postgres", for sentences. */
  readonly title: string;
  url(): string;
  readonly portFlag: string;
  readonly options: ServerOptions;
  /** Every port that has to be free; the server's own when absent. */
  readonly ports?: readonly number[];
  readonly stopSignal: 'SIGINT' | 'SIGTERM';
  readonly stopGraceMs: number;
  readonly readyMs: number;
  /** Before each spawn, after orphans are gone: files, formats, bundles. Returns what to spawn. */
  prepare(): Promise<Pick<ProcessSpec, 'command' | 'args' | 'cwd' | 'env' | 'user'>>;
  /** One look: does it answer? Trouble connecting is `false`; a throw ends the start. */
  isReady(pid: number): Promise<boolean>;
  /** After it answers, before the start is over. */
  afterReady?(): Promise<void>;
  /** After the process is gone, however it went. */
  afterExit?(): Promise<void>;
}

const notRunning: ProcessExit = { code: 0, signal: null };

export function createServer(parts: ServerParts): Server {
  const { options, name } = parts;
  let running: RunningProcess | null = null;

  async function ended(running: RunningProcess): Promise<void> {
    await running.exited;
    await parts.afterExit?.();
  }

  async function start(): Promise<void> {
    if (running !== null && !running.hasExited()) throw new Error(`${name} runs already`);
    options.signal?.throwIfAborted();
    if ((await endOrphan(options.runDir, name)) === 'ended') options.log?.('ended what a killed run had left over');
    const spec = await parts.prepare();
    options.signal?.throwIfAborted();
    const ports = parts.ports ?? [options.port];
    await requireFreePorts(ports.map((port) => ({ port, wantedBy: parts.title, flag: parts.portFlag })));
    options.log?.('starting');
    const { runDir, logDir } = options;
    const process = await startProcess({ name, runDir, logDir, stopSignal: parts.stopSignal, ...spec });
    running = process;
    try {
      await becomeReady(parts, process);
      await parts.afterReady?.();
    } catch (error) {
      await process.stop(parts.stopSignal, parts.stopGraceMs);
      throw error;
    }
  }

  async function stop(): Promise<void> {
    if (running === null || running.hasExited()) return;
    await running.stop(parts.stopSignal, parts.stopGraceMs);
    await ended(running);
  }

  return {
    name,
    port: options.port,
    get url() {
      return parts.url();
    },
    get pid() {
      return running === null || running.hasExited() ? null : running.pid;
    },
    get exited() {
      return running?.exited ?? Promise.resolve(notRunning);
    },
    start,
    stop,
    async kill() {
      if (running === null || running.hasExited()) return;
      running.signal('SIGKILL');
      if ((await within(running.exited, limits.killedMs)) === 'timeout') throw new Error(`${name} survived SIGKILL`);
      await ended(running);
    },
    async restart() {
      await stop();
      await start();
    },
  };
}

async function becomeReady(parts: ServerParts, process: RunningProcess): Promise<void> {
  const answered = await waitUntil(
    async () => {
      parts.options.signal?.throwIfAborted();
      if (process.hasExited()) {
        throw new StartError(
          await failedStart(parts, `ended while starting (${describeExit(await process.exited)})`, process),
        );
      }
      return parts.isReady(process.pid);
    },
    { timeoutMs: parts.readyMs, everyMs: limits.readyPollMs },
  );
  if (answered) return;
  throw new StartError(await failedStart(parts, `did not answer within ${parts.readyMs / 1_000} s`, process));
}

async function failedStart(parts: ServerParts, what: string, process: RunningProcess): Promise<string> {
  const tail = logTail(process.logFile);
  return `${parts.title} ${what}; its log is ${process.logFile}${tail === '' ? ' (empty).' : `:\n${tail}`}`;
}

/** Whether something accepts HTTP at this address and answers as `accepts` wants it. Trouble connecting is `false`. */
export async function answersHttp(url: string, accepts: (status: number) => boolean): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(limits.killedMs), redirect: 'manual' });
    await response.arrayBuffer();
    return accepts(response.status);
  } catch {
    // Not listening yet, or reset while it starts: exactly what is being asked.
    return false;
  }
}

export function localHttp(port: number, host = localHost): string {
  return `http://${host}:${port}`;
}
