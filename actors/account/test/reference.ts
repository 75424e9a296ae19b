/**
 * The account machine again, plain and slow, to be compared with: every point is an element of a list. Shares nothing
 * with the machine but the shape of a command. Knows no limits, and amounts small enough to be written out.
 */
import type { Command, CommandOf, RefusalCode } from '../model.ts';

/** The last day on which it can be spent; null: it never expires. */
type Point = number | null;

interface Pile {
  readonly version: number;
  readonly untilMs: number;
  points: Point[];
}

/** What is left to be undone of a transaction. */
interface Undoable {
  reversed: number;
  /** Of what went out: its points in the order in which they were spent. */
  readonly spent?: Point[];
  /** Of what came in: how many points the balance got, how many paid debt, and where the points were put. */
  readonly brought?: { balance: number; debt: number; readonly day: Point };
}

const dayMs = 86_400_000;
const byDay = (one: Point, other: Point): number => (one ?? 1e9) - (other ?? 1e9);

export class ReferenceAccount {
  version = 0;
  nowMs = 0;
  frozen = false;
  /** Available points. */
  points: Point[] = [];
  holds: Pile[] = [];
  /** How far below zero. */
  missing = 0;
  debt = 0;
  readonly undoable = new Map<number, Undoable>();
  /** Each point under each of its caps, by the cap's name and the end of its window. */
  readonly stamps: [string, number][] = [];
  purchases = 0;
  /** What left for another lane and did not come back, by version. */
  readonly across = new Map<number, Point[]>();

  get held(): number {
    return this.holds.flatMap((hold) => hold.points).length;
  }

  get balance(): number {
    return this.points.length - this.missing + this.held;
  }

  /** Available points that expire: day and number, in the order of days. */
  get lots(): [number, number][] {
    const days = [...new Set(this.points)].filter((day) => day !== null).sort(byDay);
    return days.map((day) => [day, this.points.filter((point) => point === day).length]);
  }

  get dueAtMs(): number | null {
    const moments = [...this.lots.map(([day]) => (day + 1) * dayMs), ...this.holds.map((hold) => hold.untilMs)];
    return moments.length === 0 ? null : (moments.sort((one, other) => one - other)[0] as number);
  }

  /** Does it, or says why not. */
  ask(command: Command, clockMs: number): RefusalCode | 'posted' {
    const nowMs = Math.max(clockMs, this.nowMs);
    const code = this.#try(command, nowMs);
    if (code !== null) return code;
    this.nowMs = nowMs;
    this.version++;
    return 'posted';
  }

  #try(command: Command, nowMs: number): RefusalCode | null {
    switch (command.kind) {
      case 'earn':
        return this.#isShut() ?? this.#earn(command, nowMs);
      case 'purchase':
        return this.#isShut() ?? this.#purchase(command, nowMs);
      case 'load':
        return this.#isShut() ?? this.#bring(command.amount, 0, null);
      case 'adjust':
        if (command.direction === 'out') return this.#spend(command.amount, nowMs);
        return this.#bring(command.amount, 0, command.expiry === null ? null : lastDay(command.expiry.count, nowMs));
      case 'burn':
      case 'redeem':
        return this.#isShut() ?? this.#spend(command.amount, nowMs);
      case 'transfer_out':
        return this.#isShut() ?? this.#sendAway(command, nowMs);
      case 'transfer_in':
        return this.#isShut() ?? this.#receive(command);
      case 'return':
        return this.#giveBack(command);
      case 'hold':
        return this.#isShut() ?? this.#hold(command, nowMs);
      case 'capture':
        return (command.promised === true ? null : this.#isShut()) ?? this.#capture(command, nowMs);
      case 'release':
        return this.#release(this.holds.find((hold) => hold.version === command.hold));
      case 'reverse':
        return this.#reverse(command, nowMs);
      case 'clear':
        return this.#clear(command, nowMs);
      case 'decline':
        return command.code;
      case 'due':
        return this.#due(nowMs);
      case 'freeze':
      case 'unfreeze':
        if (this.frozen === (command.kind === 'freeze')) return this.frozen ? 'account_frozen' : 'account_not_frozen';
        this.frozen = !this.frozen;
        return null;
    }
  }

