/** A queue through its members themselves: nothing is allocated per turn, and whoever is taken out points to nobody. */
export interface Linked<Member> {
  /** Nobody else's to touch. */
  nextInLine: Member | null;
}

/** A member stands in one line at a time, once. */
export class Line<Member extends Linked<Member>> {
  #first: Member | null = null;
  #last: Member | null = null;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get first(): Member | null {
    return this.#first;
  }

  push(member: Member): void {
    if (this.#last === null) this.#first = member;
    else this.#last.nextInLine = member;
    this.#last = member;
    this.#length++;
  }

  /** In front of all the others, in their order. */
  putBack(members: readonly Member[]): void {
    for (const member of members.toReversed()) {
      member.nextInLine = this.#first;
      this.#first = member;
      this.#last ??= member;
      this.#length++;
    }
  }

  shift(): Member | null {
    const first = this.#first;
    if (first === null) return null;
    this.#first = first.nextInLine;
    if (this.#first === null) this.#last = null;
    first.nextInLine = null;
    this.#length--;
    return first;
  }

  /** All of them; nobody is left. */
  takeAll(): Member[] {
    const all: Member[] = [];
    for (let member = this.shift(); member !== null; member = this.shift()) all.push(member);
    return all;
  }
}
