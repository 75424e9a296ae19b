/**
 * Whether the database answers, and at which migration it stands: asked now and then, told at once.
 *
 * It has a connection of its own, so that a busy pool does not look like a database that is away.
 */
import { createDatabase, type DatabaseOptions } from './database.ts';

export interface ProbeReading {
  readonly ok: boolean;
  /** Plain words. */
  readonly reason: string;
}

export interface ProbeOptions extends Omit<DatabaseOptions, 'name' | 'connectionsMax' | 'statementMs'> {
  /** The answer has to come within. */
  readonly probeMs: number;
  readonly everyMs: number;
  /** The newest migration that this program knows. */
  readonly migration: number;
}

export interface Probe {
  reading(): ProbeReading;
  /** Resolves after the first look. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const statement = 'select max(version)::int as version from schemaversion';

export function createProbe(options: ProbeOptions): Probe {
  const { log, everyMs, migration } = options;
  const database = createDatabase({ ...options, name: 'core-probe', connectionsMax: 1, statementMs: options.probeMs });
  let reading: ProbeReading = { ok: false, reason: 'the database was not asked yet' };
  let timer: NodeJS.Timeout | null = null;
  let isStopped = false;

  async function look(): Promise<void> {
    const found = await database.read<{ version: number | null }>(statement).then(
      ([row]) => judge(row?.version ?? 0, migration),
      (error: unknown): ProbeReading => {
        log.debug('database probe failed', { error });
        return { ok: false, reason: reasonOf(error) };
      },
    );
    if (found.reason !== reading.reason) log.info('database', { ok: found.ok, reason: found.reason });
    reading = found;
    if (!isStopped) timer = setTimeout(look, everyMs);
  }

  return {
    reading: () => reading,
    start: look,
    async stop() {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
      await database.close(0);
    },
  };
}

/** A newer schema is fine: migrations come before the program, and old programs have to live with them for a while. */
function judge(version: number, migration: number): ProbeReading {
  if (version >= migration) return { ok: true, reason: `answers, migration ${version}` };
  return { ok: false, reason: `stands at migration ${version}, this program needs ${migration}` };
}

function reasonOf(error: unknown): string {
  const isMissing = error instanceof Error && Reflect.get(error, 'code') === '42P01';
  return isMissing ? 'has no schema: run the migration' : 'does not answer';
}
