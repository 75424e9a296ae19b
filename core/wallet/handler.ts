/**
 * Wire ↔ wallets: create, read.
 */
import {
  type AccountId,
  type ProgramId,
  parseId,
  uuidV7,
  type WalletId,
  walletAccount,
  type wallets,
} from '@local-plus/contracts';
import type { Batcher } from '../platform/batching/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  type Handlers,
  ProblemError,
  sees,
  settled,
} from '../platform/http/index.ts';
import type { Creation } from '../platform/postgres/index.ts';
import type { WalletDirectory } from './directory.ts';
import { type Balance, noBalance, type ProgramDirectory, statusOf } from './domain.ts';
import type { NewWallet, WalletRow } from './store.ts';

/** The ledger's word on an account. */
export interface WalletBalances {
  balance(accountId: AccountId): Promise<Balance>;
}

export interface HandlerPorts {
  readonly rows: Batcher<WalletId, WalletRow | null>;
  readonly creations: Batcher<NewWallet, Creation<WalletRow>>;
  readonly directory: WalletDirectory;
  readonly programs: ProgramDirectory;
  readonly balances: WalletBalances;
  readonly nowMs: () => number;
}

export function walletHandlers(ports: HandlerPorts): Handlers {
  return {
    'wallets.create': (request) => create(ports, request),
    'wallets.read': (request) => read(ports, request),
  };
}

async function create(ports: HandlerPorts, request: CoreRequest<'wallets.create'>): Promise<CoreAnswer> {
  const { program_id, customer_id = null, external_id = null } = request.body;
  const program = await ports.programs.find(program_id as ProgramId);
  if (program === null || !sees(request.context, program.merchantId)) throw new ProblemError('not_found');
  const outcome = await ports.creations.submit({
    key: creationKey(request, [program_id, customer_id, external_id]),
    row: {
      id: uuidV7<WalletId>(ports.nowMs()),
      merchant_id: program.merchantId,
      program_id: program.programId,
      unit: program.unit,
      customer_id,
      external_id,
    },
  });
  const { row, replayed } = settled(outcome, () => new ProblemError('external_id_taken'));
  ports.directory.learn(row.id, row, program);
  // As it was created, the first time and every time.
  return createdAnswer(walletJson({ ...row, status: 'active' }, noBalance), replayed);
}

async function read(ports: HandlerPorts, request: CoreRequest<'wallets.read'>): Promise<CoreAnswer> {
  const id = parseId<WalletId>(request.params[0] ?? '');
  const row = id === null ? null : await ports.rows.submit(id);
  if (row === null || !sees(request.context, row.merchant_id)) throw new ProblemError('not_found');
  return { status: 200, body: JSON.stringify(await shownWallet(row, ports.balances)) };
}

/** With the balance that it has now. */
export async function shownWallet(row: WalletRow, balances: WalletBalances): Promise<wallets.Wallet> {
  return walletJson(row, await balances.balance(walletAccount(row.id)));
}

function walletJson(row: WalletRow, ledger: Balance): wallets.Wallet {
  const { balance, held, version } = ledger;
  return {
    id: row.id,
    program_id: row.program_id,
    customer_id: row.customer_id,
    external_id: row.external_id,
    unit: row.unit,
    status: statusOf(row.status, ledger),
    balance,
    held,
    available: balance - held,
    version,
    created_at: row.created_at.toISOString(),
  };
}
