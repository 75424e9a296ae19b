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
});
export type Secrets = z.infer<typeof secretsSchema>;

/** Reads the secrets of `dataDir`, or makes them. */
export function loadSecrets(dataDir: string): Secrets {
  const path = join(dataDir, 'secrets.json');
  const text = readFileIfAny(path);
  if (text === null) {
    const token = (): string => randomBytes(32).toString('base64url');
    const made: Secrets = { signing_key: `k1:${token()}`, admin_token: `lp_admin_${token()}` };
    writeFileAtomic(path, `${JSON.stringify(made, null, 2)}\n`, 0o600);
    return made;
  }
  chmodSync(path, 0o600);
  try {
    return secretsSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new StartError(`${path} does not hold the secrets it should; start with --fresh, or restore it.`, {
      cause: error,
    });
  }
}
