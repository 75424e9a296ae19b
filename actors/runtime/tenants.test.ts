/** Who shares the lane: names, counts, and a statement's places. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Linked } from './line.ts';
import { Tenant, Tenants, takeFairly } from './tenants.ts';

interface Nobody extends Linked<Nobody> {}

describe('tenants', () => {
  it('are counted while something of theirs waits', () => {
    const tenants = new Tenants<Nobody>(10);
    const one = tenants.of('one');
    tenants.entered(one, 3);
    tenants.entered(one, 1);
    tenants.entered(tenants.of('two'), 1);
    assert.equal(tenants.activeCount, 2);
    tenants.left(one, 1);
    tenants.left(one, 3);
    assert.equal(tenants.activeCount, 1);
    assert.equal(tenants.of('one'), one, 'known still');
  });

  it('are bounded: who has nothing waiting makes room, and never one who has', () => {
    const tenants = new Tenants<Nobody>(100);
    const busy = tenants.of('busy');
    tenants.entered(busy, 1);
    for (let number = 0; number < 10_000; number++) tenants.of(`visitor ${number}`);
    assert.equal(tenants.size, 100);
    assert.equal(tenants.find('busy'), busy);
  });

  it('share one account of what waits where all that are known are busy', () => {
    const tenants = new Tenants<Nobody>(100);
    for (let number = 0; number < 100; number++) tenants.entered(tenants.of(`busy ${number}`), 1);
    const newcomer = tenants.of('new');
    assert.equal(tenants.of('newer'), newcomer);
    assert.equal(tenants.size, 100);
    tenants.entered(newcomer, 5);
    assert.equal(tenants.activeCount, 101);
  });
});

describe('the places of a statement', () => {
  it('are as many as there are, evenly, in the order of each; whatever the tenants have', () => {
    const waiting = fc.array(fc.nat(5), { maxLength: 200 });
    fc.assert(
      fc.property(waiting, fc.integer({ min: 1, max: 50 }), (names, placesMax) => {
        const tenants = Array.from({ length: 5 }, () => new Tenant<Nobody>());
        const items = names.map((name, place) => ({ name, place }));
        const all = [...items];
        const taken = takeFairly(items, placesMax, ({ name }) => tenants[name] ?? null);
        assert.equal(taken.length, Math.min(placesMax, all.length));
        assert.deepEqual(
          [...taken, ...items].toSorted((one, other) => one.place - other.place),
          all,
          'nothing is lost, nothing twice',
        );
        const share = Math.floor(placesMax / new Set(names).size);
        for (const name of new Set(names)) {
          const own = all.filter((item) => item.name === name);
          const got = taken.filter((item) => item.name === name);
          assert.ok(got.length >= Math.min(own.length, share), 'its share, or all that it has');
          const places = got.map(({ place }) => place);
          assert.deepEqual(
            places.toSorted((one, other) => one - other),
            own.slice(0, got.length).map(({ place }) => place),
          );
        }
      }),
    );
  });
});
