/**
 * Wallet → its program, of a million wallets and more: all that an earn has to know of a wallet follows from it. Of active
 * wallets only; what is not known here is read.
 */
import { UuidTable } from '@local-plus/actors';
import type { ProgramId, WalletId } from '@local-plus/contracts';
import type { Membership } from './store.ts';

/** One word of each: the number of its program. */
const RECORD_WORDS = 1;

export interface MembershipLimits {
  /** A power of two from 8 on; 24 bytes each, once there was one. */
  readonly membershipsMax: number;
  /** Of the wallets of one more nobody takes note. */
  readonly membershipProgramsMax: number;
}

export class Memberships {
  readonly #table: UuidTable;
  readonly #programsMax: number;
  readonly #programs: ProgramId[] = [];
  readonly #numbers = new Map<ProgramId, number>();

  constructor({ membershipsMax, membershipProgramsMax }: MembershipLimits) {
    this.#table = new UuidTable(membershipsMax, RECORD_WORDS);
    this.#programsMax = membershipProgramsMax;
  }

  get size(): number {
    return this.#table.size;
  }

  recall(walletId: WalletId): Membership | null {
    const at = this.#table.find(walletId);
    const programId = at < 0 ? undefined : this.#programs[this.#table.words[at] as number];
    return programId === undefined ? null : { id: walletId, program_id: programId, status: 'active' };
  }

  note({ id, program_id: programId, status }: Membership): void {
    const number = status === 'active' ? this.#numberOf(programId) : null;
    if (number === null) return this.#forget(id);
    const at = this.#table.take(id);
    if (at >= 0) this.#table.words[at] = number;
  }

  #forget(walletId: WalletId): void {
    const at = this.#table.find(walletId);
    if (at >= 0) this.#table.free(at);
  }

  /** null: there are too many. */
  #numberOf(programId: ProgramId): number | null {
    const known = this.#numbers.get(programId);
    if (known !== undefined) return known;
    const number = this.#programs.length;
    if (number >= this.#programsMax) return null;
    this.#programs.push(programId);
    this.#numbers.set(programId, number);
    return number;
  }
}
