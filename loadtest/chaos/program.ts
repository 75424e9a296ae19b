/** What the programs of the suite have in common: how they are ended, and with what. */
import { onStopSignal } from '@local-plus/deploy';
import { LoadError, printFailure } from '../stack.ts';

const EXIT_NOT_RUN = 2;

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
