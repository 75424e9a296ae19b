/**
 * Members in the order in which they came: a list through the members themselves.
 *
 * Not a `Set` or a `Map`: V8 replaces a set's table every few additions and removals, and a replaced table points to its
 * successor and to whatever was in it. Once one of them is old, each later one counts as reachable until the next full
 * collection, and requests that were answered long ago grow old with it. Here whatever is taken out points to nobody. And
 * what was taken out of a map's front is passed over whenever its first member is asked for: the more the larger it is.
 */
export interface Chained<Member> {
  /** Its place in the one chain that it stands in: nobody else's to touch. */
  isListed: boolean;
  previous: Member | null;
  next: Member | null;
}

export class Chain<Member extends Chained<Member>> {
  #first: Member | null = null;
  #last: Member | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): Member | null {
    return this.#first;
  }

  /** At the end. Only once, and in one chain only. */
  add(member: Member): void {
    member.isListed = true;
    member.previous = this.#last;
    if (this.#last === null) this.#first = member;
    else this.#last.next = member;
    this.#last = member;
    this.#size++;
  }

  /** Does nothing when it is not there any more. */
  delete(member: Member): void {
    if (!member.isListed) return;
    const { previous, next } = member;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    member.isListed = false;
    member.previous = null;
    member.next = null;
    this.#size--;
  }

  /** Those that satisfy the condition now; the chain may change while they are gone through. */
  filter(condition: (member: Member) => boolean): Member[] {
    const found: Member[] = [];
    for (let member = this.#first; member !== null; member = member.next) if (condition(member)) found.push(member);
    return found;
  }
}
