/**
 * The codes of gift cards, and their PINs. Owner of `giftcard_codes` and `giftcard_pin_unlocks`.
 *
 * Whose a code is can be asked only with the code in hand: the table has keyed hashes, and the keys (`GIFTCARD_CODE_KEYS`) are
 * core's configuration. Without a key core starts all the same, because points go on; what needs a code is refused with
 * `giftcard_codes_not_configured`, and the log says so.
 */
import type { SigningKey } from '@local-plus/contracts';
import { type Handlers, ProblemError } from '../../platform/http/index.ts';
import type { Database } from '../../platform/postgres/index.ts';
import type { Log, Metrics } from '../../platform/telemetry/index.ts';
import { Book } from './book.ts';
import { Failures } from './failures.ts';
import { type CardReader, codeHandlers, type LookUpEnd } from './handler.ts';
import { Pepper } from './pepper.ts';
import type { CodeBook } from './ports.ts';
import { SlowHash } from './slow-hash.ts';
import { CodeStore } from './store.ts';

export type { CardFacts, CardReader } from './handler.ts';
export { codeLimits } from './limits.ts';
export type { AssignedCode, CodeBook, CodeRequest, DrawnCode, DrawnCodes, FoundCode } from './ports.ts';
export { keptCodes } from './store.ts';

export interface CodesOptions {
  readonly database: Pick<Database, 'read' | 'write'>;
  /** The first for new codes, all for old ones. Empty: this core has no codes. */
  readonly keys: readonly SigningKey[];
  readonly cards: CardReader;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface CodesModule {
  readonly handlers: Handlers;
  readonly book: CodeBook;
  /** Whether there is a key. */
  readonly isConfigured: boolean;
  /** Says in the log which keys are in use, and which of them are missing. Never rejects. */
  start(): Promise<void>;
}

export function createCodesModule({ database, keys, cards, log, metrics }: CodesOptions): CodesModule {
  const store = new CodeStore(database);
  const [first, ...older] = keys;
  if (first === undefined) return withoutKeys(store, log);
  const pepper = new Pepper([first, ...older]);
  const slowHash = new SlowHash();
  const book = new Book({ store, pepper, slowHash, log });
  const ends = new Map<LookUpEnd, number>();
  metrics.counter('giftcard_lookups_total', 'Look-ups of gift cards by code, by how they ended.', () =>
    [...ends].map(([end, value]) => ({ labels: { end }, value })),
  );
  metrics.counter('giftcard_pin_hashes_total', 'Slow hashes of PINs that were made.', () => [
    { value: slowHash.computed },
  ]);
  metrics.gauge('giftcard_pin_hashes_waiting', 'PINs that wait for their slow hash.', () => [
    { value: slowHash.waiting },
  ]);
  return {
    handlers: codeHandlers({
      book,
      store,
      cards,
      failures: new Failures(() => performance.now()),
      nowMs: Date.now,
      count: (end) => void ends.set(end, (ends.get(end) ?? 0) + 1),
    }),
    book,
    isConfigured: true,
    start: () => reportKeys(store, pepper.keyIds, log),
  };
}

function withoutKeys(store: CodeStore, log: Log): CodesModule {
  const refuse = () => Promise.reject(new ProblemError('giftcard_codes_not_configured'));
  const refused = () => refuse();
  return {
    handlers: { 'giftcards.lookup': refused, 'giftcard_codes.unlock_pin': refused },
    book: { assign: refuse, draw: refuse, lastFours: refuse, find: refuse, welcome: refuse },
    isConfigured: false,
    start() {
      log.warn('GIFTCARD_CODE_KEYS is not set: gift cards can be neither issued nor looked up by code');
      return reportKeys(store, [], log);
    },
  };
}

/** A key that is missing makes its cards' codes unreadable: nobody can hash them anew without the codes. */
async function reportKeys(store: CodeStore, configured: readonly string[], log: Log): Promise<void> {
  try {
    const used = await store.keyIds();
    const missing = used.filter((keyId) => !configured.includes(keyId));
    const told = { used, unused: configured.filter((keyId) => !used.includes(keyId)), missing };
    if (missing.length > 0) log.error('codes of gift cards are kept under keys that are not configured', told);
    else log.info('keys of the codes of gift cards', told);
  } catch (error) {
    log.warn('it is not known under which keys the codes of gift cards are kept', { error });
  }
}
