/**
 * The three runtimes the edge runs on, each as its own process on a free port: workerd with the Worker as deployed,
 * Deno with `deno serve`, Node with `edge/node.ts`. All of them trust `cf-connecting-ip`, as on Cloudflare.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { freePorts, startEdge } from '@local-plus/deploy';
import { eventually } from './eventually.ts';

export const runtimes = ['workerd', 'deno', 'node'] as const;
export type Runtime = (typeof runtimes)[number];

export interface RunningEdge {
  readonly port: number;
  readonly url: string;
  /** What it has logged so far; of workerd nothing. */
  logged(): string;
  stop(): Promise<void>;
}

export interface RuntimeOptions {
  readonly bindings: Readonly<Record<string, string>>;
  /** workerd only: whether objects count addresses and plans, or the isolate's memory. */
  readonly counters: boolean;
}

export const clientAddressHeader = 'cf-connecting-ip';
/** Longer than a server may take to finish what it has begun. */
const STOP_MS = 30_000;
const edgeDir = join(import.meta.dirname, '..');

export async function startRuntime(runtime: Runtime, options: RuntimeOptions): Promise<RunningEdge> {
  const [port] = (await freePorts(1)) as [number];
  switch (runtime) {
    case 'workerd':
      return startWorkerd(port, options);
    case 'deno': {
      // The program in the package is a script that starts the real one: both are ended as one group.
      const program = createRequire(import.meta.url).resolve('deno/bin.cjs');
      const flags = ['--node-modules-dir=manual', '--cached-only', '--no-check', '-A', '--host=127.0.0.1'];
      return startProcess(port, [program, 'serve', ...flags, `--port=${port}`, join(edgeDir, 'deno.ts')], options);
    }
    case 'node':
      return startProcess(port, [join(edgeDir, 'node.ts')], options);
  }
}

async function startWorkerd(port: number, { bindings, counters }: RuntimeOptions): Promise<RunningEdge> {
  const folder = mkdtempSync(join(tmpdir(), 'edge-'));
  const server = await startEdge({
    port,
    runDir: join(folder, 'run'),
    logDir: join(folder, 'logs'),
    buildDir: join(folder, 'build'),
    bindings,
    durableObjects: counters
      ? [
          { binding: 'RATE_LIMITER', className: 'RateLimiterObject', uniqueKey: 'limiter' },
          { binding: 'PLAN_COUNTERS', className: 'PlanObject', uniqueKey: 'plans' },
        ]
      : [],
  });
  return {
    port,
    url: server.url,
    logged: () => '',
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

async function startProcess(port: number, args: readonly string[], { bindings }: RuntimeOptions): Promise<RunningEdge> {
  const url = `http://127.0.0.1:${port}`;
  const own = { PORT: String(port), CLIENT_ADDRESS_HEADER: clientAddressHeader };
  const child = spawn(process.execPath, args, { env: { ...process.env, ...own, ...bindings }, detached: true });
  let logged = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      logged += chunk.toString();
    });
  }
  try {
    await eventually(`${url} answers`, async () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${logged}`);
      return fetch(`${url}/healthz`).then(
        () => true,
        () => false,
      );
    });
  } catch (cause) {
    await endGroup(child);
    throw cause;
  }
  return { port, url, logged: () => logged, stop: () => endGroup(child) };
}

async function endGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  // Closed: the last of the group has let go of the output.
  const closed = once(child, 'close');
  const group = -child.pid;
  process.kill(group, 'SIGTERM');
  const timer = setTimeout(() => process.kill(group, 'SIGKILL'), STOP_MS);
  await closed;
  clearTimeout(timer);
}
