/**
 * The audit of liability: each day of each program is the sum of the ledger's rows up to where they were summed, recomputed over
 * all of the ledger's databases, a day at a time. The day and the cuts are read in one statement, so that figures that grow
 * meanwhile are compared with as many rows as they are of.
 */
import type { Findings } from './findings.ts';
import type { AuditDatabases, Reader } from './places.ts';
import type { DayText } from './root.ts';

const figures = [
  'issued',
  'redeemed',
  'expired',
  'adjusted',
  'transferred',
  'reversed_issued',
  'reversed_redeemed',
  'reversed_adjusted',
] as const;
type Figures = Readonly<Record<(typeof figures)[number], string>> & { readonly transactions: number };
interface ProgramFigures extends Figures {
  readonly program_id: string;
}

const reportedDaysStatement = `select distinct day::text as day from liability_days where day >= $1::text::date`;
const ledgerDaysStatement = `
select distinct (occurred_at at time zone 'UTC')::date::text as day from transactions
where occurred_at >= $1::text::date::timestamp at time zone 'UTC'`;

const dayStatement = `
select (select coalesce(json_agg(json_build_array(database_id, writer_id, seq::text)), '[]') from liability_cuts) as cuts,
  d.program_id, d.transactions, ${figures.map((figure) => `d.${figure}::text as ${figure}`).join(', ')}
from (select 1) as always left join liability_days as d on d.day = $1::text::date
order by d.program_id`;

/** The other leg of a reversal says what it reversed. */
const legs = { issued: '01', redeemed: '02', transit: '05' } as const;
const leg = 'right(contra_account_id::text, 2)';
const conditions: Readonly<Record<(typeof figures)[number], string>> = {
  issued: `kind in ('earn', 'load')`,
  redeemed: `kind in ('burn', 'redeem', 'capture')`,
  expired: `kind = 'expire'`,
  adjusted: `kind = 'adjust'`,
  transferred: `kind in ('transfer_in', 'transfer_out') or kind = 'reverse' and ${leg} = '${legs.transit}'`,
  reversed_issued: `kind = 'reverse' and ${leg} = '${legs.issued}'`,
  reversed_redeemed: `kind = 'reverse' and ${leg} = '${legs.redeemed}'`,
  reversed_adjusted: `kind = 'reverse' and ${leg} not in ('${Object.values(legs).join("', '")}')`,
};
/** What leaves accounts there counts as positive. */
const outward: ReadonlySet<string> = new Set(['redeemed', 'expired']);

function sumOf(figure: (typeof figures)[number]): string {
  const sum = `coalesce(sum(delta) filter (where ${conditions[figure]}), 0)`;
  return `(${outward.has(figure) ? `-${sum}` : sum})::text as ${figure}`;
}

const sumsStatement = `
select program_id, sum(rows)::bigint as transactions, ${figures.map(sumOf).join(', ')}
from (
  select program_id, kind, contra_account_id, sum(balance_delta) as delta, count(*) as rows
  from transactions as t
    join unnest($2::text[], $3::text[]) as c(writer_id, seq)
      on t.seq >> 53 = c.writer_id::bigint and t.seq <= c.seq::bigint
  where occurred_at >= $1::text::date::timestamp at time zone 'UTC'
    and occurred_at < ($1::text::date + 1)::timestamp at time zone 'UTC'
  group by 1, 2, 3
) as grouped
group by program_id`;

type Cuts = readonly (readonly [databaseId: number, writerId: number, seq: string])[];
type DayRow = { readonly cuts: Cuts } & (ProgramFigures | { readonly program_id: null });

export interface LiabilityAuditPorts {
  /** The first database: the figures stand there. */
  readonly database: Reader;
  /** All of the ledger's. */
  readonly databases: AuditDatabases;
  readonly findings: Findings;
  /** Days before are believed; null: none. */
  readonly since: DayText | null;
}

export async function checkLiability({ database, databases, findings, since }: LiabilityAuditPorts): Promise<void> {
  findings.looked('liability', 0);
  const from = [since ?? '0001-01-01'];
  const days = new Set<DayText>();
  const asked = [database.read<{ day: DayText }>(reportedDaysStatement, from)];
  for (const ledger of databases.values()) asked.push(ledger.read<{ day: DayText }>(ledgerDaysStatement, from));
  for (const found of await Promise.all(asked)) for (const { day } of found) days.add(day);
  for (const day of [...days].sort()) await checkDay(day, { database, databases, findings, since });
}

async function checkDay(day: DayText, { database, databases, findings }: LiabilityAuditPorts): Promise<void> {
  const rows = await database.read<DayRow>(dayStatement, [day]);
  const cuts = rows[0]?.cuts ?? [];
  const expected = new Map<string, Figures>();
  for (const [id, ledger] of databases) {
    const own = cuts.filter(([databaseId]) => databaseId === id);
    const parameters = [day, own.map(([, writerId]) => String(writerId)), own.map(([, , seq]) => seq)];
    for (const sums of await ledger.read<ProgramFigures>(sumsStatement, parameters)) {
      expected.set(sums.program_id, added(expected.get(sums.program_id) ?? nothing, sums));
    }
  }
  for (const row of rows) {
    if (row.program_id === null) continue;
    compare(findings, day, row.program_id, expected.get(row.program_id) ?? nothing, row);
    expected.delete(row.program_id);
  }
  for (const [programId, sums] of expected) compare(findings, day, programId, sums, nothing);
}

function compare(findings: Findings, day: DayText, programId: string, expected: Figures, found: Figures): void {
  findings.looked('liability');
  for (const figure of ['transactions', ...figures] as const) {
    if (String(expected[figure]) === String(found[figure])) continue;
    const compared = { expected: expected[figure], found: found[figure] };
    findings.wrong('liability', { day }, `the liability of program ${programId}: ${figure}`, compared);
    return;
  }
}

const nothing = Object.fromEntries([['transactions', 0], ...figures.map((figure) => [figure, '0'])]) as Figures;

function added(one: Figures, other: Figures): Figures {
  const sums = figures.map((figure) => [figure, String(BigInt(one[figure]) + BigInt(other[figure]))]);
  return { ...Object.fromEntries(sums), transactions: one.transactions + other.transactions } as Figures;
}
