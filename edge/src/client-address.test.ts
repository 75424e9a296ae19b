import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addressKey, parseAddress } from './client-address.ts';

const good: readonly (readonly [string, string, string])[] = [
  ['192.0.2.1', '192.0.2.1', '192.0.2.1'],
  ['0.0.0.0', '0.0.0.0', '0.0.0.0'],
  ['255.255.255.255', '255.255.255.255', '255.255.255.255'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::9', '2001:db8:1:2:0:0:0:9', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:0002:ffff::', '2001:db8:1:2:ffff:0:0:0', '2001:db8:1:2::/64'],
  ['::1', '0:0:0:0:0:0:0:1', '0:0:0:0::/64'],
  ['::', '0:0:0:0:0:0:0:0', '0:0:0:0::/64'],
  ['::ffff:192.0.2.1', '192.0.2.1', '192.0.2.1'],
  ['::ffff:c000:201', '192.0.2.1', '192.0.2.1'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0:0:0:c000:201', '64:ff9b:0:0::/64'],
];
const bad = [
  '',
  '-',
  '1.2.3',
  '1.2.3.4.5',
  '1.2.3.256',
  '01.2.3.4',
  '1.2.3.4.',
  'a',
  ':',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '12345::',
  '::g',
  '1:2:3:4:5:6:7::8',
  '::1.2.3',
  'fe80::1%eth0',
  '[::1]',
  ' 1.2.3.4',
  '1.2.3.4\n',
  '1:2:3:4:5:6:7:',
  ':1:2:3:4:5:6:7',
];

describe('addresses', () => {
  for (const [text, canonical, key] of good) {
    it(`${text} is ${canonical}, counted as ${key}`, () => {
      assert.equal(parseAddress(text), canonical);
      assert.equal(addressKey(canonical), key);
    });
  }
  for (const text of bad) {
    it(`${JSON.stringify(text)} is none`, () => assert.equal(parseAddress(text), null));
  }

  it('one subscriber cannot leave its /64 by spelling', () => {
    const spellings = ['2001:db8::1', '2001:DB8:0::2', '2001:0db8:0000:0000:ffff:ffff:ffff:ffff', '2001:db8:0:0:1::'];
    assert.equal(new Set(spellings.map((text) => addressKey(parseAddress(text) as string))).size, 1);
  });
});
