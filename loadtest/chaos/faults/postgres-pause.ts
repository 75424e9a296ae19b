import { existsSync, readFileSync } from 'node:fs';
import type { Fault } from './fault.ts';

export const postgresPause: Fault = {
  name: 'postgres-pause',
  lane: 'around',
  weight: 1,
  does: 'SIGSTOP of Postgres with all its backends; then SIGCONT',
  leaves: 'unknown outcomes are found out; nobody is taken for dead because nobody could be heard',
  standsFor: 'a disk that hangs',
  forMs: [500, 6_000],
  async strike({ stage, pause }, { forMs }) {
    const { pid } = stage.postgres.server;
    if (pid === null) return;
    const pids = [pid, ...childrenOf(pid)];
    const signal = (name: NodeJS.Signals): void => {
      for (const each of pids) {
        try {
          process.kill(each, name);
        } catch (error) {
          // A backend may have ended meanwhile.
          if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
        }
      }
    };
    signal('SIGSTOP');
    try {
      await pause(forMs);
    } finally {
      signal('SIGCONT');
    }
    await stage.postgres.isBack();
  },
};

/** Where there is no /proc, only the postmaster is stopped: nobody new can connect. */
function childrenOf(pid: number): number[] {
  const path = `/proc/${pid}/task/${pid}/children`;
  return existsSync(path) ? readFileSync(path, 'utf8').split(' ').filter(Boolean).map(Number) : [];
}
