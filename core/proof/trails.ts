/**
 * The audit of the audit trails: each is a chain from its first entry on, of whichever day. They stand in the first database. The
 * newest entries of a trail can be cut off unseen.
 */
import { type Reached, walk } from '../audit/index.ts';
import type { Findings } from './findings.ts';
import type { Reader } from './places.ts';

/** The trails by their ids, one after the other. */
const pageStatement = `
select trail, place, entry::text as entry, encode(hash, 'hex') as hash from audit_entries
where $1::uuid is null or (trail, place) > ($1::uuid, $2::text::bigint)
order by trail, audit_entries.place limit $3::int`;

interface TrailRow {
  readonly trail: string;
  readonly place: number;
  readonly entry: string;
  readonly hash: string;
}

const beginning: Reached = { place: 0, hash: null };

export async function checkTrails(database: Reader, findings: Findings, pageRows: number): Promise<void> {
  findings.looked('trails', 0);
  let last: TrailRow | undefined;
  let reached = beginning;
  /** Of which nothing more is said: what follows a fault says nothing of itself. */
  let brokenTrail: string | null = null;
  for (;;) {
    const parameters = [last?.trail ?? null, String(last?.place ?? 0), pageRows];
    const page = await database.read<TrailRow>(pageStatement, parameters);
    findings.looked('trails', page.length);
    for (const [trail, rows] of Map.groupBy(page, (row) => row.trail)) {
      if (trail === brokenTrail) continue;
      const walked = walk(trail, trail === last?.trail ? reached : beginning, rows);
      reached = walked.reached;
      if (walked.broken === null) continue;
      brokenTrail = trail;
      const { place, fault } = walked.broken;
      const what = fault === 'missing' ? 'is missing' : 'is not what was hashed';
      findings.wrong('trails', {}, `entry ${place} of the audit trail of ${trail} ${what}`);
    }
    last = page.at(-1);
    if (page.length < pageRows) return;
  }
}
