/**
 * The record of a run: one JSON line per write that a client sent, with what it was told. k6 writes it (k6/traffic.ts),
 * and so do our own clients (faults/).
 *
 * What the lines of one idempotency key say together is a {@link Claim}: what the ledger has to agree with (I3).
 * Keys are made of the run's name, a dot, and the rest.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { limits } from '../limits.ts';

const transaction = z.object({
  id: z.string(),
  wallet_id: z.string(),
  kind: z.string(),
  amount: z.int(),
  balance_after: z.int(),
  held_after: z.int(),
  version: z.int(),
  created_at: z.string(),
});
export type RecordedTransaction = z.infer<typeof transaction>;

const recordLine = z.object({
  key: z.string(),
  wallet_id: z.string(),
  kind: z.enum(['earn', 'burn']),
  amount: z.int(),
  /** 0: no answer at all. */
  status: z.int(),
  /** The client knew that it had an answer to this key already. */
  replay: z.boolean(),
  /** The body of a 201 or a 409, else null. */
  answer: z.unknown(),
});
export type RecordLine = z.infer<typeof recordLine>;

/** What a client may conclude from everything it was told about one key. */
export type Verdict =
  /** 201: it is in the ledger, once. */
  | 'posted'
  /** 409: it is not in the ledger, and never will be under this key. */
  | 'refused'
  /** Another 4xx: it was not executed. */
  | 'rejected'
  /** 5xx or no answer: in the ledger once, or not at all. */
  | 'unknown';

export interface Claim {
  readonly key: string;
  readonly walletId: string;
  readonly kind: 'earn' | 'burn';
  readonly amount: number;
  verdict: Verdict;
  /** One attempt got a 5xx or no answer: a later 4xx says nothing about that one. */
  mayHaveRun: boolean;
  transaction: RecordedTransaction | null;
  /** How often the ledger has it. */
  found: number;
}

export interface Claims {
  /** By {@link claimKey}. */
  readonly byKey: ReadonlyMap<string, Claim>;
  /** The names of the runs whose keys these are. */
  readonly runs: ReadonlySet<string>;
  readonly lines: number;
  /** Second and further answers to one key that were compared with the first. */
  readonly replays: number;
  /** Where the record contradicts itself, in words. */
  readonly contradictions: readonly string[];
}

export function claimKey(walletId: string, key: string): string {
  return `${walletId} ${key}`;
}

export function runOf(key: string): string {
  const end = key.indexOf('.');
  return end < 0 ? key : key.slice(0, end);
}

/** Reads a record line by line. Throws on a line that is not one. */
export async function readRecord(path: string, into: ClaimsBuilder = new ClaimsBuilder()): Promise<ClaimsBuilder> {
  const lines = createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY });
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line === '') continue;
    into.add(parseLine(line, `${path}:${number}`));
  }
  return into;
}

function parseLine(line: string, place: string): RecordLine {
  if (line.length > limits.recordLineCharsMax) throw new Error(`${place} is too long for a line of a record`);
  try {
    return recordLine.parse(JSON.parse(line));
  } catch (cause) {
    throw new Error(`${place} is not a line of a record: ${line.slice(0, 200)}`, { cause });
  }
}

/** Gathers what the lines of a key say. A claim that is posted or refused stays so; the opposite is a contradiction. */
export class ClaimsBuilder {
  readonly #byKey = new Map<string, Claim>();
  readonly #runs = new Set<string>();
  readonly #contradictions: string[] = [];
  #lines = 0;
  #replays = 0;

  add(line: RecordLine): void {
    this.#lines++;
    const id = claimKey(line.wallet_id, line.key);
    let claim = this.#byKey.get(id);
    if (claim === undefined) {
      if (this.#byKey.size >= limits.recordedKeysMax) {
        throw new Error(`a record may hold ${limits.recordedKeysMax} keys; reconcile shorter runs`);
      }
      const { key, wallet_id: walletId, kind, amount } = line;
      claim = { key, walletId, kind, amount, verdict: 'unknown', mayHaveRun: false, transaction: null, found: 0 };
      this.#byKey.set(id, claim);
      this.#runs.add(runOf(key));
    }
    this.#merge(claim, line);
  }

  build(): Claims {
    return {
      byKey: this.#byKey,
      runs: this.#runs,
      lines: this.#lines,
      replays: this.#replays,
      contradictions: this.#contradictions,
    };
  }

  #merge(claim: Claim, line: RecordLine): void {
    if (line.status === 201) this.#posted(claim, line);
    else if (line.status === 409) this.#refused(claim);
    else if (line.status === 0 || line.status >= 500) {
      claim.mayHaveRun = true;
      if (claim.verdict === 'rejected') claim.verdict = 'unknown';
    } else if (line.status >= 400 && claim.verdict === 'unknown' && !claim.mayHaveRun) {
      claim.verdict = 'rejected';
    }
  }

  #posted(claim: Claim, line: RecordLine): void {
    const answer = transaction.safeParse(line.answer);
    if (!answer.success) {
      this.#contradict(claim, 'was answered 201 with something that is not a transaction');
      return;
    }
    if (claim.verdict === 'refused') this.#contradict(claim, 'was answered 409 and then 201');
    if (claim.transaction !== null) {
      this.#replays++;
      const difference = differenceOf(claim.transaction, answer.data);
      if (difference !== null) this.#contradict(claim, `was answered twice, but differently: ${difference}`);
      return;
    }
    claim.verdict = 'posted';
    claim.transaction = answer.data;
  }

  #refused(claim: Claim): void {
    if (claim.verdict === 'posted') this.#contradict(claim, 'was answered 201 and then 409');
    else if (claim.verdict === 'refused') this.#replays++;
    else claim.verdict = 'refused';
  }

  #contradict(claim: Claim, what: string): void {
    this.#contradictions.push(`${claim.kind} ${claim.key} of wallet ${claim.walletId} ${what}`);
  }
}

/** The first member in which two transactions differ, in words; null: they are equal. */
export function differenceOf(one: RecordedTransaction, other: RecordedTransaction): string | null {
  for (const member of Object.keys(one) as (keyof RecordedTransaction)[]) {
    if (one[member] !== other[member]) return `${member} ${one[member]} and ${other[member]}`;
  }
  return null;
}
