/**
 * What a program asks of the ledger, as it changes with time. Pure.
 *
 * - V1 in force is the version with the latest `effective_from` that has come; of two of one moment, the higher.
 * - V2 whoever goes by a version knows every one that was created {@link programLimits.staleMs} before, or earlier; and a
 *   version comes into force later after its creation than that. So no two processes go by different versions at one moment,
 *   save for what their clocks differ by, and no earn waits for a look at a table.
 * - V3 a read knows what is in force from a moment on. When the wall clock steps back beyond it, whoever goes by the rules waits
 *   for a read; until then what was in force at that moment is, and not what was before.
 */
import type { ExpiryRule, ReversalPolicy } from '@local-plus/actors';
import type { MerchantId, ProgramId } from '@local-plus/contracts';
import { programLimits } from './limits.ts';
import type { ProgramRules } from './terms.ts';

/** What others have to know of a program. Only what it asks of the ledger changes, and `rules` always tells the current. */
export interface ProgramFacts {
  readonly programId: ProgramId;
  readonly merchantId: MerchantId;
  readonly unit: string;
  readonly rules: ProgramRules;
}

export interface ScheduledRules {
  /** Unix milliseconds; −Infinity: from the beginning on. */
  readonly fromMs: number;
  readonly rules: ProgramRules;
}

export interface Schedule {
  /** By `fromMs`, then by version; the first one is in force when the others are not yet. */
  readonly versions: readonly ScheduledRules[];
  /** Unix milliseconds: every version is here that was in force then, or comes after (V3). */
  readonly knownFromMs: number;
  /** Of the monotonic clock, before it was read. */
  readonly readAtMs: number;
}

export interface CurrentRulesPorts {
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  /** Reads the schedule anew. */
  readonly read: () => Promise<Schedule>;
}

/**
 * What a program asks of the ledger at the moment at which it is looked at: one object, shared by all that the program has.
 * To be passed on as it is; a copy of it does not change.
 */
export class CurrentRules implements ProgramRules {
  readonly #ports: CurrentRulesPorts;
  #schedule: Schedule;
  /** In force from … until, by the wall clock. */
  #rules: ProgramRules;
  #sinceMs = 0;
  #untilMs = 0;
  #reading: Promise<void> | null = null;

  constructor(ports: CurrentRulesPorts, schedule: Schedule) {
    this.#ports = ports;
    this.#schedule = schedule;
    this.#rules = this.#choose(ports.nowMs());
  }

  get expiry(): ExpiryRule | null {
    return this.#current().expiry;
  }

  get reversalPolicy(): ReversalPolicy {
    return this.#current().reversalPolicy;
  }

  get holdExpiresInS(): number {
    return this.#current().holdExpiresInS;
  }

  /** V2, V3. To be waited for before this is gone by; null: it is known well enough. Rejects as the read does. */
  renewal(): Promise<void> | null {
    const ageMs = this.#ports.monotonicMs() - this.#schedule.readAtMs;
    const isKnown = this.#ports.nowMs() >= this.#schedule.knownFromMs;
    if (ageMs < programLimits.freshMs && isKnown) return null;
    if (this.#reading === null) {
      this.#reading = this.#renew().finally(() => {
        this.#reading = null;
      });
      // Nobody may be waiting: then a failure is met by whoever has to, later.
      this.#reading.catch(() => undefined);
    }
    return ageMs < programLimits.staleMs && isKnown ? null : this.#reading;
  }

  async #renew(): Promise<void> {
    let schedule = await this.#ports.read();
    // The clock stepped back meanwhile.
    if (this.#ports.nowMs() < schedule.knownFromMs) schedule = await this.#ports.read();
    this.#schedule = schedule;
    this.#rules = this.#choose(this.#ports.nowMs());
  }

  #current(): ProgramRules {
    const nowMs = this.#ports.nowMs();
    if (nowMs < this.#sinceMs || nowMs >= this.#untilMs) this.#rules = this.#choose(nowMs);
    return this.#rules;
  }

  /** V1, V3. */
  #choose(nowMs: number): ProgramRules {
    const { versions, knownFromMs } = this.#schedule;
    const atMs = Math.max(nowMs, knownFromMs);
    const place = Math.max(
      versions.findLastIndex(({ fromMs }) => fromMs <= atMs),
      0,
    );
    const chosen = versions[place];
    if (chosen === undefined) throw new Error('a program has a version');
    this.#sinceMs = place === 0 ? Number.NEGATIVE_INFINITY : chosen.fromMs;
    this.#untilMs = versions[place + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
    return chosen.rules;
  }
}
