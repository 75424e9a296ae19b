/**
 * `npm run giftcards:decrypt -- --key private.pem --public`                     the public key, as a bulk issue takes it
 * `npm run giftcards:decrypt -- --key private.pem --out cards.ndjson codes.ndjson`   the codes, a card per line
 *
 * Make a key with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out private.pem`. What is written is as good
 * as money: the file is made for its owner only, and never over another. Everything is read line by line, however large.
 *
 * Ends with 0, and how many cards there were; 1: a line is not for this key, or was changed; 2: it was called wrongly.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { createReadStream, createWriteStream, openSync, readFileSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { giftcardBatches } from '@local-plus/contracts';
import { decryptLine } from './jwe.ts';

const EXIT_FOUND = 1;
const EXIT_MISUSED = 2;
const OWNER_ONLY = 0o600;

/** One plain sentence for the person at the terminal. */
class Misuse extends Error {}

async function main(): Promise<void> {
  const { values, positionals } = readArguments();
  const key = readKey(values.key);
  if (values.public) {
    console.log(JSON.stringify(publicKeyOf(key)));
    return;
  }
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new Misuse('Name the one file with the encrypted codes.');
  if (values.out === undefined) throw new Misuse('Name with --out the file that the codes are to be written to.');
  let count = 0;
  async function* cards(): AsyncGenerator<string> {
    for await (const line of createInterface({
      input: createReadStream(file ?? ''),
      crlfDelay: Number.POSITIVE_INFINITY,
    })) {
      if (line === '') continue;
      yield `${cardOf(line, count + 1, key)}\n`;
      count++;
    }
  }
  // `wx`: nothing is written over.
  const out = openSync(values.out, 'wx', OWNER_ONLY);
  try {
    await pipeline(Readable.from(cards()), createWriteStream(values.out, { fd: out }));
  } catch (error) {
    // Half of the codes are none.
    rmSync(values.out);
    throw error;
  }
  console.log(`${count} cards are in ${values.out}. Confirm this number, and the service deletes its copy.`);
}

function cardOf(line: string, number: number, key: KeyObject): string {
  try {
    return JSON.stringify(giftcardBatches.fileCard.parse(JSON.parse(decryptLine(line, key))));
  } catch (cause) {
    throw new Error(`Line ${number} is not encrypted to this key, or was changed.`, { cause });
  }
}

function publicKeyOf(key: KeyObject): giftcardBatches.PublicKey {
  const { kty, crv, x, y } = createPublicKey(key).export({ format: 'jwk' });
  return giftcardBatches.publicKey.parse({ kty, crv, x, y });
}

function readKey(path: string | undefined): KeyObject {
  if (path === undefined) throw new Misuse('Name your private key with --key.');
  let key: KeyObject;
  try {
    key = createPrivateKey(readFileSync(path));
  } catch (cause) {
    throw new Misuse(`${path} holds no private key that can be read.`, { cause });
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new Misuse(`${path} holds no key of the curve P-256.`);
  return key;
}

function readArguments() {
  try {
    return parseArgs({
      options: { key: { type: 'string' }, out: { type: 'string' }, public: { type: 'boolean', default: false } },
      allowPositionals: true,
    });
  } catch (cause) {
    throw new Misuse(
      'Usage: npm run giftcards:decrypt -- --key private.pem (--public | --out cards.ndjson codes.ndjson)',
      {
        cause,
      },
    );
  }
}

main().catch((error: unknown) => {
  const isMisuse = error instanceof Misuse;
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = isMisuse ? EXIT_MISUSED : EXIT_FOUND;
});
