/**
 * Sees each statement as it is executed, which no process can, and holds it against the invariants, with a fence and
 * accounts of its own; the first violation ends the history.
 *
 * I1 and I2 by the books (book.ts), at every committed row; I3: each key once, and nothing of which was said that it did
 * not happen; I7 at every commit; I5, as far as the runtime goes, at every announcement. What the processes answer
 * and show is looked at in answers.ts.
 */
import { type AccountId, type RequestId, transactionId } from '@local-plus/contracts';
import { chainText } from '../account/chain.ts';
import type { AccountRecord, Command } from '../account/model.ts';
import type {
  Batch,
  CommittedBatch,
  PostedRow,
  RefusedRow,
  RequestFacts,
  StoredOutcome,
  StoredTransaction,
} from '../ports.ts';
import { Book } from './book.ts';
import { type Core, WRITER_ID } from './core.ts';
import type { Attempt } from './operations.ts';
import type { World } from './world.ts';

export class Judge {
  readonly #world: World;
  readonly #books = new Map<AccountId, Book>();
  readonly #attempts: Attempt[] = [];
  readonly #batches: Batch[] = [];
  readonly #sent = new Set<Batch>();
  /** Of each text that a link was made of, the link; and by the link's number, the text. */
  readonly #links = new Map<string, string>();
  readonly #texts: string[] = [];
  readonly #sentLast = new Map<Core, Batch>();
  /** The batch that each core announced last; absent: none since its claim. */
  readonly #announced = new Map<Core, number>();
  /** Keys under which a poisoned request was asked. */
  readonly #poisoned = new Set<string>();
  /** The fence, again. */
  #epoch = 0;
  #owner: Core | null = null;
  /** How often the owner changed. */
  reigns = 0;
  postings = 0;

  constructor(world: World) {
    this.#world = world;
  }

  get owner(): Core | null {
    return this.#owner;
  }

  /** It owns the writer and knows it: what it shows is the newest there is. */
  isReigning(core: Core): boolean {
    return core === this.#owner && core.runtime.status.epoch === this.#epoch;
  }

  get batchesTotal(): number {
    return this.#batches.length;
  }

  book(accountId: AccountId): Book {
    let book = this.#books.get(accountId);
    if (book === undefined) {
      book = new Book(accountId);
      this.#books.set(accountId, book);
    }
    return book;
  }

  get books(): Iterable<Book> {
    return this.#books.values();
  }

