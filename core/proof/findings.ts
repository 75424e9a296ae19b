/** What an audit found: per rule how much was looked at, how much is wrong, and the first of it in words. Pure. */

export const rules = {
  entries: 'I1 the entries of each transaction sum to zero',
  total: 'I1 all entries sum to zero',
  transfers: 'I1 what left one account reached the other, came back, or is in transit',
  reversals: 'I1 each reversal undoes what it names, and no more',
  versions: "I2 each account's versions are 1 … n, without gaps",
  balances: 'I2 each balance is the sum of its entries',
  machine: 'I2 each row follows from what the account was before it',
  keys: 'I3 no key was both posted and refused',
  places: 'each account is in the database of its shard, and in no other',
  chain: 'chain: each row is hashed with the one before',
  restore: 'restoring an account gives what its rows add up to',
  snapshots: 'snapshots are the rows that they name',
  coverage: 'each row of a closed day is under a root',
  roots: 'roots are the hashes over their days',
  liability: 'each day of liability is the sum of its rows',
  trails: 'audit: each entry is hashed with the one before',
} as const;
export type RuleName = keyof typeof rules;

/** A row of the ledger, or what else is wrong where no row is. */
export interface Place {
  readonly accountId?: string;
  readonly version?: number;
  readonly day?: string;
}

export interface Finding {
  readonly rule: RuleName;
  readonly place: Place;
  readonly what: string;
  readonly expected: string | null;
  readonly found: string | null;
}

export interface RuleResult {
  readonly rule: RuleName;
  readonly looked: number;
  readonly violations: number;
  readonly first: Finding | null;
}

interface Tally {
  looked: number;
  violations: number;
  first: Finding | null;
}

export class Findings {
  readonly #tallies = new Map<RuleName, Tally>();

  looked(rule: RuleName, count = 1): void {
    this.#tally(rule).looked += count;
  }

  /** @param compared what the rule asks for, and what stands there */
  wrong(rule: RuleName, place: Place, what: string, compared?: { expected: unknown; found: unknown }): void {
    const tally = this.#tally(rule);
    tally.violations++;
    const expected = compared === undefined ? null : String(compared.expected);
    const found = compared === undefined ? null : String(compared.found);
    tally.first ??= { rule, place, what, expected, found };
  }

  /** In the order of {@link rules}; a rule that was not looked at at all is left out. */
  results(): RuleResult[] {
    return (Object.keys(rules) as RuleName[]).flatMap((rule) => {
      const tally = this.#tallies.get(rule);
      return tally === undefined ? [] : [{ rule, ...tally }];
    });
  }

  /** The first wrong row: the smallest account id, then version. What is about no row comes last. */
  first(): Finding | null {
    let first: Finding | null = null;
    for (const { first: finding } of this.results()) {
      if (finding !== null && (first === null || isBefore(finding.place, first.place))) first = finding;
    }
    return first;
  }

  #tally(rule: RuleName): Tally {
    let tally = this.#tallies.get(rule);
    if (tally === undefined) {
      tally = { looked: 0, violations: 0, first: null };
      this.#tallies.set(rule, tally);
    }
    return tally;
  }
}

function isBefore(a: Place, b: Place): boolean {
  if (a.accountId === undefined || b.accountId === undefined) return a.accountId !== undefined;
  if (a.accountId !== b.accountId) return a.accountId < b.accountId;
  return (a.version ?? 0) < (b.version ?? 0);
}

export function placeText({ accountId, version, day }: Place): string {
  const parts: string[] = [];
  if (accountId !== undefined) parts.push(`account ${accountId}`);
  if (version !== undefined) parts.push(`version ${version}`);
  if (day !== undefined) parts.push(accountId === undefined ? `day ${day}` : `(day ${day})`);
  return parts.join(' ');
}

export function findingText({ place, what, expected, found }: Finding): string {
  const comparison = expected === null ? '' : `: expected ${expected}, found ${found}`;
  return [placeText(place), `${what}${comparison}`].filter((part) => part !== '').join(' ');
}
