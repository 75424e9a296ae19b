/**
 * An answer that is sent while it is made, no faster than the client takes it.
 *
 *     asking the source → writing → (waiting for the client) → asking … → ended          gone, at any point
 *
 * - T1 the client's slowness reaches the source: at most two pieces wait in memory (a cork hides one full pipe, U4).
 * - T2 once gone, the response is never touched (X2); the source is told at once, and waited for (X3).
 * - T3 it ends: at `endsMs` the connection is ended, whatever is missing. What is missing is seen by the client, because the
 *   last chunk of the body is.
 */
import { requestIdHeader } from '@local-plus/contracts';
import type { StreamedAnswer } from './handler.ts';
import type { NativeResponse } from './uws.ts';

export class AnswerStream {
  readonly #response: NativeResponse;
  readonly #answer: StreamedAnswer;
  readonly #requestId: string;
  #isBegun = false;
  #isGone = false;
  #stopping: Promise<void> | null = null;
  /** Resolves when the client takes more; null: nobody waits for that. */
  #room: PromiseWithResolvers<void> | null = null;
  /** Resolves when the client is gone: nothing of the source's is waited for then but its `stop`. */
  readonly #leaving = Promise.withResolvers<null>();

  constructor(response: NativeResponse, answer: StreamedAnswer, requestId: string) {
    this.#response = response;
    this.#answer = answer;
    this.#requestId = requestId;
    response.onWritable(() => {
      this.#room?.resolve();
      return true;
    });
  }

  /**
   * Resolves when all is written, or when the source of a client that left has stopped: true in the first case. Rejects
   * with what the source threw; the connection is ended then, and the source stopped.
   */
  async run(): Promise<boolean> {
    const timer = setTimeout(() => this.#cut(), Math.max(0, this.#answer.endsMs - performance.now()));
    try {
      return await this.#pump();
    } catch (error) {
      this.#cut();
      throw error;
    } finally {
      clearTimeout(timer);
      await this.#stopping;
    }
  }

  /** The abort handler ran, or ran before there was anything to stream. */
  gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#stopping = this.#answer.source.stop();
    this.#leaving.resolve(null);
  }

  async #pump(): Promise<boolean> {
    while (!this.#isGone) {
      const piece = await Promise.race([this.#answer.source.next(), this.#leaving.promise]);
      if (this.#isGone) break;
      if (piece === null) {
        this.#end();
        return true;
      }
      if (this.#write(piece)) continue;
      this.#room = Promise.withResolvers();
      await Promise.race([this.#room.promise, this.#leaving.promise]);
      this.#room = null;
    }
    return false;
  }

  #write(piece: string): boolean {
    let isTaken = true;
    this.#response.cork(() => {
      this.#begin();
      isTaken = this.#response.write(piece);
    });
    return isTaken;
  }

  /** The connection stays: a server that stops closes it when nobody is served any more. */
  #end(): void {
    this.#response.cork(() => {
      this.#begin();
      this.#response.end('', false);
    });
  }

  #begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    writeHead(this.#response, this.#answer.mediaType, this.#requestId);
  }

  /** Makes the abort handler run, and so {@link gone}. */
  #cut(): void {
    if (!this.#isGone) this.#response.close();
  }
}

/** All that HEAD is answered with: how long the body would be is not known (RFC 9110 §8.6). */
export function writeStreamHead(response: NativeResponse, mediaType: string, requestId: string): void {
  response.cork(() => {
    writeHead(response, mediaType, requestId);
    response.endWithoutBody(undefined, false);
  });
}

function writeHead(response: NativeResponse, mediaType: string, requestId: string): void {
  response.writeStatus('200 OK');
  response.writeHeader('content-type', mediaType);
  response.writeHeader(requestIdHeader, requestId);
}
