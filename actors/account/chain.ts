/**
 * What a link of an account's hash chain is made of. The link is the lower-case hex SHA-256 of this text in UTF-8; the
 * digest itself is a port.
 *
 * The text is a JSON array of every stored field in fixed order, so that whoever holds the rows can make it again, in any
 * language. It is made for every transaction: ids, names and numbers are put in as they are; what people wrote is escaped.
 */
import type { RequestFacts } from '../ports.ts';
import type { Lot, Posting, PostingDetail } from './model.ts';

/**
 * @param previous the account's link before: 64 lower-case hex characters; null: this is its first
 */
export function chainText(
  previous: string | null,
  row: { readonly facts: RequestFacts; readonly posting: Posting },
): string {
  const { facts, posting } = row;
  const identity = `${quoted(previous)},"${facts.accountId}",${posting.version}`;
  const moved = `"${posting.kind}",${posting.amount},${posting.balanceDelta},${posting.balanceAfter},${posting.heldAfter}`;
  const made = `${posting.occurredAtMs},"${posting.contraAccountId}","${facts.programId}","${facts.requestId}"`;
  const asked = `${escaped(facts.idempotencyKey)},"${facts.requestHash}",${escaped(facts.reference)},${escaped(facts.metadata)}`;
  const beyond = `${quoted(posting.reversalOf)},${posting.baseVersion},${escaped(detailText(posting.detail))}`;
  return `[${identity},${moved},${made},${asked},${beyond}]`;
}

/** The JSON text of a detail as it is stored and hashed: its members in the order of {@link PostingDetail}. */
export function detailText(detail: PostingDetail | null): string | null {
  if (detail === null) return null;
  const members: string[] = [];
  if (detail.lots !== undefined) members.push(`"lots":${lotsText(detail.lots)}`);
  if (detail.hold !== undefined) members.push(`"hold":${detail.hold}`);
  if (detail.hold_expires_ms !== undefined) members.push(`"hold_expires_ms":${detail.hold_expires_ms}`);
  if (detail.released !== undefined) members.push(`"released":${detail.released}`);
  if (detail.captured !== undefined) members.push(`"captured":${lotsText(detail.captured)}`);
  if (detail.reverses !== undefined) members.push(`"reverses":${detail.reverses}`);
  if (detail.owed !== undefined) members.push(`"owed":${detail.owed}`);
  if (detail.reason !== undefined) members.push(`"reason":${JSON.stringify(detail.reason)}`);
  if (detail.partner !== undefined) members.push(`"partner":"${detail.partner}"`);
  if (detail.due !== undefined) members.push('"due":true');
  if (detail.across !== undefined) members.push('"across":true');
  if (detail.returns !== undefined) members.push(`"returns":${detail.returns}`);
  if (detail.rules !== undefined) members.push(`"rules":"${detail.rules}"`);
  if (detail.counters !== undefined) members.push(`"counters":${JSON.stringify(detail.counters)}`);
  if (detail.cleared !== undefined) members.push('"cleared":true');
  return `{${members.join()}}`;
}

function lotsText(lots: readonly Lot[]): string {
  return `[${lots.map(([day, amount]) => `[${day},${amount}]`).join()}]`;
}

/** Of ids and hashes: nothing in them needs escaping. */
function quoted(text: string | null): string {
  return text === null ? 'null' : `"${text}"`;
}

/** Of free text. An idempotency key is free text: it may contain quotes. */
function escaped(text: string | null): string {
  return text === null ? 'null' : JSON.stringify(text);
}
