/** How large the Worker is and how soon it answers: wrangler's own word for each environment, and a fresh workerd timed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type EdgeOptions, edgeProcess } from '@local-plus/deploy';
import { repositoryDir } from '../stack-process.ts';

export const environments = ['', 'dev', 'staging', 'production'] as const;

export interface Upload {
  /** Empty: the top level, which `wrangler dev` uses. */
  readonly environment: string;
  readonly kib: number;
  readonly gzipKib: number;
}

const UPLOAD = /Total Upload: ([\d.]+) KiB \/ gzip: ([\d.]+) KiB/;

/** `wrangler deploy --dry-run`: nothing leaves the machine. Errors: a plain Error with what wrangler printed. */
export async function dryRun(environment: string, dir: string): Promise<Upload> {
  mkdirSync(dir, { recursive: true });
  const config = join(repositoryDir, 'edge', 'wrangler.jsonc');
  const outdir = join(dir, `upload-${environment || 'top'}`);
  const args = ['deploy', '--dry-run', '--config', config, '--env', environment, '--outdir', outdir];
  const wrangler = join(repositoryDir, 'node_modules', '.bin', 'wrangler');
  const child = spawn(wrangler, args, {
    env: { ...process.env, WRANGLER_SEND_METRICS: 'false', HOME: dir, NO_COLOR: '1' },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  const [, kib, gzipKib] = UPLOAD.exec(output) ?? [];
  if (code !== 0 || kib === undefined)
    throw new Error(`wrangler --env "${environment}" ended with code ${code}:\n${output}`);
  return { environment, kib: Number(kib), gzipKib: Number(gzipKib) };
}

const START_MS_MAX = 30_000;
const RETRY_MS = 1;

/** Milliseconds from the spawn of workerd to the last byte of its first answer, `count` times. */
export async function timeStarts(options: EdgeOptions, count: number): Promise<number[]> {
  const timesMs: number[] = [];
  for (let n = 0; n < count; n++) timesMs.push(await timeStart(options));
  return timesMs;
}

async function timeStart(options: EdgeOptions): Promise<number> {
  const { command, args, cwd, env } = edgeProcess(options);
  const startedMs = performance.now();
  const child = spawn(command, args, { cwd, env, stdio: 'ignore' });
  try {
    while (!(await answers(options.port))) {
      if (child.exitCode !== null) throw new Error(`workerd ended with code ${child.exitCode}`);
      if (performance.now() - startedMs > START_MS_MAX) throw new Error('workerd did not answer in time');
      await delay(RETRY_MS);
    }
    return performance.now() - startedMs;
  } finally {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}

/** One request on a connection of its own; false when nobody listens yet. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const settle = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', () =>
      socket.write('GET /healthz HTTP/1.1\r\nhost: edge.local\r\nconnection: close\r\n\r\n'),
    );
    socket.once('data', () => settle(true));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
  });
}
