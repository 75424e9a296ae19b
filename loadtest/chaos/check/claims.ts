/** What all calls of one key say together. Pure. */
import { type Call, endOf, type Outcome, startOf, type WriteOperation } from '../history.ts';

/** The kind of the row that a success leaves in the ledger. */
export const kindOf: Readonly<Record<WriteOperation, string>> = {
  earn: 'earn',
  burn: 'burn',
  transfer: 'transfer_out',
  hold: 'hold',
  capture: 'capture',
  release: 'release',
  reverse: 'reverse',
};

export interface Claim {
  readonly operation: WriteOperation;
  readonly key: string;
  readonly walletId: string;
  readonly toWalletId: string | null;
  readonly amount: number | null;
  readonly calls: readonly Call[];
  readonly outcome: Outcome;
  /** Before this nothing of it can be there. */
  readonly startMs: number;
  /** From here on somebody knows that it is; infinite: nobody does. */
  readonly endMs: number;
  /** It was told once so and once otherwise. */
  readonly contradiction: string | null;
}

export function claimsOf(calls: readonly Call[]): Claim[] {
  const byKey = new Map<string, Call[]>();
  for (const call of calls) {
    if (call.operation === 'balance') continue;
    const known = byKey.get(call.key);
    if (known === undefined) byKey.set(call.key, [call]);
    else known.push(call);
  }
  return [...byKey.values()].map(claimOf);
}

export function nameOf({ operation, key, walletId }: Pick<Claim, 'operation' | 'key' | 'walletId'>): string {
  return `${operation} ${key} of wallet ${walletId}`;
}

function claimOf(calls: readonly Call[]): Claim {
  const [first] = calls as readonly [Call, ...Call[]];
  const outcome = outcomeOf(calls);
  return {
    operation: first.operation as WriteOperation,
    key: first.key,
    walletId: first.walletId,
    toWalletId: first.toWalletId,
    amount: first.amount,
    calls,
    outcome,
    startMs: Math.min(...calls.map(startOf)),
    endMs: Math.min(...calls.filter((call) => call.outcome === outcome).map(endOf)),
    contradiction: contradictionOf(calls),
  };
}

/** A rejection says nothing about another attempt whose end is unknown. */
function outcomeOf(calls: readonly Call[]): Outcome {
  for (const outcome of ['ok', 'refused', 'unknown'] as const) {
    if (calls.some((call) => call.outcome === outcome)) return outcome;
  }
  return 'rejected';
}

function contradictionOf(calls: readonly Call[]): string | null {
  const told = calls.filter(({ outcome }) => outcome === 'ok' || outcome === 'refused');
  const [first] = told;
  if (first === undefined) return null;
  const text = JSON.stringify(first.answer);
  const other = told.find(({ outcome, answer }) => outcome !== first.outcome || JSON.stringify(answer) !== text);
  if (other === undefined) return null;
  return `was told ${first.outcome} ${text} and then ${other.outcome} ${JSON.stringify(other.answer)}`;
}
