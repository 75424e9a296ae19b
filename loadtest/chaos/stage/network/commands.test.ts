import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../../limits.ts';
import {
  coreCommands,
  coreHost,
  hubCommands,
  isolation,
  loss,
  plugCommands,
  type Side,
  sideHosts,
  type Way,
} from './commands.ts';

const cores = Array.from({ length: limits.cores }, (_, index) => index + 1);
const sides = Object.keys(sideHosts) as Side[];
const ways: readonly Way[] = ['from-core', 'to-core'];

describe('the commands of a network', () => {
  it('give everybody an address of their own', () => {
    const hosts = [...Object.values(sideHosts), ...cores.map(coreHost)];
    assert.equal(new Set(hosts).size, hosts.length);
    for (const host of hosts) assert.match(host, /^10\.77\.0\.\d+$/);
  });

  it('let whoever does not choose speak from the front', () => {
    const addresses = hubCommands().filter((command) => command.startsWith('address add'));
    assert.equal(addresses[0], `address add ${sideHosts.front}/24 dev hub`);
    assert.equal(addresses.length, sides.length);
  });

  it('make every neighbour known on both sides, so that silence is never reported', () => {
    for (const core of cores) {
      const [there] = plugCommands(core, 4_711).filter((command) => command.startsWith('neighbour'));
      const [, hardware] = /lladdr (\S+) nud permanent/.exec(there ?? '') ?? [];
      assert.ok(coreCommands(core).includes(`link set hub address ${hardware} up`));
      for (const host of Object.values(sideHosts)) {
        assert.ok(coreCommands(core).some((command) => command.startsWith(`neighbour replace ${host} `)));
      }
    }
  });

  it('have no way out of the namespace in its main table', () => {
    for (const command of [...hubCommands(), ...cores.flatMap(coreCommands)]) {
      if (command.includes('route add default')) assert.match(command, / table 77$/);
    }
  });
});

describe('a cut', () => {
  const all = cores.flatMap((core) => [
    isolation(core),
    ...sides.flatMap((side) => ways.map((way) => loss(core, side, way))),
  ]);

  it('is healed by the opposite of what made it', () => {
    const opposites = [
      [' down', ' up'],
      ['route add ', 'route del '],
      ['rule add ', 'rule del '],
    ] as const;
    for (const { cut, heal } of all) {
      assert.ok(
        opposites.some(([done, undone]) => cut !== cut.replace(done, undone) && heal === cut.replace(done, undone)),
        `${cut} / ${heal}`,
      );
    }
  });

  it('is another one for every process, side and way', () => {
    // What a process sends is lost in its own namespace, by the same words for each of them.
    const known = all.map(({ where, cut }) => `${where} ${cut}`);
    assert.equal(new Set(known).size, cores.length * (1 + sides.length) + sides.length);
    assert.deepEqual(loss(2, 'peers', 'from-core').where, 'core');
    assert.match(loss(2, 'peers', 'to-core').cut, /^rule add from 10\.77\.0\.3 to 10\.77\.0\.12 /);
  });
});
