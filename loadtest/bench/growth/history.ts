/** How a page of an account's history costs by its depth: cursor by cursor from the newest transaction to the oldest. */
import { Agent, request } from 'node:http';
import { z } from 'zod';
import { limits } from '../../limits.ts';
import { headerNames, sign } from '../../signing.ts';
import { formatNumber } from '../../table.ts';
import { median } from '../report/statistics.ts';
import type { HttpSide } from '../side.ts';
import { startOurs } from '../sides/ours.ts';
import type { Curve } from './curve.ts';
import { fillLedger } from './fill.ts';

const PAGE_ROWS = 100;
const PAGES = 1_000;
/** From which page to which: ten each. */
const DEPTHS = [1, 11, 91, 491, 991];
const PAGES_OF_A_DEPTH = 10;

const page = z.looseObject({ data: z.array(z.unknown()), next_cursor: z.string().nullable() });

export const history: Curve = async ({ environment, rounds }) => {
  const side = environment.keep(
    await startOurs(environment.surroundings, {
      label: 'growth-history',
      fill: (databaseUrl, tenant) => fillLedger(databaseUrl, tenant, { wallets: 1, rows: PAGE_ROWS * PAGES }),
    }),
  );
  const pages = new Pages(side);
  const timesMs = new Map(DEPTHS.map((depth) => [depth, [] as number[]]));
  try {
    // The first walk warms up, and is not counted.
    for (let round = 0; round <= rounds; round++) {
      let cursor: string | null = null;
      for (let number = 1; number <= PAGES; number++) {
        const startedMs = performance.now();
        const { data, next_cursor: next } = await pages.read(cursor);
        const tookMs = performance.now() - startedMs;
        if (data.length !== PAGE_ROWS) throw new Error(`page ${number} has ${data.length} rows`);
        const depth = DEPTHS.find((first) => number >= first && number < first + PAGES_OF_A_DEPTH);
        if (depth !== undefined && round > 0) timesMs.get(depth)?.push(tookMs);
        cursor = next;
        if (cursor === null && number < PAGES) throw new Error(`the history ends on page ${number}`);
      }
      console.log(`walk ${round} of ${rounds}: ${PAGES} pages`);
    }
  } finally {
    pages.close();
  }
  const first = median(timesMs.get(1) ?? []);
  return {
    table: {
      title: `Pages of a history of ${formatNumber(PAGE_ROWS * PAGES)} transactions, ${PAGE_ROWS} each, one client`,
      columns: ['pages', 'median ms', 'lowest', 'highest', '÷ first'],
      rows: [...timesMs].map(([depth, times]) => [
        `${formatNumber(depth)} to ${formatNumber(depth + PAGES_OF_A_DEPTH - 1)}`,
        formatNumber(median(times), 2),
        formatNumber(Math.min(...times), 2),
        formatNumber(Math.max(...times), 2),
        formatNumber(median(times) / first, 2),
      ]),
    },
  };
};

class Pages {
  readonly #side: HttpSide;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(side: HttpSide) {
    this.#side = side;
  }

  async read(cursor: string | null): Promise<z.infer<typeof page>> {
    const { signingKey, caller, walletIds } = this.#side;
    const after = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const target = `/v1/wallets/${walletIds[0]}/transactions?limit=${PAGE_ROWS}${after}`;
    const unsigned = { method: 'GET', target, idempotencyKey: '', body: '' } as const;
    const { context, signature } = sign(signingKey, caller, unsigned, Date.now());
    const { status, text } = await this.#get(target, {
      [headerNames.context]: context,
      [headerNames.signature]: signature,
    });
    if (status !== 200) throw new Error(`GET ${target} answered ${status}: ${text}`);
    return page.parse(JSON.parse(text));
  }

  close(): void {
    this.#agent.destroy();
  }

  #get(path: string, headers: Record<string, string>): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const asking = request(
        { agent: this.#agent, host: '127.0.0.1', port: this.#side.port, path, headers, timeout: limits.requestMs },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk;
          });
          response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
          response.once('error', reject);
        },
      );
      asking.once('timeout', () => asking.destroy(new Error(`no answer within ${limits.requestMs} ms`)));
      asking.once('error', reject);
      asking.end();
    });
  }
}
