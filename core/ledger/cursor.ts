/**
 * History cursors: opaque, keyset, bound to their account. A cursor names the version to go on from; rows that arrive
 * later have higher versions, so a walk over the pages neither repeats nor misses one.
 */
import type { AccountId } from '@local-plus/contracts';

export function encodeCursor(accountId: AccountId, version: number): string {
  return Buffer.from(`${accountId.slice(-12)}.${version}`).toString('base64url');
}

/** The version, or null when the cursor is not one of this account's. */
export function decodeCursor(cursor: string, accountId: AccountId): number | null {
  const [account, digits = ''] = Buffer.from(cursor, 'base64url').toString('latin1').split('.');
  if (account !== accountId.slice(-12) || !/^[1-9][0-9]{0,15}$/.test(digits)) return null;
  const version = Number(digits);
  return Number.isSafeInteger(version) && encodeCursor(accountId, version) === cursor ? version : null;
}
