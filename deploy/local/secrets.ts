/**
 * The secrets of one local stack: made at its first start, kept in a file that only its owner reads, deleted with the
 * data (`--fresh`). In deployment they come from a secret store; nothing here is meant for there.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { StartError } from './errors.ts';
import { readFileIfAny, writeFileAtomic } from './files.ts';

const secretsSchema = z.object({
  /** `k1:` and 32 bytes in base64url: with it the edge signs what it forwards. */
  signing_key: z.string().regex(/^[\w-]+:[\w-]{43}$/),
  admin_token: z.string().regex(/^lp_admin_[\w-]{43}$/),
  /** As the signing key: with it core hashes the codes of gift cards. Without it no code in the data is known any more. */
  giftcard_code_key: z.string().regex(/^[\w-]+:[\w-]{43}$/),
  /** With it core wraps the keys of customers' contact details. Without it nobody's can be read any more. */
  customer_key: z.string().regex(/^[\w-]+:[\w-]{43}$/),
});
export type Secrets = z.infer<typeof secretsSchema>;

const token = (): string => randomBytes(32).toString('base64url');

/** Secrets that later releases have added: data of an earlier one has nothing under them yet. */
const addedLater: Readonly<Record<'giftcard_code_key' | 'customer_key', () => string>> = {
  giftcard_code_key: () => `k1:${token()}`,
  customer_key: () => `k1:${token()}`,
};

/** Reads the secrets of `dataDir`, or makes them, all or those that its release did not know. */
export function loadSecrets(dataDir: string): Secrets {
  const path = join(dataDir, 'secrets.json');
  const text = readFileIfAny(path);
  if (text !== null) chmodSync(path, 0o600);
  try {
    const known: unknown = text === null ? firstSecrets() : JSON.parse(text);
    const added = Object.entries(addedLater).filter(([name]) => !Object.hasOwn(Object(known), name));
    const secrets = secretsSchema.parse({
      ...Object(known),
      ...Object.fromEntries(added.map(([name, make]) => [name, make()])),
    });
    if (text === null || added.length > 0) writeFileAtomic(path, `${JSON.stringify(secrets, null, 2)}\n`, 0o600);
    return secrets;
  } catch (error) {
    throw new StartError(`${path} does not hold the secrets it should; start with --fresh, or restore it.`, {
      cause: error,
    });
  }
}

function firstSecrets(): Omit<Secrets, keyof typeof addedLater> {
  return { signing_key: `k1:${token()}`, admin_token: `lp_admin_${token()}` };
}
