/**
 * I5 as a check over events and rows: every committed transaction is on both topics, per account in version order and
 * without gaps once equal deliveries are taken together. Pure; events first, in the order of their partition, then
 * every row of the ledger.
 *
 * Of an event only a 53-bit digest is kept, under its account and version: eight bytes a transaction.
 */
import { balanceEventId } from '@local-plus/contracts';
import { type CheckResult, type LedgerRow, Violations } from './checks.ts';

/** An event as far as it is judged. `content` is what has to agree with the ledger's row. */
export interface SeenEvent {
  readonly key: string;
  readonly accountId: string;
  readonly version: number;
  readonly content: string;
}

interface LedgerEvent {
  readonly event_id: string;
  readonly data: {
    readonly transaction_id: string;
    readonly account_id: string;
    readonly version: number;
    readonly kind: string;
    readonly amount: number;
    readonly balance_delta: number;
    readonly balance_after: number;
    readonly held_after: number;
  };
}

interface BalanceEvent {
  readonly event_id: string;
  readonly data: {
    readonly wallet_id: string;
    readonly version: number;
    readonly balance: number;
    readonly held: number;
    readonly available: number;
  };
}

export function ledgerEvent(key: string, event: LedgerEvent): SeenEvent {
  const { transaction_id, account_id, version, kind, amount, balance_delta, balance_after, held_after } = event.data;
  const content = [event.event_id, transaction_id, kind, amount, balance_delta, balance_after, held_after].join(' ');
  return { key, accountId: account_id, version, content };
}

export function ledgerEventOf(row: LedgerRow): string {
  const { transactionId: id, kind, amount, balanceDelta, balanceAfter, heldAfter } = row;
  return [id, id, kind, amount, balanceDelta, balanceAfter, heldAfter].join(' ');
}

export function balanceEvent(key: string, event: BalanceEvent): SeenEvent {
  const { wallet_id, version, balance, held, available } = event.data;
  return { key, accountId: wallet_id, version, content: [event.event_id, balance, held, available].join(' ') };
}

export function balanceEventOf(row: LedgerRow): string {
  const { transactionId, balanceAfter, heldAfter } = row;
  return [balanceEventId(transactionId), balanceAfter, heldAfter, balanceAfter - heldAfter].join(' ');
}

/** Stands where an event is missing between two others. */
const ABSENT = -1;

export class EventsCheck {
  readonly #topic: string;
  readonly #contentOf: (row: LedgerRow) => string;
  readonly #order: Violations;
  readonly #complete: Violations;
  /** Digests by account; version v stands at v − 1. */
  readonly #digests = new Map<string, number[]>();
  #duplicates = 0;
  #different = 0;
  #matched = 0;

  constructor(topic: string, contentOf: (row: LedgerRow) => string) {
    this.#topic = topic;
    this.#contentOf = contentOf;
    this.#order = new Violations(`I5 ${topic}: per account in version order, no gap`);
    this.#complete = new Violations(`I5 ${topic}: every transaction, as the ledger has it`);
  }

  /** Events that differ; a second delivery is none. */
  get different(): number {
    return this.#different;
  }

  /** Events that no row of the ledger accounted for. Known only after all rows. */
  get unaccounted(): number {
    return this.#different - this.#matched;
  }

  addEvent(event: SeenEvent): void {
    this.#order.looked++;
    const place = `account ${event.accountId} version ${event.version}`;
    if (event.key !== event.accountId) this.#order.add(`${place} has the key ${event.key}`);
    let digests = this.#digests.get(event.accountId);
    if (digests === undefined) {
      digests = [];
      this.#digests.set(event.accountId, digests);
    }
    const digest = digestOf(event.content);
    const known = digests[event.version - 1];
    if (known !== undefined && known !== ABSENT) {
      this.#duplicates++;
      if (known !== digest) this.#order.add(`${place} was published twice, but differently`);
      return;
    }
    this.#different++;
    if (known === ABSENT) this.#order.add(`${place} came after a later version`);
    else if (event.version !== digests.length + 1) {
      this.#order.add(`${place} came where version ${digests.length + 1} should`);
      while (digests.length < event.version - 1) digests.push(ABSENT);
    }
    digests[event.version - 1] = digest;
  }

  addRow(row: LedgerRow): void {
    this.#complete.looked++;
    const digest = this.#digests.get(row.accountId)?.[row.version - 1];
    if (digest === undefined || digest === ABSENT) {
      this.#complete.add(`account ${row.accountId} version ${row.version} is not on ${this.#topic}`);
      return;
    }
    this.#matched++;
    if (digest !== digestOf(this.#contentOf(row))) {
      this.#complete.add(`account ${row.accountId} version ${row.version} says something else than the ledger`);
    }
  }

  /** @param newRows transactions that were committed after the rows were read: their events may be here already */
  results(newRows: number): CheckResult[] {
    if (this.unaccounted > newRows) {
      this.#complete.add(`${this.unaccounted - newRows} events belong to no transaction of the ledger`);
    }
    return [this.#order.result(`${this.#duplicates} delivered again`), this.#complete.result()];
  }
}

/** cyrb53 (bryc, public domain): 53 bits, enough that two of ten million differ. */
function digestOf(text: string): number {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    high = Math.imul(high ^ code, 2_654_435_761);
    low = Math.imul(low ^ code, 1_597_334_677);
  }
  high = Math.imul(high ^ (high >>> 16), 2_246_822_507) ^ Math.imul(low ^ (low >>> 13), 3_266_489_909);
  low = Math.imul(low ^ (low >>> 16), 2_246_822_507) ^ Math.imul(high ^ (high >>> 13), 3_266_489_909);
  return 4_294_967_296 * (2_097_151 & low) + (high >>> 0);
}
