/**
 * The edge on workerd by itself: `edge/worker.ts` bundled by esbuild, a configuration for `workerd serve`, one process.
 * The same runtime as Cloudflare's, without the development server, which costs two to three times the CPU.
 *
 * Text bindings travel by environment (`fromEnvironment`), so that no secret stands in a file or on a command line.
 * Durable objects are kept in files beside the bundle, deleted at each start: their state is a rate limiter's, and ends
 * with the process. In memory they may not be: an alarm that rings there ends the process, whatever its handler does
 * (https://github.com/cloudflare/workerd/issues/7191).
 */
import { mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { messageOf, StartError } from './errors.ts';
import { writeFileAtomic } from './files.ts';
import { limits } from './limits.ts';
import { repositoryDir } from './places.ts';
import { localHost } from './ports.ts';
import type { ProcessSpec } from './processes.ts';
import { answersHttp, createServer, localHttp, type Server, type ServerOptions } from './server.ts';

export interface DurableObjectNamespace {
  /** The name in the Worker's `env`. */
  readonly binding: string;
  /** The class that the Worker exports. */
  readonly className: string;
  /** Keeps ids of namespaces apart; any text that stays the same. */
  readonly uniqueKey: string;
}

/** Those of `edge/worker.ts`, as `edge/wrangler.jsonc` names them. */
export const edgeObjects: readonly DurableObjectNamespace[] = [
  { binding: 'RATE_LIMITER', className: 'RateLimiterObject', uniqueKey: 'local-plus-rate-limiter' },
  { binding: 'PLAN_COUNTERS', className: 'PlanObject', uniqueKey: 'local-plus-plan-counters' },
];

export interface EdgeOptions extends ServerOptions {
  /** Where the bundle and the configuration are written. */
  readonly buildDir: string;
  /** Text bindings: name in the Worker's `env` → value. */
  readonly bindings: Readonly<Record<string, string>>;
  readonly durableObjects?: readonly DurableObjectNamespace[];
  /** The Worker; `edge/worker.ts` of this checkout when absent. */
  readonly entry?: string;
  /** What the process inherits besides the bindings. */
  readonly environment?: NodeJS.ProcessEnv;
}

const compatibilityDate = '2026-07-01';

/** The edge, not yet started. */
export function edgeServer(options: EdgeOptions): Server {
  return createServer({
    name: 'edge',
    title: 'The edge',
    url: () => localHttp(options.port),
    portFlag: '--edge-port',
    options,
    stopSignal: 'SIGTERM',
    stopGraceMs: limits.edgeStopMs,
    readyMs: limits.edgeReadyMs,
    async prepare() {
      await bundle(options);
      rmSync(objectsDir(options), { recursive: true, force: true });
      mkdirSync(objectsDir(options));
      writeFileAtomic(configFileOf(options), workerdConfig(options));
      return edgeProcess(options);
    },
    // Any answer of the Worker will do: whether the origin is well is another question.
    isReady: () => answersHttp(`${localHttp(options.port)}/healthz`, () => true),
  });
}

export async function startEdge(options: EdgeOptions): Promise<Server> {
  const server = edgeServer(options);
  await server.start();
  return server;
}

/** What is spawned, of an edge that was built before (its first start). */
export function edgeProcess(options: EdgeOptions): Required<Pick<ProcessSpec, 'command' | 'args' | 'cwd' | 'env'>> {
  const env = { ...options.environment, ...environmentOf(options.bindings) };
  return { command: workerdProgram(), args: ['serve', configFileOf(options), 'config'], cwd: options.buildDir, env };
}

type Built = Pick<EdgeOptions, 'buildDir'>;
const configFileOf = ({ buildDir }: Built): string => join(buildDir, 'workerd.capnp');
const objectsDir = ({ buildDir }: Built): string => join(buildDir, 'objects');

async function bundle(options: EdgeOptions): Promise<void> {
  mkdirSync(options.buildDir, { recursive: true });
  try {
    await build({
      entryPoints: [options.entry ?? join(repositoryDir, 'edge', 'worker.ts')],
      outfile: join(options.buildDir, 'worker.js'),
      bundle: true,
      format: 'esm',
      platform: 'neutral',
      mainFields: ['module', 'main'],
      conditions: ['workerd', 'worker'],
      external: ['cloudflare:*'],
      target: 'es2022',
      sourcemap: true,
      logLevel: 'silent',
    });
  } catch (error) {
    throw new StartError(`The edge Worker could not be bundled: ${messageOf(error)}`, { cause: error });
  }
}

/** workerd's package is a script that looks for the real program in the package of this platform; we skip the script. */
function workerdProgram(): string {
  const ofWorkerd = createRequire(fileURLToPath(import.meta.resolve('workerd')));
  const arch = process.arch === 'x64' ? '64' : process.arch;
  try {
    return join(
      dirname(ofWorkerd.resolve(`@cloudflare/workerd-${process.platform}-${arch}/package.json`)),
      'bin',
      'workerd',
    );
  } catch (error) {
    throw new StartError(
      `There is no workerd for ${process.platform}-${process.arch} in node_modules; run \`npm ci\`.`,
      {
        cause: error,
      },
    );
  }
}

const variablePrefix = 'EDGE_BINDING_';

function environmentOf(bindings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(bindings).map(([name, value]) => [variablePrefix + name, value]));
}

/** Cap'n Proto text (workerd.capnp). Names are ours, yet quoted as JSON, whose escapes Cap'n Proto shares. */
export function workerdConfig(options: Pick<EdgeOptions, 'port' | 'buildDir' | 'bindings' | 'durableObjects'>): string {
  const text = (value: string): string => JSON.stringify(value);
  const objects = options.durableObjects ?? [];
  const bindings = [
    ...Object.keys(options.bindings).map(
      (name) => `(name = ${text(name)}, fromEnvironment = ${text(variablePrefix + name)})`,
    ),
    ...objects.map((object) => `(name = ${text(object.binding)}, durableObjectNamespace = ${text(object.className)})`),
  ];
  const namespaces = objects.map(
    (object) => `(className = ${text(object.className)}, uniqueKey = ${text(object.uniqueKey)})`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "edge", worker = .edgeWorker),
    (name = "network", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
    (name = "objects", disk = (path = ${text(objectsDir(options))}, writable = true)),
  ],
  sockets = [(name = "http", address = "${localHost}:${options.port}", http = (), service = "edge")],
);

const edgeWorker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "${compatibilityDate}",
  globalOutbound = "network",
  bindings = [
    ${bindings.join(',\n    ')}
  ],
  durableObjectNamespaces = [${namespaces.join(', ')}],
  durableObjectStorage = (localDisk = "objects"),
);
`;
}
