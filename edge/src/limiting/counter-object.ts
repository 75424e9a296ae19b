/**
 * What the Durable Objects that count have in common: one row, and an alarm that deletes it. Workers only.
 *
 * The platform drops an idle object's memory after seconds, so what is counted is written down before it is answered (the
 * answer waits for the write: the output gate of Durable Objects). The clock is the object's own: what several isolates
 * believe the time to be cannot stretch a window. When nothing in the row counts any more, an alarm deletes it.
 */
import { DurableObject } from 'cloudflare:workers';
import { edgeLimits } from '../limits.ts';

export interface RowKind<Counts, Row> {
  /** Its key in the object's storage. */
  readonly name: string;
  readonly empty: () => Counts;
  readonly read: (row: Row) => Counts;
}

export abstract class CounterObject<Counts extends { toRow(): Row }, Row> extends DurableObject<object> {
  protected counts: Counts;
  readonly #rowName: string;
  #hasAlarm = false;

  constructor(context: DurableObjectState, bindings: object, { name, empty, read }: RowKind<Counts, Row>) {
    super(context, bindings);
    this.#rowName = name;
    this.counts = empty();
    context.blockConcurrencyWhile(async () => {
      const row = await context.storage.get<Row>(name);
      if (row) this.counts = read(row);
      this.#hasAlarm = (await context.storage.getAlarm()) !== null;
    });
  }

  override async alarm(): Promise<void> {
    this.#hasAlarm = false;
    if (this.keepMs() === 0) await this.ctx.storage.deleteAll();
    else await this.#setAlarm();
  }

  /** How long the row has to be kept, at least; 0: nothing in it counts. */
  protected abstract keepMs(): number;

  protected nowMs(): number {
    return Date.now();
  }

  protected async write(): Promise<void> {
    await this.ctx.storage.put(this.#rowName, this.counts.toRow());
    if (!this.#hasAlarm) await this.#setAlarm();
  }

  async #setAlarm(): Promise<void> {
    this.#hasAlarm = true;
    await this.ctx.storage.setAlarm(Date.now() + Math.max(this.keepMs(), edgeLimits.counterIdleMs));
  }
}
