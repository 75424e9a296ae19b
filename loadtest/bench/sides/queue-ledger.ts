/**
 * A queue per wallet in the process, and one transaction per command: actors without group commit.
 *
 * The state of an account is in memory, only this process writes, and commands of one account come one after the other:
 * so nothing is read before the write, and nobody waits for a lock. The write still asks for the version: a second process
 * would make it fail, and the state is read again.
 */
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

/** Commands that wait for one account; one more is refused as overloaded. */
const WAITING_MAX = 2_000;
/** Accounts in memory. */
const ACCOUNTS_MAX = 200_000;
/** The state was stale: read again, so often. */
const READS_MAX = 3;

interface Wallet {
  /** null: not known, or not any more. */
  state: AccountColumns | null;
  waiting: number;
  /** The end of the queue. */
  tail: Promise<unknown>;
}

export function openQueueLedger(databaseUrl: string, connectionsMax: number): RivalLedger {
  const sql = connect(databaseUrl, 'queue', connectionsMax);
  const wallets = new Map<string, Wallet>();
  return {
    post(posting) {
      const wallet = walletOf(wallets, posting.accountId);
      if (wallet === null || wallet.waiting >= WAITING_MAX) {
        return Promise.resolve({ type: 'refused', code: 'overloaded' });
      }
      wallet.waiting++;
      const answer = wallet.tail.then(() => postNext(sql, wallet, posting));
      // Whoever asked learns of the failure; the queue goes on with a state that is read again.
      wallet.tail = answer.then(
        () => void wallet.waiting--,
        () => {
          wallet.state = null;
          wallet.waiting--;
        },
      );
      return answer;
    },
    close: () => sql.end({ timeout: 5 }),
  };
}

/** null: all accounts in memory are busy. */
function walletOf(wallets: Map<string, Wallet>, accountId: string): Wallet | null {
  const known = wallets.get(accountId);
  if (known !== undefined) return known;
  if (wallets.size >= ACCOUNTS_MAX) {
    const idle = idleOf(wallets);
    if (idle === null) return null;
    wallets.delete(idle);
  }
  const wallet: Wallet = { state: null, waiting: 0, tail: Promise.resolve() };
  wallets.set(accountId, wallet);
  return wallet;
}

function idleOf(wallets: ReadonlyMap<string, Wallet>): string | null {
  for (const [accountId, { waiting }] of wallets) if (waiting === 0) return accountId;
  return null;
}

async function postNext(sql: Sql, wallet: Wallet, posting: Posting): Promise<Answer> {
  const asked = requestHash(posting);
  for (let reads = 0; reads < READS_MAX; reads++) {
    wallet.state ??= await load(sql, posting.accountId);
    const { state } = wallet;
    if (state === null) return { type: 'refused', code: 'not_found' };
    if (state.balance + deltaOf(posting) - state.held < 0) return await refusedOrKnown(sql, posting, asked);
    const { written, known } = await writeChecked(sql, posting, state, asked);
    if (known !== null) return replayOf(posting, known, asked);
    if (written !== null) {
      wallet.state = { ...state, version: written.version, balance: written.balance_after };
      return { type: 'posted', replayed: false, transaction: wireOf(posting, written) };
    }
    wallet.state = null;
  }
  return { type: 'refused', code: 'overloaded' };
}

async function load(sql: Sql, accountId: string): Promise<AccountColumns | null> {
  const [row] = await sql<AccountColumns[]>`
    select program_id, balance, held, version from accounts where id = ${accountId}`;
  return row ?? null;
}

/** What cannot be paid now may have been paid before. */
async function refusedOrKnown(sql: Sql, posting: Posting, asked: Buffer): Promise<Answer> {
  const [known] = await sql<TransactionColumns[]>`
    select id, version, balance_after, held_after, request_hash, created_at
    from transactions where account_id = ${posting.accountId} and idempotency_key = ${posting.idempotencyKey}`;
  return known === undefined ? { type: 'refused', code: 'insufficient_funds' } : replayOf(posting, known, asked);
}
