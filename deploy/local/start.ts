/**
 * `npm start`: the whole platform on this machine, from nothing, with real parts. What it does, in order:
 *
 *     configuration → lock → orphans of a killed run → (--fresh) → stack up → demo → stack.json → wait → stack down
 *
 * Ctrl-C, SIGTERM and SIGHUP end it in order, whatever it is doing. A SIGKILL leaves the servers running: the next
 * start finds them by their pid files and ends them first.
 */
import { join } from 'node:path';
import { helpText, readConfig, type StackConfig } from './config.ts';
import { runDemo } from './demo.ts';
import { type DemoTenant, readDemoTenant } from './demo-setup.ts';
import { AbsentError, messageOf, StartError } from './errors.ts';
import { limits } from './limits.ts';
import { takeLock } from './locks.ts';
import { createProgress, type Progress } from './progress.ts';
import { clearOrphans, deleteData } from './remains.ts';
import { loadSecrets, type Secrets } from './secrets.ts';
import { createStack, type Stack, type StackParts } from './stack.ts';
import { removeStackFile, type StackFile, writeStackFile } from './stack-file.ts';
import { onStopSignal } from './stop-signals.ts';
import { summary } from './summary.ts';

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** Exit codes: 0 stopped as asked, 1 could not start, 2 asked for something that does not exist. */
async function main(): Promise<number> {
  const outcome = readConfig();
  if (outcome.kind === 'help') {
    print(helpText());
    return 0;
  }
  if (outcome.kind === 'errors') {
    for (const error of outcome.errors) print(error);
    return 2;
  }
  const { config } = outcome;
  const lock = takeLock(join(config.runDir, 'start.lock'));
  if (lock.kind === 'taken') {
    print(
      `Local-Plus already runs on ${config.dataDir} (process ${lock.holder.pid}): stop that one, or give this one another --data.`,
    );
    return 1;
  }
  const progress = createProgress(process.stdout);
  try {
    return await run(config, progress);
  } catch (error) {
    progress.close();
    print(explain(error));
    return 1;
  } finally {
    lock.release();
  }
}

async function run(config: StackConfig, progress: Progress): Promise<number> {
  const startedMs = performance.now();
  const stopping = stopRequest();
  await clearOrphans(config, progress.line);
  removeStackFile(config.dataDir);
  if (config.fresh) deleteData(config, progress.line);
  const secrets = loadSecrets(config.dataDir);
  let afterRestart = (): void => undefined;
  const stack = createStack({ config, secrets, progress, signal: stopping.signal, onRestart: () => afterRestart() });
  try {
    const parts = await stack.start();
    const demo = config.demo ? await demonstrate(config, secrets, parts, progress, stopping.signal) : null;
    const tenant = demo?.tenant ?? readDemoTenant(config.dataDir);
    const announce = (): void => writeStackFile(config.dataDir, stackFile(secrets, parts, tenant, stack));
    afterRestart = announce;
    announce();
    const tookS = (performance.now() - startedMs) / 1_000;
    progress.line(summary({ config, parts, tenant, table: demo?.table ?? null, tookS }));
    if (!config.once) await stopping.requested;
  } catch (error) {
    // Asked to stop while it was starting: what that broke off is no error.
    if (!stopping.signal.aborted) throw error;
  } finally {
    afterRestart = () => undefined;
    await bringDown(config, stack, progress, stopping);
  }
  return 0;
}

async function demonstrate(
  config: StackConfig,
  secrets: Secrets,
  parts: StackParts,
  progress: Progress,
  signal: AbortSignal,
): ReturnType<typeof runDemo> {
  const task = progress.task('demo');
  const { edgeUrl, kafkaBrokers } = parts;
  const { dataDir, walletCount } = config;
  try {
    const adminToken = secrets.admin_token;
    const outcome = await runDemo({ edgeUrl, adminToken, kafkaBrokers, dataDir, walletCount, log: task.note, signal });
    task.done(`merchant ${outcome.tenant.merchantId}, ${outcome.tenant.walletIds.length} wallets`);
    return outcome;
  } catch (error) {
    if (!signal.aborted) task.failed('did not go as it has to');
    throw error;
  }
}

async function bringDown(config: StackConfig, stack: Stack, progress: Progress, stopping: StopRequest): Promise<void> {
  stopping.abort();
  removeStackFile(config.dataDir);
  const anyRuns = Object.values(stack.pids()).some((pid) => pid !== null);
  const task = anyRuns ? progress.task('stop') : null;
  task?.note('ending edge, core and the servers');
  try {
    await stack.stop();
    task?.done('everything has ended');
  } finally {
    progress.close();
  }
}

interface StopRequest {
  /** Aborted when the stack shall end: by a signal, or because it is going down anyway. */
  readonly signal: AbortSignal;
  readonly requested: Promise<void>;
  abort(): void;
}

/** The first signal asks for an orderly end; later ones change nothing, since every step of it is bounded. */
function stopRequest(): StopRequest {
  const controller = new AbortController();
  const requested = new Promise<void>((resolve) => {
    controller.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  onStopSignal(() => controller.abort());
  // Nobody reads what it says any more (`npm start | head`): the servers must not be left behind for that.
  process.stdout.on('error', () => controller.abort());
  return { signal: controller.signal, requested, abort: () => controller.abort() };
}

function stackFile(secrets: Secrets, parts: StackParts, tenant: DemoTenant | null, stack: Stack): StackFile {
  return {
    edge_url: parts.edgeUrl,
    core_url: parts.coreUrl,
    database_url: parts.databaseUrl,
    databases: stack.databases(parts),
    kafka_brokers: parts.kafkaBrokers?.join(',') ?? null,
    redis_url: parts.redisUrl,
    api_key: tenant?.apiKey ?? null,
    admin_token: secrets.admin_token,
    program_id: tenant?.programId ?? null,
    merchant_id: tenant?.merchantId ?? null,
    wallet_ids: tenant?.walletIds ?? [],
    signing_key: secrets.signing_key,
    pids: stack.pids(),
    cores: stack.cores(),
  };
}

/** A sentence for the person; the stack of an error only where it is a bug. */
function explain(error: unknown): string {
  if (error instanceof StartError || error instanceof AbsentError) return error.message;
  return error instanceof Error ? (error.stack ?? messageOf(error)) : messageOf(error);
}

process.exitCode = await main();
// Everything has ended by now. A client's leftover timer must not keep the terminal waiting for it.
setTimeout(() => process.exit(), limits.leftoverMs).unref();
