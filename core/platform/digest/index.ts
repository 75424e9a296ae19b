/** SHA-256 of texts, as core writes it down. Must not know what is hashed, or why. */
import { hash } from 'node:crypto';

/** Of the text in UTF-8: 64 lower-case hex characters. */
export function sha256Hex(text: string): string {
  return hash('sha256', text, 'hex');
}

/** The first 128 bits of it, which tell requests of one account apart: 32 lower-case hex characters. */
export function sha256Hex128(text: string): string {
  return sha256Hex(text).slice(0, 32);
}
