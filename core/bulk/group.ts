/**
 * A group: several lines as one request of the runtime, applied all or none under the first line's key.
 *
 * - A1 the request hash of every part covers the whole group. So a retry with the same first key and anything else changed
 *   is another request, and so is a line of it that is sent alone, or in another group.
 * - A2 the runtime looks every line's key up, and holds it while the group is on its way; so a group that is applied or
 *   refused now needs no other look. The ledger is asked here only for what one outcome cannot say of many lines: of a
 *   reused key, whose lines it is; of a replay, what the further lines became.
 * - A3 what such an outcome speaks of is committed, so the ledger shows it.
 */
import type { AccountRequest, Outcome, Part, Posted, RefusedRow, StoredOutcome } from '@local-plus/actors';
import type { ProblemCode, RequestId } from '@local-plus/contracts';
import { sha256Hex128 } from '../platform/digest/index.ts';
import { faultAnswer, type LineAnswer } from './answers.ts';
import type { BulkLedger, LinePart } from './ports.ts';

type Offer = (request: Omit<AccountRequest, 'deadlineMs'>) => Promise<Outcome>;

/**
 * @param parts the lines as single requests, in their order
 * @param offer gives the request to the ledger
 */
export async function answerGroup(
  ledger: BulkLedger,
  parts: readonly LinePart[],
  requestId: RequestId,
  offer: Offer,
): Promise<readonly LineAnswer[]> {
  const group = new Group(ledger, parts, requestId);
  const [first, ...also] = group.parts;
  if (first === undefined) throw new Error('a group has lines');
  const outcome = await offer({ ...first, also });
  switch (outcome.type) {
    case 'posted':
      return outcome.replayed ? group.stored() : group.applied([outcome, ...outcome.also], false);
    case 'refused':
      // Stored under the first key, with the number of the line.
      return group.refused(outcome.row, outcome.replayed);
    case 'key_reused':
      return group.stored();
    default:
      return group.all(ledger.failures[outcome.type]);
  }
}

class Group {
  readonly #ledger: BulkLedger;
  readonly #requestId: RequestId;
  readonly #unit: string;
  readonly parts: readonly Part[];

  constructor(ledger: BulkLedger, lines: readonly LinePart[], requestId: RequestId) {
    this.#ledger = ledger;
    this.#requestId = requestId;
    this.#unit = lines[0]?.unit ?? '';
    const requestHash = hashOf(lines);
    this.parts = lines.map(({ part }) => ({ ...part, facts: { ...part.facts, requestHash } }));
  }

  /** What became of the lines, by what the ledger has under their keys. */
  async stored(): Promise<readonly LineAnswer[]> {
    const stored = await this.#ledger.stored(this.parts.map(({ facts }) => facts));
    const first = stored[0] ?? null;
    if (first === null) return this.#taken(stored);
    if (first.facts.requestHash !== this.parts[0]?.facts.requestHash) return this.all('idempotency_key_reused');
    return first.type === 'refused' ? this.refused(first, true) : this.applied(this.#whole(stored), true);
  }

  /** One answer for all lines. */
  all(code: ProblemCode): readonly LineAnswer[] {
    return this.parts.map(() => faultAnswer({ code }, this.#requestId));
  }

  applied(posted: readonly Posted[], replayed: boolean): readonly LineAnswer[] {
    return posted.map(({ row, transactionId }) => ({
      type: 'applied',
      transactionJson: this.#ledger.transactionJson(row, transactionId, this.#unit),
      replayed,
    }));
  }

  refused(row: RefusedRow, replayed: boolean): readonly LineAnswer[] {
    const problem = this.#ledger.refusalProblem(row);
    return this.parts.map((_, place) =>
      place === row.part
        ? { type: 'refused', problem, replayed }
        : { ...faultAnswer({ code: 'group_refused' }, row.facts.requestId), replayed },
    );
  }

  /** Further keys are other requests'. */
  #taken(stored: readonly (StoredOutcome | null)[]): readonly LineAnswer[] {
    if (stored.every((found) => found === null)) throw new Error('a reused key is not there');
    return stored.map((found) =>
      faultAnswer({ code: found === null ? 'group_refused' : 'idempotency_key_reused' }, this.#requestId),
    );
  }

  /** All of the group's rows; they were committed together. */
  #whole(stored: readonly (StoredOutcome | null)[]): readonly Posted[] {
    return stored.map((found, place) => {
      if (found?.type !== 'posted' || found.facts.requestHash !== this.parts[place]?.facts.requestHash) {
        throw new Error('a part of a group is not there');
      }
      return { row: found, transactionId: found.transactionId };
    });
  }
}

/** A1. Keys and single hashes, in their order: 128 bits, as every request's. */
function hashOf(lines: readonly LinePart[]): string {
  const content = lines.map(({ part: { facts } }) => [facts.idempotencyKey, facts.requestHash]);
  return sha256Hex128(JSON.stringify(['group', content]));
}
