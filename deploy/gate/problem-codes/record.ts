/**
 * Loaded before every test file (`node --import`): notes the code of each problem document that a test reads, over HTTP, from a
 * handler in its own process, in a line of bulk, or from a socket. The tests know nothing of it; `check.ts` says what none of them met.
 */
import { appendFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';

const dir = process.env['PROBLEM_CODES_DIR'];
const seen = new Set<string>();

const PROBLEM = /"status":(\d{3}),"code":"([a-z_]+)"/g;

function note(text: string): void {
  for (const [, status, code] of text.matchAll(PROBLEM)) seen.add(`${status} ${code}`);
}

/** Of a problem document, or of lines that may contain some. */
function isOfInterest(response: Response): boolean {
  return /^application\/(problem\+json|x-ndjson)/.test(response.headers.get('content-type') ?? '');
}

/** What a test reads from a socket by itself: an answer to what no client would send. */
function isRawAnswer(chunk: unknown): chunk is Buffer {
  return (
    Buffer.isBuffer(chunk) && chunk.length > RAW_START.length && chunk.subarray(0, RAW_START.length).equals(RAW_START)
  );
}
const RAW_START = Buffer.from('HTTP/1.1 4');

if (dir !== undefined) {
  const { text } = Response.prototype;
  const noted = async (response: Response): Promise<string> => {
    const read = await text.call(response);
    if (isOfInterest(response)) note(read);
    return read;
  };
  Object.assign(Response.prototype, {
    text(this: Response): Promise<string> {
      return noted(this);
    },
    async json(this: Response): Promise<unknown> {
      return JSON.parse(await noted(this));
    },
  });
  const { emit } = Socket.prototype;
  Socket.prototype.emit = function (event: string | symbol, ...values: unknown[]) {
    if (event === 'data' && isRawAnswer(values[0])) note(values[0].toString());
    return Reflect.apply(emit, this, [event, ...values]) as boolean;
  };
  process.on('exit', () => {
    if (seen.size > 0) appendFileSync(join(dir, `${process.pid}.txt`), `${[...seen].join('\n')}\n`);
  });
}
