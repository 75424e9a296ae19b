/**
 * An optional side: TigerBeetle behind the same HTTP server. Neither is a dependency of ours: `--tigerbeetle DIR` names a
 * folder that holds its program (`tigerbeetle`) and its client (`node_modules/tigerbeetle-node`).
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseSigningKeys, uuidV7 } from '@local-plus/contracts';
import { freePorts } from '@local-plus/deploy';
import { LoadError } from '../../stack.ts';
import type { HttpSide, Surroundings } from '../side.ts';
import { ask, startChild, startProgram, untilReady } from './child.ts';

const ASK_MS = 60_000;

/** What its server answers to `{"type":"tally"}`. */
export interface Tally {
  readonly transfers: number;
  /** Sums over all wallets, and of the account on the other side; what was answered as posted. Decimal text. */
  readonly credits: string;
  readonly debits: string;
  readonly posted: string;
}

export async function startTigerBeetle(surroundings: Surroundings, folder: string): Promise<HttpSide> {
  const program = resolve(folder, 'tigerbeetle');
  const client = resolve(folder, 'node_modules', 'tigerbeetle-node', 'dist', 'index.js');
  for (const path of [program, client]) {
    if (!existsSync(path)) throw new LoadError(`--tigerbeetle: ${path} is not there`);
  }
  const dir = join(surroundings.dir, 'tigerbeetle');
  mkdirSync(dir, { recursive: true });
  const data = join(dir, '0_0.tigerbeetle');
  const [port = 0, clusterPort = 0] = await freePorts(2);
  execFileSync(program, ['format', '--cluster=0', '--replica=0', '--replica-count=1', data], { stdio: 'pipe' });
  const cluster = startProgram('tigerbeetle', dir, program, ['start', `--addresses=127.0.0.1:${clusterPort}`, data]);
  const walletIds = Array.from({ length: surroundings.walletCount }, () => uuidV7<string>(Date.now()));
  const signingText = `k1:${randomBytes(32).toString('base64url')}`;
  const server = startChild({
    name: 'server',
    program: new URL('tigerbeetle-server.ts', import.meta.url),
    dir,
    env: {
      PORT: String(port),
      SIGNING_KEYS: signingText,
      CLIENT: pathToFileURL(client).href,
      CLUSTER_PORT: String(clusterPort),
    },
  });
  await ask(server, { type: 'open', walletIds }, ASK_MS);
  await untilReady(server, port);
  const [signingKey] = parseSigningKeys(signingText);
  const tally = (): Promise<Tally> => ask<Tally>(server, { type: 'tally' }, ASK_MS);
  return {
    kind: 'http',
    name: 'TigerBeetle',
    port,
    caller: { type: 'merchant', merchantId: uuidV7(Date.now()) },
    signingKey,
    walletIds,
    mayRefuse: false,
    pid: server.pid,
    brokerPid: cluster.pid,
    countRows: async () => (await tally()).transfers,
    countBusy: null,
    async audit() {
      const { credits, debits, posted } = await tally();
      return credits === debits && debits === posted
        ? []
        : [`credits ${credits}, debits ${debits}, answered ${posted}`];
    },
    async stop() {
      await server.stop();
      await cluster.stop();
    },
  };
}
