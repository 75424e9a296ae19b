/**
 * How our programs are asked to end. One Ctrl-C may come several times: from the terminal, from npm, and from the bootstrap,
 * which all pass it on.
 */
const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type StopSignal = (typeof stopSignals)[number];

/**
 * Calls `heard` at the first of them. Later ones change nothing: a program that ended at the second would leave its servers
 * behind. Whoever listens bounds what it then does.
 */
export function onStopSignal(heard: (signal: StopSignal) => void): void {
  let isHeard = false;
  for (const signal of stopSignals) {
    process.on(signal, () => {
      if (isHeard) return;
      isHeard = true;
      heard(signal);
    });
  }
}
