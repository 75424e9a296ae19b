/**
 * The Worker as people deploy and develop it, by the real wrangler: every environment of wrangler.jsonc bundles, names its
 * bindings and stays within Workers' limits; `wrangler dev` answers. Nothing leaves the machine.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePorts } from '@local-plus/deploy';
import { eventually } from './eventually.ts';
import { signingKeys } from './origin.ts';

const edgeDir = join(import.meta.dirname, '..');
const wrangler = join(edgeDir, '..', 'node_modules', '.bin', 'wrangler');

/** https://developers.cloudflare.com/workers/platform/limits/#worker-size, compressed; the smaller of the plans' limits. */
const GZIP_KIB_MAX = 3 * 1_024;

/** By `--env`; the top level is what `wrangler dev` uses. */
const environments = { '': 'local', dev: 'dev', staging: 'staging', production: 'production' } as const;

describe('wrangler', () => {
  let folder: string;
  const start = (args: readonly string[]): { readonly child: ChildProcess; readonly output: () => string } => {
    const offline = {
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
      WRANGLER_SEND_METRICS: 'false',
      // With it come a question to the registry, and a warning on the day that there is a newer major version.
      WRANGLER_HIDE_BANNER: 'true',
      HOME: folder,
      NO_COLOR: '1',
    };
    const child = spawn(wrangler, args, { cwd: edgeDir, env: { ...process.env, ...offline } });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
    }
    return { child, output: () => text };
  };

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'wrangler-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const [environment, name] of Object.entries(environments)) {
    it(`would deploy the environment ${environment || 'of the top level'}`, async () => {
      const outdir = join(folder, `upload-${name}`);
      const { child, output } = start(['deploy', '--dry-run', '--env', environment, '--outdir', outdir]);
      const [code] = await once(child, 'close');
      assert.equal(code, 0, output());
      assert.doesNotMatch(output(), /WARNING|ERROR/);
      assert.ok(output().includes(`env.ENVIRONMENT ("${name}")`), output());
      assert.match(output(), /env\.RATE_LIMITER \(RateLimiterObject\)/);
      const [, gzipKib] = /gzip: ([\d.]+) KiB/.exec(output()) ?? [];
      assert.ok(Number(gzipKib) < GZIP_KIB_MAX, output());
    });
  }

  it('runs it for development, configured as the example says', async () => {
    const [port = 0, inspector = 0] = await freePorts(2);
    const ports = ['--port', String(port), '--inspector-port', String(inspector)];
    const persist = ['--persist-to', join(folder, 'state')];
    const { child, output } = start(['dev', ...ports, ...persist, '--var', `SIGNING_KEYS:${signingKeys}`]);
    const closed = once(child, 'close');
    try {
      const url = `http://127.0.0.1:${port}`;
      await eventually(`${url} answers`, async () => {
        if (child.exitCode !== null) throw new Error(output());
        return fetch(`${url}/healthz`).then(
          ({ status }) => status === 200,
          () => false,
        );
      });
      // Configured: who is not is told 500.
      assert.equal((await fetch(`${url}/v1/programs`, { method: 'DELETE' })).status, 405, output());
    } finally {
      // It ends what it has started, and deletes what it has built.
      child.kill('SIGTERM');
      await closed;
    }
  });
});
