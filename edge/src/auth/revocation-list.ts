/**
 * What the isolate knows of revocations: all that are not expired, read from core a page at a time, and from then on
 * only what is new.
 *
 * V1  Younger than `revocationsFreshMs`: used as it is. Older: used, and read again behind. Older than
 *     `revocationsWaitMs`: whoever needs it waits for core. Older than `revocationsServedMs`: not used; a token whose
 *     revocation cannot be ruled out is not accepted.
 * V2  The age counts from before core was asked, and only a reading that came to the end of the list renews it.
 * V3  The place only moves past what has been taken in. At most `revocationsMax` are: with more, nothing is renewed, so
 *     that by V1 no token is accepted, and it is reported.
 * V4  One reading is under way at a time, and one that never ends is given up (cache/question.ts).
 */
import type { revocations } from '@local-plus/contracts';
import { Question } from '../cache/question.ts';
import { edgeLimits } from '../limits.ts';
import type { Ports, RequestInfo } from '../ports.ts';

/** One page after a place; null when core could not be asked. */
export type ReadPage = (after: number) => Promise<revocations.ListPage | null>;

const { revocationsFreshMs, revocationsWaitMs, revocationsServedMs, revocationsRetryMs } = edgeLimits;
const { revocationsReadMs, revocationsMax, revocationPagesMax, revocationsBudgetMs } = edgeLimits;

export class RevocationList {
  readonly #ports: Pick<Ports, 'nowMs' | 'steadyMs' | 'report'>;
  readonly #revokedUntilMs = new Map<string, number>();
  #place = 0;
  #sinceMs = Number.NEGATIVE_INFINITY;
  readonly #reading: Question<'age'>;

  constructor(ports: Pick<Ports, 'nowMs' | 'steadyMs' | 'report'>) {
    this.#ports = ports;
    this.#reading = new Question({ steadyMs: ports.steadyMs, givenUpMs: revocationsReadMs });
  }

  /** Whether the list may be used (V1); reads on where it is time to. */
  async isUsable(readPage: ReadPage, waitUntil: RequestInfo['waitUntil']): Promise<boolean> {
    const ageMs = this.#ports.steadyMs() - this.#sinceMs;
    if (ageMs < revocationsFreshMs) return true;
    const reading = this.#reading.ask('age', revocationsRetryMs, waitUntil, (startedAtMs) =>
      this.#catchUp(readPage, startedAtMs),
    );
    if (ageMs < revocationsWaitMs) return true;
    await this.#reading.answered(reading, revocationsBudgetMs);
    return this.#ports.steadyMs() - this.#sinceMs < revocationsServedMs;
  }

  revokes(merchantId: string, subject: string, tokenId: string | null): boolean {
    return this.#has('subject', merchantId, subject) || (tokenId !== null && this.#has('token', merchantId, tokenId));
  }

  #has(kind: revocations.RevocationKind, merchantId: string, value: string): boolean {
    const nowMs = this.#ports.nowMs();
    const untilMs = (merchant: string | null) => this.#revokedUntilMs.get(nameOf(kind, merchant, value)) ?? 0;
    return untilMs(merchantId) > nowMs || untilMs(null) > nowMs;
  }

  async #catchUp(readPage: ReadPage, startedAtMs: number): Promise<void> {
    for (let count = 0; count < revocationPagesMax; count++) {
      const page = await readPage(this.#place);
      if (page === null || !this.#takeIn(page)) return;
      if (page.is_last) {
        this.#sinceMs = Math.max(this.#sinceMs, startedAtMs);
        return;
      }
      if (this.#ports.steadyMs() - startedAtMs >= revocationsReadMs) return;
    }
  }

  /** False, and the place stays, when there is no room. */
  #takeIn({ data, next }: revocations.ListPage): boolean {
    if (this.#revokedUntilMs.size + data.length > revocationsMax) this.#dropExpired();
    for (const { kind, merchant_id, value, expires_at_ms } of data) {
      const name = nameOf(kind, merchant_id, value);
      const before = this.#revokedUntilMs.get(name);
      if (before === undefined && this.#revokedUntilMs.size >= revocationsMax) {
        this.#ports.report('revocations_full');
        return false;
      }
      this.#revokedUntilMs.set(name, Math.max(before ?? 0, expires_at_ms));
    }
    this.#place = Math.max(this.#place, next);
    return true;
  }

  #dropExpired(): void {
    const nowMs = this.#ports.nowMs();
    for (const [name, untilMs] of this.#revokedUntilMs) {
      if (untilMs <= nowMs) this.#revokedUntilMs.delete(name);
    }
  }
}

/** No part has a space in it. */
function nameOf(kind: revocations.RevocationKind, merchantId: string | null, value: string): string {
  return `${kind} ${merchantId ?? '*'} ${value}`;
}
