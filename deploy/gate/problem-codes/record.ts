/**
 * Loaded before every test file (`node --import`): notes the code of each problem document that a test reads, over HTTP or from
 * a handler in its own process. The tests know nothing of it; `check.ts` says what none of them met.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';

const dir = process.env['PROBLEM_CODES_DIR'];
const seen = new Set<string>();

function note(response: Response, text: string): void {
  if (!response.headers.get('content-type')?.startsWith('application/problem+json')) return;
  const code = /"code":"([a-z_]+)"/.exec(text)?.[1];
  if (code !== undefined) seen.add(`${response.status} ${code}`);
}

if (dir !== undefined) {
  const { text } = Response.prototype;
  const noted = async (response: Response): Promise<string> => {
    const read = await text.call(response);
    note(response, read);
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
  process.on('exit', () => {
    if (seen.size > 0) appendFileSync(join(dir, `${process.pid}.txt`), `${[...seen].join('\n')}\n`);
  });
}
