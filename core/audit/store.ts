/** Reads of the table `audit_entries`; what writes it stands in the statements of others (index.ts). SQL only. */
import type { Database } from '../platform/postgres/index.ts';

export interface EntryRow {
  readonly place: number;
  /** The text that was hashed. */
  readonly entry: string;
  /** Lower-case hex. */
  readonly hash: string;
}

export interface EntryFilter {
  readonly action: string | null;
  readonly targetId: string | null;
  /** RFC 3339, UTC, milliseconds: as in the entries, so that they compare as texts. */
  readonly from: string | null;
  readonly to: string | null;
}

const columns = `place, entry::text as entry, encode(hash, 'hex') as hash`;
const page = `select ${columns} from audit_entries
  where trail = $1::uuid and place < $2::bigint
    and ($4::text is null or entry ->> 'action' = $4) and ($5::text is null or entry #>> '{target,id}' = $5)
    and ($6::text is null or entry ->> 'at' >= $6) and ($7::text is null or entry ->> 'at' < $7)
  order by place desc limit $3::bigint`;
const after = `select ${columns} from audit_entries where trail = $1::uuid and place > $2::bigint
  order by place limit $3::bigint`;
const one = `select ${columns} from audit_entries where trail = $1::uuid and place = $2::bigint`;

export class AuditStore {
  readonly #database: Pick<Database, 'read'>;

  constructor(database: Pick<Database, 'read'>) {
    this.#database = database;
  }

  /** Newest first, before a place. */
  entries(trail: string, filter: EntryFilter, before: number | null, rowsMax: number): Promise<readonly EntryRow[]> {
    const { action, targetId, from, to } = filter;
    const beforePlace = String(before ?? Number.MAX_SAFE_INTEGER);
    return this.#database.read<EntryRow>(page, [trail, beforePlace, String(rowsMax), action, targetId, from, to]);
  }

  /** Oldest first. */
  after(trail: string, place: number, rowsMax: number): Promise<readonly EntryRow[]> {
    return this.#database.read<EntryRow>(after, [trail, String(place), String(rowsMax)]);
  }

  async entry(trail: string, place: number): Promise<EntryRow | null> {
    return (await this.#database.read<EntryRow>(one, [trail, String(place)]))[0] ?? null;
  }
}
