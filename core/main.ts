/**
 * `node core/main.ts`: one process of core. Configuration comes by environment (config.ts); roles say what it does.
 *
 * - SIGTERM or SIGINT: a graceful stop. A second one ends the process at once.
 * - Exit codes: 0 stopped as asked; 1 something that was never to happen; 2 the configuration is wrong.
 */
import { type App, createApp } from './app.ts';
import { ConfigError, readConfig } from './config.ts';
import { limits } from './limits.ts';
import { createLog, type Log } from './platform/telemetry/index.ts';

const EXIT_FAILED = 1;
const EXIT_MISCONFIGURED = 2;

function main(): void {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  const app = createApp({
    config,
    log,
    fatal: (reason, error) => {
      log.error(reason, { error });
      end(app, log, EXIT_FAILED);
    },
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      log.info('asked to stop', { signal });
      end(app, log, 0);
    });
  }
  // The state of the process is unknown then: what is durable is in the database, the rest is not worth keeping.
  process.on('uncaughtException', (error) => {
    log.error('uncaught', { error });
    log.flush();
    process.exit(EXIT_FAILED);
  });
  app.start().catch((error: unknown) => {
    log.error('cannot start', { error });
    end(app, log, EXIT_FAILED);
  });
}

let isEnding = false;

function end(app: App, log: Log, exitCode: number): void {
  if (isEnding) process.exit(exitCode === 0 ? EXIT_FAILED : exitCode);
  isEnding = true;
  const exit = (code: number) => {
    log.flush();
    process.exit(code);
  };
  setTimeout(() => {
    log.error('the stop took too long');
    exit(EXIT_FAILED);
  }, limits.stopMs).unref();
  app.stop().then(
    () => exit(exitCode),
    (error: unknown) => {
      log.error('the stop failed', { error });
      exit(EXIT_FAILED);
    },
  );
}

try {
  main();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(`The configuration is wrong:\n${error.message}`);
  process.exitCode = EXIT_MISCONFIGURED;
}
