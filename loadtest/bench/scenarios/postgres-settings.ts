/**
 * What settings of Postgres give the commit lane, or take from it: a server per setting, the lane without HTTP in front of each, in turns.
 * One of them is there to be seen, not to be used: it shows what waiting for the disk costs.
 */
import { join } from 'node:path';
import { freePorts, type PostgresServer, startPostgres } from '@local-plus/deploy';
import { createDatabase } from '../environment.ts';
import { type Contestant, interleave, seriesOf } from '../interleave.ts';
import { single } from '../load/shape.ts';
import { ratesRatio } from '../report/figures.ts';
import type { Figure } from '../report/report.ts';
import { startInProcess } from '../sides/in-process.ts';
import type { Scenario, Stage } from './scenario.ts';

const AS_IT_IS = 'as the stack has it';

const trials: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  [AS_IT_IS]: {},
  'WAL level replica': { wal_level: 'replica' },
  'WAL not compressed': { wal_compression: 'off' },
  'WAL buffers of 64 MB': { wal_buffers: '64MB' },
  'shared buffers of 1 GB': { shared_buffers: '1GB' },
  'generic plans at once': { plan_cache_mode: 'force_generic_plan' },
  'no autovacuum': { autovacuum: 'off' },
  'no wait for the disk (loses answered writes)': { synchronous_commit: 'off' },
};

export const postgresSettings: Scenario = async (stage) => {
  const contestants: Contestant[] = [];
  for (const [name, settings] of Object.entries(trials)) contestants.push(await contestant(stage, name, settings));
  await interleave(stage.rounds, contestants, stage.settings);
  const series = seriesOf(contestants);
  const base = series.find(({ side }) => side === AS_IT_IS);
  if (base === undefined) throw new Error('every setting has something to be compared with');
  const others = series.filter((each) => each !== base);
  const figures = others.map((each): Figure => {
    return { name: `${each.side} ÷ ${AS_IT_IS}`, goal: null, values: ratesRatio(each, base) };
  });
  for (const { side } of contestants) {
    const faults = (await side.audit?.()) ?? [];
    if (faults.length > 0) throw new Error(`${side.name}: ${faults.join('; ')}`);
  }
  return { series, figures, notes: ['Settings of Postgres: the commit lane without HTTP, a server for each.'] };
};

async function contestant(
  { environment, settings }: Stage,
  name: string,
  own: Readonly<Record<string, string>>,
): Promise<Contestant> {
  const dir = join(environment.dir, name.replaceAll(/\W+/g, '-'));
  const [port = 0] = await freePorts(1);
  const server: PostgresServer = environment.keep(
    await startPostgres({ dataDir: join(dir, 'postgres'), port, settings: own }),
  );
  const surroundings = {
    ...environment.surroundings,
    dir,
    createDatabase: (database: string) => createDatabase(server.url, database),
  };
  const side = environment.keep(await startInProcess(surroundings, settings.connections));
  const plan = { workload: 'uniform', shape: single, expectedPerSecond: null } as const;
  return { side: { ...side, name }, label: 'uniform', plan, rounds: [], postgresPid: server.pid ?? 0 };
}
