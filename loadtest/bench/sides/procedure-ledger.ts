/** The row-locking transaction as one stored procedure (procedure.sql): one round trip, so the lock is held for less. */
import { uuidV7 } from '@local-plus/contracts';
import {
  connect,
  type Posting,
  type RefusedFor,
  type RivalLedger,
  replayOf,
  requestHash,
  type TransactionColumns,
  wireOf,
} from './rival-ledger.ts';

interface ProcedureRow extends TransactionColumns {
  readonly outcome: 'posted' | 'known' | Extract<RefusedFor, 'not_found' | 'insufficient_funds'>;
}

export function openProcedureLedger(databaseUrl: string, connectionsMax: number): RivalLedger {
  const sql = connect(databaseUrl, 'procedure', connectionsMax);
  return {
    async post(posting: Posting) {
      const { accountId, kind, body, idempotencyKey, requestId } = posting;
      const asked = requestHash(posting);
      const nowMs = Date.now();
      const metadata = body.metadata === undefined ? null : sql.json(body.metadata);
      const [row] = await sql<ProcedureRow[]>`
        select * from post_transaction(${uuidV7<string>(nowMs)}, ${accountId}, ${kind}, ${body.amount}, ${idempotencyKey},
          ${asked}, ${requestId}, ${body.reference ?? null}, ${metadata}, ${new Date(nowMs)})`;
      if (row === undefined) throw new Error('the procedure returned nothing');
      if (row.outcome === 'posted') return { type: 'posted', replayed: false, transaction: wireOf(posting, row) };
      return row.outcome === 'known' ? replayOf(posting, row, asked) : { type: 'refused', code: row.outcome };
    },
    close: () => sql.end({ timeout: 5 }),
  };
}