  /**
   * The processes' digest: texts are numbered as they come, so that equal texts have equal links and others never:
   * what SHA-256 tells apart, this does too, in as many characters.
   */
  digest(text: string): string {
    let link = this.#links.get(text);
    if (link === undefined) {
      link = String(this.#texts.push(text) - 1).padStart(64, '0');
      this.#links.set(text, link);
    }
    return link;
  }

  /** The key's outcome, if the ledger has one. */
  settled(accountId: AccountId, key: string): StoredOutcome | undefined {
    return this.book(accountId).outcomes.get(key);
  }

  asked(attempt: Attempt): void {
    this.#attempts.push(attempt);
    const { mayFail, parts } = attempt.operation;
    if (mayFail) this.#poisoned.add(`${parts[0].accountId} ${parts[0].key}`);
  }

  /**
   * Whether `failed` can be the answer: to what the store refuses, to what waited for such a one with the same key; and to
   * the reversal of what a superseded process has not heard of.
   */
  mayFail({ operation, core }: Attempt): boolean {
    const [first] = operation.parts;
    if (this.#poisoned.has(`${first.accountId} ${first.key}`)) return true;
    return !this.isReigning(core) && first.command.kind === 'reverse';
  }

  claimed(core: Core, position: { readonly epoch: number; readonly batch: number }): void {
    this.#epoch++;
    if (this.#owner !== core) this.reigns++;
    this.#owner = core;
    const { epoch, batch } = position;
    if (epoch !== this.#epoch || batch !== this.#batches.length) {
      this.#world.violate(
        'I7',
        `${core.name} claimed epoch ${epoch}, batch ${batch}: should be ${this.#epoch}, ${this.#batches.length}`,
      );
    }
  }

  /** Its runtime has started: what it announces begins after the last batch that it heard of. */
  started(core: Core): void {
    this.#announced.set(core, core.runtime.status.batch);
  }

  raised(core: Core, heldEpoch: number, position: { readonly epoch: number } | null): void {
    const isHeld = heldEpoch === this.#epoch;
    if (isHeld) {
      this.#epoch++;
      this.#world.meet('epoch raised');
    }
    if ((position?.epoch ?? null) !== (isHeld ? this.#epoch : null)) {
      this.#world.violate(
        'I7',
        `${core.name} raised epoch ${heldEpoch} to ${position?.epoch}, the fence stands at ${this.#epoch}`,
      );
    }
  }

  /** A command past its deadline never executes: what a batch is made of was in time when it was sent first. */
  sent(core: Core, batch: Batch): void {
    if (this.#sent.has(batch)) return;
    this.#sent.add(batch);
    this.#sentLast.set(core, batch);
    if (batch.batch > this.#batches.length + 1 && this.isReigning(core)) this.#world.meet('two batches in the air');
    for (const { facts } of batch.posted) this.#inTime(core, facts);
    for (const { facts } of batch.refused) this.#inTime(core, facts);
  }

  #inTime(core: Core, { requestId }: RequestFacts): void {
    const attempt = this.#attemptOf(requestId);
    if (attempt === undefined) this.#world.violate('I3', `${core.name} sends what nobody asked for`);
    else if (attempt.deadlineMs <= this.#world.nowMs) {
      this.#world.violate('I3', `operation ${attempt.operation.number} is decided after its deadline`);
    }
  }

  /** @param applied what the ledger said */
  committed(core: Core, batch: Batch, applied: boolean): void {
    const fits = batch.epoch === this.#epoch && batch.batch === this.#batches.length + 1;
    const what = `batch ${batch.batch} of epoch ${batch.epoch} by ${core.name}`;
    if (applied !== fits) {
      const fence = `the fence stands at ${this.#epoch}, ${this.#batches.length}`;
      return this.#world.violate('I7', `${what} was ${applied ? '' : 'not '}applied, ${fence}`);
    }
    if (!applied) {
      const isApplied = this.#batches[batch.batch - 1] === batch;
      return this.#world.meet(isApplied ? 'found applied when sent again' : 'commit fenced off');
    }
    if (core !== this.#owner)
      return this.#world.violate('I7', `${what} was applied, the owner is ${this.#owner?.name}`);
    this.#batches.push(batch);
    this.#enter(batch);
  }

  /** @param why the constraints are the second lock: a batch that needs them was decided on something untrue */
  refused(core: Core, batch: Batch, why: string, isExpected: boolean): void {
    this.#world.meet('batch refused');
    const last = this.#sentLast.get(core);
    if (last?.epoch === batch.epoch && last.batch === batch.batch + 1) {
      this.#world.meet('batch refused with a successor in the air');
    }
    if (!isExpected) this.#world.violate('I3', `batch ${batch.batch} of ${core.name} was refused: ${why}`);
  }

  restored(record: AccountRecord | null): void {
    if (record === null || record.tail.length === 0) return;
    this.#world.meet('account restored through a tail');
    if (typeof record.base === 'string') this.#world.meet('account restored from a checkpoint');
  }

  /** Exactly what was committed, whole and in order, since the core's claim. */
  announced(core: Core, { batch, posted }: CommittedBatch): void {
    const last = this.#announced.get(core) ?? 0;
    const committed = this.#batches[batch - 1];
    this.#announced.set(core, batch);
    if (batch !== last + 1) this.#world.violate('I5', `${core.name} announces batch ${batch} after ${last}`);
    else if (committed === undefined)
      this.#world.violate('I4', `${core.name} announces batch ${batch} before its commit`);
    else if (committed.posted !== posted && !sameRows(committed.posted, posted)) {
      this.#world.violate('I5', `${core.name} announces another batch ${batch} than was committed`);
    }
  }

  announcedBy(core: Core): number {
    return this.#announced.get(core) ?? 0;
  }

  /** The batch is on disk: its rows go into the books, its refusals are looked at in the state that they name. */
  #enter(batch: Batch): void {
    let refusals = batch.refused;
    const lookAtRefusals = (): void => {
      if (refusals.length > 0) refusals = refusals.filter((row) => !this.#refusalFits(row));
    };
    lookAtRefusals();
    for (let place = 0; place < batch.posted.length; place++) {
      this.#post(batch.posted[place] as PostedRow, batch.batch, place);
      lookAtRefusals();
    }
    for (const row of refusals) {
      this.#world.violate(
        'I4',
        `key ${row.facts.idempotencyKey} was refused in version ${row.version}, which never was`,
      );
    }
    for (const row of batch.refused) this.#settle({ ...row, type: 'refused' });
  }

  #post(row: PostedRow, batch: number, place: number): void {
    const { facts, posting } = row;
    const id = transactionId(posting.occurredAtMs, { writerId: WRITER_ID, batch, place });
    const stored: StoredTransaction = { ...row, type: 'posted', transactionId: id };
    const command = this.#commandOf(row);
    if (command === null)
      return this.#world.violate('I3', `key ${facts.idempotencyKey} was posted, nobody asked for it`);
    const book = this.book(facts.accountId);
    const text = chainText(book.rows.at(-1)?.hash ?? null, row);
    const wrong =
      book.post(stored, command) ??
      (this.#texts[Number(row.hash ?? Number.NaN)] === text ? null : 'its link is not of the chain');
    if (wrong !== null) {
      this.#world.violate('I2', `version ${posting.version} (${posting.kind}) of ${facts.accountId}: ${wrong}`);
    }
    this.postings++;
    this.#settle(stored);
  }

  /** Requests are numbered from 1 on, and their ids end with the number. */
  #attemptOf(requestId: RequestId): Attempt | undefined {
    return this.#attempts[Number.parseInt(requestId.slice(-11), 16) - 1];
  }

  #commandOf({ facts }: PostedRow): Command | null {
    const parts = this.#attemptOf(facts.requestId)?.operation.parts ?? [];
    const part = parts.find(({ accountId, key }) => accountId === facts.accountId && key === facts.idempotencyKey);
    return part?.command ?? null;
  }

  /** True when it was looked at: the account stands at the version that the refusal names. */
  #refusalFits(row: RefusedRow): boolean {
    const parts = this.#attemptOf(row.facts.requestId)?.operation.parts ?? [];
    const part = parts[row.part];
    if (part === undefined) return false;
    // What the parts before it would have made was undone with them: no book was ever there.
    if (parts.slice(0, row.part).some(({ accountId }) => accountId === part.accountId)) return true;
    const book = this.book(part.accountId);
    if (book.version !== row.version) return false;
    const wrong = book.refuse(row, part.command);
    if (wrong !== null) this.#world.violate('I3', `key ${row.facts.idempotencyKey} of ${part.accountId}: ${wrong}`);
    return true;
  }

  /** I3: once, and never under a request of which was said that nothing happened. */
  #settle(stored: StoredOutcome): void {
    const { accountId, idempotencyKey, requestId } = stored.facts;
    const { outcomes } = this.book(accountId);
    if (outcomes.has(idempotencyKey)) this.#world.violate('I3', `key ${idempotencyKey} of ${accountId} came twice`);
    const outcome = this.#attemptOf(requestId)?.outcome?.type;
    if (outcome !== undefined && outcome !== 'unavailable') {
      this.#world.violate('I3', `key ${idempotencyKey} of ${accountId} happened after the answer ${outcome}`);
    }
    outcomes.set(idempotencyKey, stored);
  }
}

function sameRows(some: readonly PostedRow[], others: readonly PostedRow[]): boolean {
  return some.length === others.length && some.every((row, place) => row.hash === others[place]?.hash);
}
