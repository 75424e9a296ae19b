/** One request of our own clients and its answer, over kept connections. */
import { type Agent, type IncomingMessage, request } from 'node:http';

export interface HttpRequest {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  /** null: none. */
  readonly body: string | null;
  /** Without a byte for so long the connection is given up. */
  readonly timeoutMs: number;
}

export interface HttpAnswer {
  /** 0: no HTTP answer at all; `text` says what the connection did. */
  readonly status: number;
  readonly text: string;
  readonly retryAfterS: number | null;
  readonly contentType: string;
  /** The outcome of an earlier request with the same Idempotency-Key. */
  readonly isReplayed: boolean;
}

/** Never rejects: a connection that fails is an outcome, with status 0 and the reason as its text. */
export function exchange(agent: Agent, { url, method, headers, body, timeoutMs }: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve) => {
    const fail = (reason: string): void => {
      resolve({ status: 0, text: reason, retryAfterS: null, contentType: '', isReplayed: false });
    };
    const ofBody = body === null ? {} : { 'content-length': Buffer.byteLength(body) };
    const sending = request(url, { agent, method, timeout: timeoutMs, headers: { ...headers, ...ofBody } });
    sending.once('response', (response) => read(response, resolve, fail));
    sending.once('timeout', () => sending.destroy(new Error('no answer in time')));
    sending.once('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    sending.end(body ?? undefined);
  });
}

function read(response: IncomingMessage, resolve: (answer: HttpAnswer) => void, fail: (reason: string) => void): void {
  let text = '';
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    text += chunk;
  });
  response.once('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
  response.once('end', () => {
    const retryAfter = Number(response.headers['retry-after']);
    resolve({
      status: response.statusCode ?? 0,
      text,
      retryAfterS: Number.isFinite(retryAfter) ? retryAfter : null,
      contentType: response.headers['content-type'] ?? '',
      isReplayed: response.headers['idempotent-replayed'] === 'true',
    });
  });
}
