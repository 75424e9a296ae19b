/** HTTP/1.1 as our own clients read it: no further than the status and the end of an answer, one under way per connection. */

const HEAD_END = Buffer.from('\r\n\r\n');
const LENGTH = 'content-length: ';
const CHUNKS_END = Buffer.from('0\r\n\r\n');

/** One answer at most is under way on a connection, so a whole one is all there is. */
export function isWholeAnswer(bytes: Buffer): boolean {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return false;
  const head = bytes.toString('latin1', 0, headEnd + 2).toLowerCase();
  const at = head.indexOf(LENGTH);
  if (at < 0 && head.includes('transfer-encoding: chunked')) {
    return bytes.length >= headEnd + CHUNKS_END.length && bytes.subarray(-CHUNKS_END.length).equals(CHUNKS_END);
  }
  const length = at < 0 ? 0 : Number.parseInt(head.slice(at + LENGTH.length), 10);
  return bytes.length >= headEnd + HEAD_END.length + length;
}

export function statusOf(bytes: Buffer): number {
  return Number(bytes.toString('latin1', 9, 12));
}

/** Gathers an answer that comes in pieces. */
export class AnswerReader {
  #rest: Buffer | null = null;

  /** The status of a whole answer; null: there is more to come. */
  take(chunk: Buffer): number | null {
    const bytes: Buffer = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    if (!isWholeAnswer(bytes)) {
      this.#rest = bytes;
      return null;
    }
    this.#rest = null;
    return statusOf(bytes);
  }
}
