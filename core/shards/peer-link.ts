/**
 * The link to one other process of core: messages of several questions each, signed as the edge signs, on connections that
 * are kept. What became of a message is told apart: `answered`; `not_taken`, and then nothing of it happened; `unknown`.
 *
 * Bounded: messages under way (whoever sends asks `hasRoom`), the time of each, the size of an answer.
 */
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { coreSubject, internalPaths, type SigningKey } from '@local-plus/contracts';
import { signHeaders } from '../platform/http/index.ts';
import { type Reply, repliesOf } from './wire.ts';

export type Fate =
  | { readonly type: 'answered'; readonly replies: readonly Reply[] }
  | { readonly type: 'not_taken'; readonly why: string }
  | { readonly type: 'unknown'; readonly why: string };

export interface PeerLinkOptions {
  /** `host:port` */
  readonly address: string;
  readonly signingKey: SigningKey;
  readonly messagesMax: number;
  readonly answerBytesMax: number;
}

const target = internalPaths.peers;

/** What the header of a signed request has room for. */
const TIME_MS_MAX = 999_999;

/** An idle connection is closed by us before the server does (10 s), so that no message meets a closing one. */
const IDLE_MS = 4_000;

/** The connection never was: so nothing of the message was read. */
const NEVER_CONNECTED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

export class PeerLink {
  readonly #options: PeerLinkOptions;
  readonly #agent: Agent;
  readonly #host: string;
  readonly #port: string;
  #underWay = 0;

  constructor(options: PeerLinkOptions) {
    this.#options = options;
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.messagesMax, timeout: IDLE_MS });
    const colon = options.address.lastIndexOf(':');
    this.#host = options.address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
    this.#port = options.address.slice(colon + 1);
  }

  get address(): string {
    return this.#options.address;
  }

  get hasRoom(): boolean {
    return this.#underWay < this.#options.messagesMax;
  }

  /** Never rejects. @param timeMs what is over already is given up a moment later */
  send(body: string, count: number, timeMs: number): Promise<Fate> {
    this.#underWay++;
    return new Promise<Fate>((resolve) => {
      const request = this.#request(body, Math.min(TIME_MS_MAX, Math.max(1, Math.ceil(timeMs))));
      let isAnswered = false;
      // Aborts count as not answered, too: one of these comes first, the others change nothing any more.
      request.on('response', (response) => {
        isAnswered = true;
        this.#read(response).then(
          (text) => resolve(fateOf(response.statusCode ?? 0, text, count)),
          (cause: unknown) => resolve({ type: 'unknown', why: String(cause) }),
        );
      });
      request.on('error', (cause: NodeJS.ErrnoException) => {
        if (isAnswered) return;
        const isUntouched = NEVER_CONNECTED.has(cause.code ?? '');
        resolve({ type: isUntouched ? 'not_taken' : 'unknown', why: cause.code ?? cause.message });
      });
      request.end(body);
    }).finally(() => {
      this.#underWay--;
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  #request(body: string, timeMs: number): ClientRequest {
    const context = { subject: coreSubject, budgetMs: timeMs };
    return httpRequest({
      agent: this.#agent,
      host: this.#host,
      port: this.#port,
      method: 'POST',
      path: target,
      headers: {
        ...signHeaders(this.#options.signingKey, { method: 'POST', target, body, context }),
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      },
      signal: AbortSignal.timeout(timeMs),
    });
  }

  async #read(response: IncomingMessage): Promise<string> {
    const pieces: Buffer[] = [];
    let bytes = 0;
    for await (const piece of response as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes > this.#options.answerBytesMax) throw new Error('the answer is too large');
      pieces.push(piece);
    }
    return Buffer.concat(pieces).toString('utf8');
  }
}

function fateOf(status: number, text: string, count: number): Fate {
  if (status === 200) {
    try {
      return { type: 'answered', replies: repliesOf(text, count) };
    } catch (cause) {
      return { type: 'unknown', why: `the answer cannot be read: ${String(cause)}` };
    }
  }
  // A refusal is of the message as a whole, before anything of it was begun.
  const isRefusal = (status >= 400 && status < 500) || status === 503;
  return { type: isRefusal ? 'not_taken' : 'unknown', why: `status ${status}` };
}

export interface PeerLinksOptions extends Omit<PeerLinkOptions, 'address'> {
  /** null: nobody knows. */
  readonly addressOf: (writerId: number) => string | null;
}

/** One link per process; a process that has moved gets a new one, and what is under way on the old one comes to its end. */
export class PeerLinks {
  readonly #options: PeerLinksOptions;
  readonly #links = new Map<number, PeerLink>();

  constructor(options: PeerLinksOptions) {
    this.#options = options;
  }

  linkTo(writerId: number): PeerLink | null {
    const address = this.#options.addressOf(writerId);
    if (address === null) return null;
    const known = this.#links.get(writerId);
    if (known?.address === address) return known;
    const link = new PeerLink({ ...this.#options, address });
    this.#links.set(writerId, link);
    return link;
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
  }
}
