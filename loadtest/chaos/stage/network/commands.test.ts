import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../../limits.ts';
import {
  coreCommands,
  coreHost,
  hostsOf,
  hubCommands,
  isolation,
  loss,
  parting,
  plugCommands,
  sides,
  type Way,
} from './commands.ts';

const cores = Array.from({ length: limits.cores }, (_, index) => index + 1);
const hosts = sides.flatMap((side) => hostsOf(side, cores.length));
const ways: readonly Way[] = ['from-core', 'to-core'];

describe('the commands of a network', () => {
  it('give everybody an address of their own', () => {
    const all = [...hosts, ...cores.map(coreHost)];
    assert.equal(new Set(all).size, all.length);
    for (const host of all) assert.match(host, /^10\.77\.0\.\d+$/);
  });

  it('let whoever does not choose speak from the front', () => {
    const addresses = hubCommands(cores.length).filter((command) => command.startsWith('address add'));
    assert.equal(addresses[0], 'address add 10.77.0.1/24 dev hub');
    assert.equal(addresses.length, hosts.length);
  });

  it('make every neighbour known on both sides, so that silence is never reported', () => {
    for (const core of cores) {
      const [there] = plugCommands(core, 4_711).filter((command) => command.startsWith('neighbour'));
      const [, hardware] = /lladdr (\S+) nud permanent/.exec(there ?? '') ?? [];
      assert.ok(coreCommands(core, cores.length).includes(`link set hub address ${hardware} up`));
      for (const host of hosts) {
        assert.ok(coreCommands(core, cores.length).some((command) => command.startsWith(`neighbour replace ${host} `)));
      }
    }
  });

  it('have no way out of the namespace in its main table', () => {
    for (const command of [
      ...hubCommands(cores.length),
      ...cores.flatMap((core) => coreCommands(core, cores.length)),
    ]) {
      if (command.includes('route add default')) assert.match(command, / table 77$/);
    }
  });
});

describe('a cut', () => {
  const all = cores.flatMap((core) => [
    isolation(core),
    ...sides.flatMap((side) => ways.map((way) => loss(core, side, way, cores.length))),
    ...cores.filter((other) => other !== core).flatMap((other) => parting(core, other)),
  ]);

  it('is healed by the opposite of what made it', () => {
    const opposites = [
      [' down', ' up'],
      ['route add ', 'route del '],
      ['rule add ', 'rule del '],
    ] as const;
    for (const { cut, heal } of all) {
      assert.ok(cut.length > 0 && cut.length === heal.length);
      for (const [index, done] of cut.entries()) {
        assert.ok(
          opposites.some(([before, after]) => done.includes(before) && heal[index] === done.replace(before, after)),
          `${done} / ${heal[index]}`,
        );
      }
    }
  });

  it('is another one for every process, side, way and pair', () => {
    const known = all.map(({ where, cut }) => JSON.stringify([where, cut]));
    assert.equal(new Set(known).size, all.length);
    assert.deepEqual(loss(2, 'peers', 'from-core', cores.length).where, { core: 2 });
    assert.match(
      loss(2, 'data', 'to-core', cores.length).cut[0] ?? '',
      /^rule add from 10\.77\.0\.2 to 10\.77\.0\.12 /,
    );
  });

  it('between two processes is of what one says to the other, and of what it is told in return', () => {
    assert.deepEqual(parting(1, 3), [
      { where: { core: 1 }, cut: [`route add ${toNobody}`], heal: [`route del ${toNobody}`] },
      { where: 'hub', cut: [`rule add ${fromThird}`], heal: [`rule del ${fromThird}`] },
    ]);
  });
});

const toNobody = '10.77.0.23/32 via 10.77.0.254 dev hub';
const fromThird = 'from 10.77.0.23 to 10.77.0.11 lookup 77';
