/**
 * Recomputes the tiers of wallets from the ledger's rows, in SQL, not through the code that it checks: what was earned on each day
 * and not reversed, the best sum of a window in the days of grace, the tier of that, and the history that led to it.
 *
 * A wallet is looked at as of the version and the day as of which it was counted: what came after that is behind, not wrong.
 */
import type { AccountId } from '@local-plus/contracts';
import type { Database } from '../platform/postgres/index.ts';
import type { DayPoints } from './domain.ts';
import { tierLimits } from './limits.ts';

type Reads = Pick<Database, 'read'>;

export interface VerifyOptions {
  readonly home: Reads;
  /** The ledger's databases; an account is in one of them. */
  readonly ledgers: readonly Reads[];
  readonly wrong: (accountId: AccountId, what: string) => void;
}

export interface Verified {
  readonly wallets: number;
  /** Of which the ledger has earns and reversals that are not counted yet. */
  readonly behind: number;
}

interface CountedWallet {
  readonly account_id: AccountId;
  readonly version: number;
  readonly day: number;
  readonly days: readonly DayPoints[];
  readonly tier: string | null;
  readonly due_day: number | null;
  readonly changes: number;
  readonly window: string;
  readonly grace_days: number;
  readonly tiers: readonly { readonly id: string; readonly points: number }[];
  readonly history: readonly { readonly place: number; readonly from: string | null; readonly to: string | null }[];
}

interface Recomputed {
  readonly newest: number | null;
  readonly days: readonly DayPoints[];
  readonly best: number;
  /** On the day before it is due, and on that day. */
  readonly best_before_due: number | null;
  readonly best_due: number | null;
}

const PAGE_WALLETS = 200;
const NIL = '00000000-0000-0000-0000-000000000000' as AccountId;

const walletsStatement = `select w.account_id, w.version, w.day, w.days, w.tier, w.due_day, w.changes,
    s.window_count || ' ' || s.window_period as window, s.grace_days, s.tiers, coalesce((
      select json_agg(json_build_object('place', c.place, 'from', c.from_tier, 'to', c.to_tier) order by c.place)
      from tier_changes as c where c.account_id = w.account_id), '[]') as history
  from wallet_tiers as w join tier_schemes as s on s.program_id = w.program_id and s.version = w.scheme_version
  where w.account_id > $1::uuid order by w.account_id limit $2::int`;

/** The best sum of any window that ends on one of the days of grace before a day, or on it. */
const bestOn = (day: string) => `(
    select max(sum) from (
      select coalesce((select sum(points) from net where net.day <= d
        and date '1970-01-01' + net.day + $5::text::interval > date '1970-01-01' + d), 0) as sum
      from generate_series(${day} - $4::int, ${day}) as d) as windows)::bigint`;
const recomputeStatement = `with net as (
    select floor(extract(epoch from coalesce(o.occurred_at, t.occurred_at)) / 86400)::int as day,
      sum(case t.kind when 'earn' then t.amount else -t.amount end) as points
    from transactions as t left join transactions as o
      on t.kind = 'reverse' and o.account_id = t.account_id and o.version = (t.detail ->> 'reverses')::bigint
    where t.account_id = $1::uuid and t.version <= $2::bigint and (t.kind = 'earn' or o.kind = 'earn') group by 1
  )
  select (
      select max(version) from transactions where account_id = $1::uuid and kind in ('earn', 'reverse')) as newest,
    coalesce((select json_agg(json_build_array(day, points) order by day) from net where points > 0), '[]') as days,
    ${bestOn('$3::int')} as best, ${bestOn('$6::int - 1')} as best_before_due, ${bestOn('$6::int')} as best_due`;

export async function verifyTiers({ home, ledgers, wrong }: VerifyOptions): Promise<Verified> {
  let [wallets, behind, after] = [0, 0, NIL];
  for (;;) {
    const page = await home.read<CountedWallet>(walletsStatement, [after, PAGE_WALLETS]);
    for (const wallet of page) {
      const recomputed = await recompute(ledgers, wallet);
      for (const what of faultsOf(wallet, recomputed)) wrong(wallet.account_id, what);
      if ((recomputed.newest ?? 0) > wallet.version) behind++;
    }
    wallets += page.length;
    const last = page.at(-1);
    if (last === undefined) return { wallets, behind };
    after = last.account_id;
  }
}

async function recompute(ledgers: readonly Reads[], wallet: CountedWallet): Promise<Recomputed> {
  const { account_id, version, day, grace_days, window, due_day } = wallet;
  const parameters = [account_id, version, day, grace_days, window, due_day];
  const found = await Promise.all(ledgers.map((ledger) => ledger.read<Recomputed>(recomputeStatement, parameters)));
  const rows = found.flat();
  const row = rows.find(({ newest }) => newest !== null) ?? rows[0];
  if (row === undefined) throw new Error('an aggregate has a row');
  return row;
}

function* faultsOf(wallet: CountedWallet, recomputed: Recomputed): Generator<string> {
  const { day, days, tier, due_day, changes, history } = wallet;
  const tierOf = (points: number | null) => wallet.tiers.findLast((each) => each.points <= (points ?? 0))?.id ?? null;
  const kept = recomputed.days.filter(([each]) => each > day - tierLimits.daysKept);
  const known = days.filter(([each]) => each > day - tierLimits.daysKept);
  if (JSON.stringify(kept) !== JSON.stringify(known)) yield 'its days are not what the ledger has';
  if (tierOf(recomputed.best) !== tier) yield `its tier is ${tier}, and should be ${tierOf(recomputed.best)}`;
  if ((due_day === null) !== (tier === null)) yield 'it is due without a tier, or has a tier and is not due';
  if (due_day !== null && tierOf(recomputed.best_before_due) !== tier) yield 'its tier falls before it is due';
  if (due_day !== null && tierOf(recomputed.best_due) === tier) yield 'its tier does not fall when it is due';
  const isChained = history.every(({ place, from }, index) => {
    return place === index + 1 && from === (history[index - 1]?.to ?? null);
  });
  if (!isChained || history.length !== changes || (history.at(-1)?.to ?? null) !== tier) {
    yield 'its history does not lead to its tier';
  }
}
