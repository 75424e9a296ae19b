/** Contact details are opened by their customer's key only, in their customer's row only, and by nobody once it is destroyed. */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import type { CustomerId, customers, SigningKey } from '@local-plus/contracts';
import fc from 'fast-check';
import { CustomerKey, Vault } from './vault.ts';

const keyOf = (keyId: string): SigningKey => ({ keyId, secret: randomBytes(32) });
const [k1, k2] = [keyOf('k1'), keyOf('k2')];
const id = () => randomUUID() as CustomerId;
const contact: customers.Contact = { name: 'Ada Lovelace', email: 'ada@example.org', phone: '+4930123456' };

/** The text with one bit of its bytes turned. */
function damaged(base64: string, bit: number): string {
  const bytes = Buffer.from(base64, 'base64');
  const at = bit % (bytes.length * 8);
  bytes[at >> 3] = (bytes[at >> 3] as number) ^ (1 << (at & 7));
  return bytes.toString('base64');
}

describe('the vault', () => {
  it('opens what it sealed, and nothing of it can be read or told apart without the key', () => {
    const vault = new Vault([k1]);
    const customer = id();
    const { key, row } = vault.newKey(customer);
    const sealed = key.seal(contact);
    assert.deepEqual(vault.open(customer, row).unseal(sealed), contact);
    assert.notEqual(key.seal(contact), sealed, 'a nonce of its own each time');
    const bytes = Buffer.from(sealed, 'base64').toString('latin1');
    for (const value of Object.values(contact)) assert.ok(!bytes.includes(String(value)));
  });

  it('opens neither key nor contact of another customer, nor one that was changed (V1)', () => {
    const vault = new Vault([k1]);
    const [mine, other] = [id(), id()];
    const { key, row } = vault.newKey(mine);
    const sealed = key.seal(contact);
    const stranger = vault.newKey(other);
    assert.throws(() => vault.open(other, row));
    assert.throws(() => stranger.key.unseal(sealed));
    assert.throws(() => vault.open(mine, { ...row, key_id: 'k9' }), /k9, which is not configured/);
    assert.throws(() => new Vault([{ ...k2, keyId: 'k1' }]).open(mine, row), 'another key of the same name');
    const property = fc.property(fc.nat(), (bit) => {
      assert.throws(() => vault.open(mine, { ...row, wrapped: damaged(row.wrapped, bit) }));
      assert.throws(() => key.unseal(damaged(sealed, bit)));
    });
    fc.assert(property, { seed: 7, numRuns: 300 });
  });

  it('needs both the very key and the very customer', () => {
    const [mine, other] = [id(), id()];
    const bytes = randomBytes(32);
    const sealed = new CustomerKey(mine, bytes).seal(contact);
    assert.deepEqual(new CustomerKey(mine, bytes).unseal(sealed), contact);
    assert.throws(() => new CustomerKey(other, bytes).unseal(sealed));
    assert.throws(() => new CustomerKey(mine, randomBytes(32)).unseal(sealed));
  });

  it('wraps anew without touching what is sealed', () => {
    const customer = id();
    const { key, row } = new Vault([k1]).newKey(customer);
    const sealed = key.seal(contact);
    const rotating = new Vault([k2, k1]);
    assert.deepEqual(rotating.olderKeyIds, ['k1']);
    const rewrapped = rotating.rewrap(customer, row);
    assert.equal(rewrapped.key_id, 'k2');
    assert.deepEqual(new Vault([k2]).open(customer, rewrapped).unseal(sealed), contact);
    assert.throws(() => new Vault([k1]).open(customer, rewrapped));
  });

  it('tells requests apart by the customer’s key: without it a hash says nothing (V3)', () => {
    const vault = new Vault([k1]);
    const customer = id();
    const { key, row } = vault.newKey(customer);
    const hash = key.requestHash([contact]);
    assert.equal(vault.open(customer, row).requestHash([contact]), hash);
    assert.notEqual(key.requestHash([{ ...contact, name: 'Ada' }]), hash);
    assert.notEqual(vault.newKey(customer).key.requestHash([contact]), hash);
  });
});
