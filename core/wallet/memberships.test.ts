/** Which program a wallet stands in, out of many more wallets than are held. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ProgramId, uuidV7, type WalletId } from '@local-plus/contracts';
import { Memberships } from './memberships.ts';

const newId = <Id extends string>(): Id => uuidV7<Id>(Date.now());
const [oneProgram, otherProgram, thirdProgram] = [newId(), newId(), newId()] as [ProgramId, ProgramId, ProgramId];

describe('memberships', () => {
  it('are given back as they were noted', () => {
    const memberships = new Memberships({ membershipsMax: 1_024, membershipProgramsMax: 2 });
    const noted = Array.from({ length: 100 }, (_, index) => ({
      id: newId<WalletId>(),
      program_id: index % 3 === 0 ? oneProgram : otherProgram,
      status: 'active' as const,
    }));
    for (const membership of noted) memberships.note(membership);
    for (const membership of noted) assert.deepEqual(memberships.recall(membership.id), membership);
    assert.equal(memberships.size, 100);
    assert.equal(memberships.recall(newId()), null);
  });

  it('are of active wallets only, and of so many programs', () => {
    const memberships = new Memberships({ membershipsMax: 1_024, membershipProgramsMax: 2 });
    const note = (programId: ProgramId, status: 'active' | 'closed'): boolean => {
      const id = newId<WalletId>();
      memberships.note({ id, program_id: programId, status });
      return memberships.recall(id) !== null;
    };
    assert.deepEqual(
      [note(oneProgram, 'closed'), note(oneProgram, 'active'), note(otherProgram, 'active')],
      [false, true, true],
    );
    assert.deepEqual([note(thirdProgram, 'active'), note(oneProgram, 'active')], [false, true]);
  });

  it('are forgotten when the wallet is no longer active', () => {
    const memberships = new Memberships({ membershipsMax: 1_024, membershipProgramsMax: 2 });
    const wallet = { id: newId<WalletId>(), program_id: oneProgram };
    memberships.note({ ...wallet, status: 'active' });
    memberships.note({ ...wallet, status: 'closed' });
    assert.deepEqual([memberships.recall(wallet.id), memberships.size], [null, 0]);
  });
});
