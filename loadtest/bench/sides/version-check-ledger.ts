/**
 * Optimistic: the account and the key are read without a lock, the write asks for the version that was read, and whoever
 * came too late tries again, after a random pause that grows. As many attempts run at once as there are connections, so that
 * nobody waits between its reading and its writing. Bounded in number and time: then it is refused (429).
 */
import { setTimeout as pause } from 'node:timers/promises';
import { writeChecked } from './checked-write.ts';
import {
  type AccountColumns,
  type Answer,
  connect,
  deltaOf,
  type Posting,
  type RivalLedger,
  replayOf,
  requestHash,
  type Sql,
  type TransactionColumns,
  wireOf,
} from './rival-ledger.ts';

/** Of one request, and how long they may take together: less than a client's patience. */
const ATTEMPTS_MAX = 64;
const GIVE_UP_MS = 5_000;
/** Full jitter: between nothing and a time that doubles up to the maximum, so that a crowd spreads out. */
const PAUSE_MS_MIN = 2;
const PAUSE_MS_MAX = 256;

interface ReadRow extends AccountColumns {
  readonly known: TransactionText | null;
}

/** A row as JSON. */
interface TransactionText extends Omit<TransactionColumns, 'request_hash' | 'created_at'> {
  readonly request_hash: string;
  readonly created_at: string;
}

export function openVersionCheckLedger(databaseUrl: string, connectionsMax: number): RivalLedger {
  const sql = connect(databaseUrl, 'version-check', connectionsMax);
  const gate = new Gate(connectionsMax);
  return {
    async post(posting) {
      const asked = requestHash(posting);
      const endMs = performance.now() + GIVE_UP_MS;
      for (let attempt = 0; attempt < ATTEMPTS_MAX && performance.now() < endMs; attempt++) {
        const answer = await gate.pass(() => tryOnce(sql, posting, asked));
        if (answer !== null) return answer;
        await pause(Math.random() * Math.min(PAUSE_MS_MIN * 2 ** attempt, PAUSE_MS_MAX));
      }
      return { type: 'refused', code: 'overloaded' };
    },
    close: () => sql.end({ timeout: 5 }),
  };
}

/** Lets so many through at a time; the others wait in the order of their coming. */
class Gate {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(places: number) {
    this.#free = places;
  }

  async pass<Result>(run: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await run();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

/** null: another request was quicker. */
async function tryOnce(sql: Sql, posting: Posting, asked: Buffer): Promise<Answer | null> {
  const { accountId, idempotencyKey } = posting;
  const [account] = await sql<ReadRow[]>`
    select a.program_id, a.balance, a.held, a.version, (
      select json_build_object('id', id, 'version', version, 'balance_after', balance_after, 'held_after', held_after,
        'request_hash', encode(request_hash, 'hex'), 'created_at', created_at)
      from transactions where account_id = a.id and idempotency_key = ${idempotencyKey}
    ) as known
    from accounts as a where a.id = ${accountId}`;
  if (account === undefined) return { type: 'refused', code: 'not_found' };
  if (account.known !== null) return replayOf(posting, columnsOf(account.known), asked);
  if (account.balance + deltaOf(posting) - account.held < 0) return { type: 'refused', code: 'insufficient_funds' };
  const { written, known } = await writeChecked(sql, posting, account, asked);
  if (known !== null) return replayOf(posting, known, asked);
  return written === null ? null : { type: 'posted', replayed: false, transaction: wireOf(posting, written) };
}

function columnsOf(text: TransactionText): TransactionColumns {
  return {
    ...text,
    request_hash: Buffer.from(text.request_hash, 'hex'),
    created_at: new Date(text.created_at),
  };
}
