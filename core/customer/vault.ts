/**
 * How contact details are kept: encrypted under a random key of the customer's own, which is itself wrapped by a key of the
 * configuration (AES-256-GCM, NIST SP 800-38D, with random nonces of 96 bits).
 *
 * - V1 what is encrypted, or wrapped, is bound to the customer's id: moved to another row, it cannot be opened.
 * - V2 destroying the wrapped key destroys what is encrypted under it, in the table and in every copy of that table.
 * - V3 what is remembered of a request (a hash, so that the same key with another request is seen) is keyed by the customer's
 *   own key: a plain hash of a telephone number is the number, to whoever tries them all.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { type CustomerId, customers, type SigningKey } from '@local-plus/contracts';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** A row of `customer_keys`; base64, because no statement takes bytes. */
export interface WrappedKey {
  /** Which key of the configuration wraps it. */
  readonly key_id: string;
  readonly wrapped: string;
}

/** A customer's key is wrapped by one that is not configured here: another process may know it, and this one may be told of it. */
export class UnknownKey extends Error {
  override readonly name = 'UnknownKey';

  constructor(keyId: string) {
    super(`a customer's key is wrapped by ${keyId}, which is not configured`);
  }
}

export class Vault {
  readonly #newest: SigningKey;
  readonly #keys: ReadonlyMap<string, SigningKey>;
  readonly #missing = new Set<string>();
  readonly #isMissing: (keyId: string) => void;

  /**
   * @param keys of 32 bytes each; the first one wraps what is new, each unwraps what is there
   * @param isMissing called once for each key that wraps something and is none of these
   */
  constructor(keys: readonly [SigningKey, ...SigningKey[]], isMissing: (keyId: string) => void = () => undefined) {
    this.#newest = keys[0];
    this.#keys = new Map(keys.map((key) => [key.keyId, key]));
    this.#isMissing = isMissing;
  }

  /** Keys that wrap nothing new any more. */
  get olderKeyIds(): readonly string[] {
    return [...this.#keys.keys()].filter((keyId) => keyId !== this.#newest.keyId);
  }

  /** A new customer's key, and what of it is written down. */
  newKey(customerId: CustomerId): { readonly key: CustomerKey; readonly row: WrappedKey } {
    const bytes = randomBytes(KEY_BYTES);
    return { key: new CustomerKey(customerId, bytes), row: this.#wrap(customerId, bytes) };
  }

  /** Throws {@link UnknownKey} when no configured key wraps it; another error when the row is not this customer's. */
  open(customerId: CustomerId, row: WrappedKey): CustomerKey {
    return new CustomerKey(customerId, this.#unwrap(customerId, row));
  }

  /** The same key, wrapped by the newest key of the configuration. */
  rewrap(customerId: CustomerId, row: WrappedKey): WrappedKey {
    return this.#wrap(customerId, this.#unwrap(customerId, row));
  }

  #wrap(customerId: CustomerId, bytes: Buffer): WrappedKey {
    const { keyId, secret } = this.#newest;
    return { key_id: keyId, wrapped: seal(secret, `customer key\n${keyId}\n${customerId}`, bytes).toString('base64') };
  }

  #unwrap(customerId: CustomerId, { key_id, wrapped }: WrappedKey): Buffer {
    const key = this.#keys.get(key_id);
    if (key === undefined) {
      if (!this.#missing.has(key_id)) this.#isMissing(key_id);
      this.#missing.add(key_id);
      throw new UnknownKey(key_id);
    }
    return unseal(key.secret, `customer key\n${key_id}\n${customerId}`, Buffer.from(wrapped, 'base64'));
  }
}

/** The key of one customer, open. */
export class CustomerKey {
  readonly #customerId: CustomerId;
  readonly #contacts: Buffer;
  readonly #hashes: Buffer;

  constructor(customerId: CustomerId, bytes: Buffer) {
    this.#customerId = customerId;
    this.#contacts = derived(bytes, 'contact');
    this.#hashes = derived(bytes, 'request hash');
  }

  /** Base64. */
  seal(contact: customers.Contact): string {
    return seal(this.#contacts, this.#about, Buffer.from(JSON.stringify(contact))).toString('base64');
  }

  /** Throws when it was changed, or is another customer's. */
  unseal(sealed: string): customers.Contact {
    const text = unseal(this.#contacts, this.#about, Buffer.from(sealed, 'base64')).toString();
    return customers.contact.parse(JSON.parse(text));
  }

  /** Of what a request asks, member by member in a fixed order: lower-case hex (V3). */
  requestHash(parts: readonly unknown[]): string {
    return createHmac('sha256', this.#hashes).update(JSON.stringify(parts)).digest('hex');
  }

  get #about(): string {
    return `customer contact\n${this.#customerId}`;
  }
}

/** One key for one purpose (RFC 5869). */
function derived(bytes: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', bytes, '', `customer ${purpose}`, KEY_BYTES));
}

function seal(key: Uint8Array, about: string, content: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(about));
  return Buffer.concat([nonce, cipher.update(content), cipher.final(), cipher.getAuthTag()]);
}

function unseal(key: Uint8Array, about: string, sealed: Buffer): Buffer {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const tag = sealed.subarray(sealed.length - TAG_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(about))
    .setAuthTag(tag);
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
}
