/** A chain of requests under way. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Actor, Pending } from './actor.ts';
import { Chain } from './chain.ts';
import type { AccountRequest } from './outcome.ts';
import { Tenant } from './tenants.ts';

const actor = new Actor('00000000-0000-7000-8000-000000000001' as Actor['accountId']);

function pending(): Pending {
  return new Pending({} as AccountRequest, actor, new Tenant<Actor>(), [], () => undefined);
}

const all = (list: Chain<Pending>): Pending[] => list.filter(() => true);

describe('a chain', () => {
  it('is what a set would be, in the order of arrival, whatever comes and goes', () => {
    const steps = fc.array(fc.record({ adds: fc.boolean(), which: fc.nat(19) }), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (history) => {
        const list = new Chain<Pending>();
        const model = new Set<Pending>();
        const pool = Array.from({ length: 20 }, pending);
        for (const { adds, which } of history) {
          const one = pool[which] as Pending;
          if (!adds) {
            list.delete(one);
            model.delete(one);
          } else if (!model.has(one)) {
            list.add(one);
            model.add(one);
          }
          assert.equal(list.size, model.size);
          assert.deepEqual(all(list), [...model]);
        }
      }),
    );
  });

  it('lets whatever is taken out point to nobody, so that it keeps nobody alive', () => {
    const list = new Chain<Pending>();
    const [first, middle, last] = [pending(), pending(), pending()];
    for (const one of [first, middle, last]) list.add(one);
    list.delete(middle);
    assert.deepEqual([middle.previous, middle.next, middle.isListed], [null, null, false]);
    assert.deepEqual(all(list), [first, last]);
    list.delete(first);
    list.delete(last);
    assert.deepEqual([first.next, last.previous, list.size], [null, null, 0]);
  });

  it('may lose others while those that were found are gone through', () => {
    const list = new Chain<Pending>();
    const pendings = [pending(), pending(), pending()];
    for (const one of pendings) list.add(one);
    const seen = list.filter((one) => one !== pendings[1]);
    for (const one of pendings) list.delete(one);
    assert.deepEqual(seen, [pendings[0], pendings[2]]);
    assert.deepEqual(all(list), []);
  });
});
