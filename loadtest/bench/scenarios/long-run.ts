/** One long run at full speed, check-points included: the worst second beside the mean. */
import { formatNumber, type Table } from '../../table.ts';
import { runLive } from '../load/live.ts';
import { single } from '../load/shape.ts';
import { mean, percentile, worstSecondRatio } from '../report/statistics.ts';
import { soundnessFaults, untilQuiet } from '../round.ts';
import type { Scenario } from './scenario.ts';
import { secondsOf, slowSeconds, watchMachine } from './seconds.ts';

/** Connections, caches and code warm up: what comes before does not count. */
const WARM_UP_SECONDS = 5;
const MINUTE_S = 60;

export const longRun: Scenario = async ({ cast, environment, settings, ours, longSeconds }) => {
  const side = await cast.ours(ours);
  const plan = { dir: environment.dir, workload: 'uniform', connections: settings.connections } as const;
  await untilQuiet(settings, side);
  await runLive(side, { ...plan, seconds: WARM_UP_SECONDS });
  await untilQuiet(settings, side);
  const before = (await side.countRows?.()) ?? 0;
  const { url: postgresUrl } = environment.postgres;
  const watch = watchMachine({ serverPid: side.pid, postgresPid: environment.postgresPid, postgresUrl });
  const running = runLive(side, { ...plan, seconds: longSeconds });
  const { ok, notOk, broken, handed, startedAtMs, perSecond } = await running.finally(() => watch.stop());
  const whole = perSecond.slice(0, -1);
  await untilQuiet(settings, side);
  const rows = ((await side.countRows?.()) ?? 0) - before;
  const outcome = { answers: ok + notOk, notOk, broken, handed, elapsedMs: 0, p50Ms: 0, p99Ms: 0, maxMs: 0, cpuS: 0 };
  const faults = soundnessFaults(single, outcome, rows, false);
  if (faults.length > 0) throw new Error(`${side.name}: ${faults.join('; ')}`);
  return {
    figures: [
      {
        name: `${side.name}: worst second ÷ mean of ${longSeconds} s`,
        goal: 0.7,
        values: [worstSecondRatio(perSecond)],
      },
    ],
    tables: [
      {
        title: `A run of ${longSeconds} s: earns of each second`,
        columns: ['side', 'mean', 'worst', '1st percentile', 'median', 'best'],
        rows: [
          [
            side.name,
            ...[
              mean(whole),
              Math.min(...whole),
              percentile(whole, 0.01),
              percentile(whole, 0.5),
              Math.max(...whole),
            ].map((value) => formatNumber(value)),
          ],
        ],
      },
      byMinute(whole),
      slowSeconds(secondsOf(watch.samples, startedAtMs, whole)),
    ],
    notes: [
      'In the long run requests are signed by a thread of the generator while it runs, which costs all of it speed.',
    ],
  };
};

/** Whether slow seconds come together, as check-points would have it, or one at a time. */
function byMinute(perSecond: readonly number[]): Table {
  const minutes = Array.from({ length: Math.ceil(perSecond.length / MINUTE_S) }, (_, minute) =>
    perSecond.slice(minute * MINUTE_S, (minute + 1) * MINUTE_S),
  );
  const worstSecondOf = (seconds: readonly number[]): number => seconds.indexOf(Math.min(...seconds));
  return {
    title: 'The same, by minute',
    columns: ['minute', 'mean', 'worst', 'in its second'],
    rows: minutes.map((seconds, minute) => [
      String(minute + 1),
      formatNumber(mean(seconds)),
      formatNumber(Math.min(...seconds)),
      String(worstSecondOf(seconds) + 1),
    ]),
  };
}