  #isShut(): RefusalCode | null {
    return this.frozen ? 'account_frozen' : null;
  }

  /** Available points that can be spent now, in the order in which they are. */
  #live(nowMs: number): Point[] {
    return this.points.filter((point) => !isOver(point, nowMs)).sort(byDay);
  }

  #remove(points: readonly Point[]): void {
    for (const point of points) this.points.splice(this.points.indexOf(point), 1);
  }

  /** @returns what is left once a balance below zero is made up */
  #put(points: readonly Point[]): Point[] {
    const sorted = [...points].sort(byDay);
    const kept = sorted.slice(this.missing);
    this.missing -= sorted.length - kept.length;
    this.points.push(...kept);
    return kept;
  }

  #take(count: number, nowMs: number): Point[] | null {
    const live = this.#live(nowMs);
    if (live.length - this.missing < count) return null;
    const taken = live.slice(0, count);
    this.#remove(taken);
    return taken;
  }

  #earn({ amount, expiry }: Pick<CommandOf<'earn'>, 'amount' | 'expiry'>, nowMs: number): null {
    const paid = Math.min(amount, this.debt);
    this.debt -= paid;
    return this.#bring(amount - paid, paid, expiry === null ? null : lastDay(expiry.count, nowMs));
  }

  /** Point by point: one that a cap has no room for is not given. */
  #purchase({ first, later, expiry }: CommandOf<'purchase'>, nowMs: number): RefusalCode | null {
    let amount = 0;
    for (const { points, caps } of this.purchases === 0 ? first : later) {
      for (let point = 0; point < points; point++) {
        const isFull = caps.some(({ counter, untilMs, max }) => {
          const given = this.stamps.filter(([name, until]) => name === counter && until === untilMs).length;
          return given >= max || untilMs + 3_600_000 <= nowMs;
        });
        if (isFull) break;
        for (const { counter, untilMs } of caps) this.stamps.push([counter, untilMs]);
        amount++;
      }
    }
    if (amount === 0) return 'nothing_earned';
    this.purchases++;
    return this.#earn({ amount, expiry }, nowMs);
  }

  #bring(balance: number, debt: number, day: Point): null {
    const kept = this.#put(Array.from({ length: balance }, () => day));
    const where = kept.length > 0 ? day : null;
    this.undoable.set(this.version + 1, { reversed: 0, brought: { balance, debt, day: where } });
    return null;
  }

  #receive({ amount, lots = [] }: CommandOf<'transfer_in'>): null {
    const points = lots.flatMap(([day, count]) => Array.from({ length: count }, (): Point => day));
    this.#put([...points, ...Array.from({ length: amount - points.length }, () => null)]);
    return null;
  }

  #sendAway({ amount, across }: CommandOf<'transfer_out'>, nowMs: number): RefusalCode | null {
    const spent = this.#take(amount, nowMs);
    if (spent === null) return 'insufficient_funds';
    if (across) this.across.set(this.version + 1, spent);
    return null;
  }

  #clear({ as }: CommandOf<'clear'>, nowMs: number): RefusalCode | null {
    if (this.frozen && (as.kind === 'redeem' || (as.kind === 'transfer_out' && !as.evenFrozen)))
      return 'account_frozen';
    const points = as.kind === 'expire' ? [...this.points] : this.#live(nowMs);
    const count = points.length - this.missing;
    if (count <= 0) return 'insufficient_funds';
    const gone = points.sort(byDay).slice(0, count);
    this.#remove(gone);
    if (as.kind === 'transfer_out') this.across.set(this.version + 1, gone);
    else if (as.kind !== 'expire') this.undoable.set(this.version + 1, { reversed: 0, spent: gone });
    return null;
  }

  #giveBack({ original }: CommandOf<'return'>): null {
    const spent = this.across.get(original.version) ?? [];
    this.across.delete(original.version);
    this.#put(spent);
    return null;
  }

  #spend(amount: number, nowMs: number): RefusalCode | null {
    const spent = this.#take(amount, nowMs);
    if (spent === null) return 'insufficient_funds';
    this.undoable.set(this.version + 1, { reversed: 0, spent });
    return null;
  }

  #hold({ amount, expiresInS }: CommandOf<'hold'>, nowMs: number): RefusalCode | null {
    const points = this.#take(amount, nowMs);
    if (points === null) return 'insufficient_funds';
    this.holds.push({ version: this.version + 1, untilMs: nowMs + expiresInS * 1_000, points });
    return null;
  }

  #capture(command: CommandOf<'capture'>, nowMs: number): RefusalCode | null {
    const hold = this.holds.find(({ version }) => version === command.hold);
    if (hold === undefined || nowMs >= hold.untilMs) return 'hold_closed';
    const amount = command.amount ?? hold.points.length;
    if (amount > hold.points.length) return 'capture_exceeds_hold';
    this.undoable.set(this.version + 1, { reversed: 0, spent: hold.points.slice(0, amount) });
    hold.points = hold.points.slice(amount);
    if (command.final || hold.points.length === 0) this.#release(hold);
    return null;
  }

  #release(hold: Pile | undefined): RefusalCode | null {
    if (hold === undefined) return 'hold_closed';
    this.holds = this.holds.filter((other) => other !== hold);
    this.#put(hold.points);
    return null;
  }

  #due(nowMs: number): RefusalCode | null {
    const over = this.holds.filter((hold) => hold.untilMs <= nowMs).sort((one, other) => one.untilMs - other.untilMs);
    if (over.length > 0) return this.#release(over[0]);
    const expired = this.points.filter((point) => isOver(point, nowMs));
    if (expired.length === 0) return 'nothing_due';
    this.#remove(expired);
    return null;
  }

  #reverse(command: CommandOf<'reverse'>, nowMs: number): RefusalCode | null {
    const undoable = this.undoable.get(command.original.version);
    if (undoable === undefined) return 'not_reversible';
    const { spent, brought } = undoable;
    const left = spent?.length ?? (brought?.balance ?? 0) + (brought?.debt ?? 0);
    const amount = command.amount ?? left;
    if (left === 0 || amount > left) return 'reversal_exceeds_original';
    if (brought !== undefined && !this.#unbring(brought, amount, command.policy, nowMs)) return 'insufficient_funds';
    if (spent !== undefined) this.#put(spent.splice(left - amount));
    undoable.reversed += amount;
    return null;
  }

  #unbring(
    brought: { balance: number; debt: number; readonly day: Point },
    amount: number,
    policy: CommandOf<'reverse'>['policy'],
    nowMs: number,
  ): boolean {
    const asked = Math.min(amount, brought.balance);
    const live = this.#live(nowMs);
    const there = live.length - this.missing;
    let taken = asked;
    if (asked > 0 && asked > there) {
      if (policy.type === 'refuse') return false;
      if (policy.type === 'negative' && this.points.length - this.missing - asked < -policy.limit) return false;
      if (policy.type === 'recover') taken = Math.max(there, 0);
    }
    const own = live.filter((point) => point !== null && point === brought.day);
    const others = live.filter((point) => point === null || point !== brought.day);
    const over = this.points.filter((point) => isOver(point, nowMs)).sort(byDay);
    const gone = [...own, ...others, ...over].slice(0, taken);
    this.#remove(gone);
    this.missing += taken - gone.length;
    this.debt += amount - taken;
    brought.balance -= asked;
    brought.debt -= amount - asked;
    return true;
  }
}

function isOver(point: Point, nowMs: number): boolean {
  return point !== null && nowMs >= (point + 1) * dayMs;
}

function lastDay(days: number, nowMs: number): number {
  return Math.floor(nowMs / dayMs) + days;
}
