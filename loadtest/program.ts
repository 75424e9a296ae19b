/** How the programs of this folder end: with what exit code, by a signal, and never before their parts. */
import { onStopSignal } from '@local-plus/deploy';
import { LoadError, printFailure } from './stack.ts';

const EXIT_FAILED = 1;
const EXIT_NOT_RUN = 2;
const EXIT_BY_SIGNAL = 130;

/** Aborted by a signal, or by an error that nobody has caught: whatever it is, the parts are ended before the process is. */
export function stopBySignals(): AbortController {
  const stop = new AbortController();
  onStopSignal((signal) => stop.abort(new LoadError(`Stopped by ${signal}.`)));
  process.on('unhandledRejection', (error) => stop.abort(error));
  return stop;
}

/** The process ends with the exit code, or with {@link EXIT_NOT_RUN} and the reason. */
export function endAsProgram(running: Promise<number>): void {
  running.then(
    (exitCode) => {
      process.exitCode = exitCode;
    },
    (error: unknown) => {
      // What was waited for has ended early; why, its cause tells.
      printFailure(error instanceof Error && error.name === 'AbortError' ? (error.cause ?? error) : error);
      process.exitCode = EXIT_NOT_RUN;
    },
  );
}

/** Something that was started and has to be stopped. */
export interface Stoppable {
  stop(): unknown;
}

/** The last one first; the list is empty afterwards. */
export async function stopAll(started: Stoppable[]): Promise<void> {
  for (let part = started.pop(); part !== undefined; part = started.pop()) await part.stop();
}

/**
 * Does the work; then, whatever has become of it, stops what was started, the last one first. A failure is printed, and so is the
 * signal that ended it.
 *
 * @param work adds what it starts to `started`
 * @param finished called when the work was done and everything has stopped
 */
export function runWithParts<Result>(
  work: (started: Stoppable[]) => Promise<Result>,
  finished: (result: Result) => void = () => undefined,
): void {
  const started: Stoppable[] = [];
  const fail = async (failure: unknown): Promise<void> => {
    printFailure(failure);
    process.exitCode = EXIT_FAILED;
    await stopAll(started);
  };
  onStopSignal((signal) => {
    fail(new LoadError(`Stopped by ${signal}.`)).then(
      () => process.exit(EXIT_BY_SIGNAL),
      (error: unknown) => {
        console.error(error);
        process.exit(EXIT_FAILED);
      },
    );
  });
  const main = async (): Promise<void> => {
    const result = await work(started);
    await stopAll(started);
    finished(result);
  };
  main().catch(fail);
}
