/**
 * What `npm start` prints when everything runs: what listens where, and the next three things to try.
 */
import { join, relative } from 'node:path';
import type { StackConfig } from './config.ts';
import type { DemoTenant } from './demo-setup.ts';
import type { StackParts } from './stack.ts';
import { stackFilePath } from './stack-file.ts';

export interface SummaryOptions {
  readonly config: StackConfig;
  readonly parts: StackParts;
  readonly tenant: DemoTenant | null;
  /** The demo's table; `null` when there was no demo. */
  readonly table: string | null;
  readonly tookS: number;
}

export function summary(options: SummaryOptions): string {
  const { config, parts, table, tookS } = options;
  const short = (path: string): string => relative(process.cwd(), path) || '.';
  const where: [string, string][] = [
    ['edge', `${parts.edgeUrl}  the public API, on workerd`],
    ['core', `${parts.coreUrl}  signed requests only; /metrics, /readyz`],
    ['Postgres', [parts.databaseUrl, ...parts.furtherDatabases.values()].map(withoutPassword).join('  ')],
    ['Kafka', parts.kafkaBrokers?.join(',') ?? 'not here: events wait in the ledger'],
    [
      'Valkey',
      parts.redisUrl === null ? 'not here: each process keeps its own cache' : withoutPassword(parts.redisUrl),
    ],
    ['logs', `${short(config.logDir)}/`],
    ['keys', `${short(stackFilePath(config.dataDir))}  addresses, API key, wallets; while this runs`],
  ];
  return [
    '',
    ...(table === null ? [] : [table, '']),
    `Local-Plus runs, after ${tookS.toFixed(1)} s.`,
    '',
    ...where.map(([name, text]) => `  ${name.padEnd(9)} ${text}`),
    '',
    'Three things to try next, in another terminal:',
    '',
    ...nextSteps(options, short),
    '',
    ...(config.once ? [] : ['Ctrl-C ends everything; the data stays. `npm start -- --fresh` begins anew.', '']),
  ].join('\n');
}

function nextSteps({ config, parts, tenant }: SummaryOptions, short: (path: string) => string): string[] {
  const walletId = tenant?.walletIds[0] ?? 'WALLET_ID';
  const stackFile = short(join(config.dataDir, 'stack.json'));
  return [
    '  1. Earn 250 points (again with the same key: the same answer, and nothing moves twice):',
    `       curl -i ${parts.edgeUrl}/v1/wallets/${walletId}/earn \\`,
    `         -H "Authorization: Bearer ${tenant?.apiKey ?? '$API_KEY'}" \\`,
    `         -H "Idempotency-Key: my-first-earn" -H "Content-Type: application/json" -d '{"amount": 250}'`,
    '  2. Drive it with k6 at 1,500 requests/s, then check the whole ledger:',
    '       npm run load',
    `  3. Look inside: metrics with \`curl ${parts.coreUrl}/metrics\`, what each part says in ${short(config.logDir)}/,`,
    `     the events on the topic ledger.transactions.v1, every address and key in ${stackFile}.`,
  ];
}

function withoutPassword(url: string): string {
  return url.replace(/:[^:@/]*@/, ':…@');
}
