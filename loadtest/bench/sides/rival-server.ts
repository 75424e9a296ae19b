/**
 * What people would build instead: a plain server on the same HTTP library, driver and validation, over one of the
 * rival ledgers. It checks no signature and no API key, and announces nothing to Kafka: both are in its favour.
 *
 * Variables: `DATABASE_URL`, `PORT`, `POOL` (connections), `LEDGER` (a {@link RivalName}).
 */

import { App } from 'uWebSockets.js';
import {
  isUuid,
  type ProblemCode,
  parseIdempotencyKey,
  problem,
  problemMediaType,
  problemTable,
  readJson,
  requestIdHeader,
  uuidV7,
  validate,
  wallets,
} from '@local-plus/contracts';
import { openProcedureLedger } from './procedure-ledger.ts';
import { openQueueLedger } from './queue-ledger.ts';
import type { Answer, Posting, RivalLedger, RivalName } from './rival-ledger.ts';
import { openRowLockLedger } from './row-lock-ledger.ts';
import { openVersionCheckLedger } from './version-check-ledger.ts';

/** The few calls of uWebSockets.js that are used here. */
interface Request {
  getHeader(name: string): string;
  getParameter(index: number): string | undefined;
}
interface Response {
  onAborted(run: () => void): unknown;
  onData(run: (chunk: ArrayBuffer, isLast: boolean) => void): unknown;
  cork(run: () => void): unknown;
  writeStatus(status: string): unknown;
  writeHeader(name: string, value: string): unknown;
  end(body: string): unknown;
}

interface Head {
  readonly accountId: string;
  readonly idempotencyKey: string;
  readonly requestId: string;
}

const ledgers: Readonly<Record<RivalName, (databaseUrl: string, connectionsMax: number) => RivalLedger>> = {
  'row-lock': openRowLockLedger,
  procedure: openProcedureLedger,
  'version-check': openVersionCheckLedger,
  queue: openQueueLedger,
};

const { DATABASE_URL: databaseUrl = '', PORT: port = '0', POOL: pool = '32', LEDGER: name = '' } = process.env;
if (!(name in ledgers)) throw new Error(`LEDGER is any of ${Object.keys(ledgers).join(', ')}`);
const ledger = ledgers[name as RivalName](databaseUrl, Number(pool));

/** Requests that were read and not answered: whoever starts a round waits until there are none. */
let underWay = 0;

function handle(kind: 'earn' | 'burn', response: Response, request: Request): void {
  let isAborted = false;
  response.onAborted(() => {
    isAborted = true;
  });
  const requestId = request.getHeader(requestIdHeader);
  const head: Head = {
    accountId: request.getParameter(0) ?? '',
    idempotencyKey: request.getHeader('idempotency-key'),
    requestId: isUuid(requestId) ? requestId : uuidV7(Date.now()),
  };
  const send = (status: number, body: string, replayed = false): void => {
    if (isAborted) return;
    response.cork(() => {
      response.writeStatus(status === 201 ? '201 Created' : String(status));
      response.writeHeader('content-type', status < 400 ? 'application/json' : problemMediaType);
      response.writeHeader(requestIdHeader, head.requestId);
      if (replayed) response.writeHeader('idempotent-replayed', 'true');
      if (status === 429 || status === 503) response.writeHeader('retry-after', '1');
      response.end(body);
    });
  };
  const refuse = (code: ProblemCode): void =>
    send(problemTable[code].status, JSON.stringify(problem(code, head.requestId)));
  let text = Buffer.alloc(0);
  response.onData((chunk, isLast) => {
    text = text.length === 0 && isLast ? Buffer.from(chunk) : Buffer.concat([text, Buffer.from(chunk)]);
    if (!isLast) return;
    const posting = parse(kind, head, text);
    if (typeof posting === 'string') return refuse(posting);
    underWay++;
    ledger.post(posting).then(
      (answer: Answer) => {
        underWay--;
        if (answer.type === 'refused') refuse(answer.code);
        else send(201, JSON.stringify(answer.transaction), answer.replayed);
      },
      (error: unknown) => {
        underWay--;
        console.error(error);
        refuse('unavailable');
      },
    );
  });
}

function parse(kind: 'earn' | 'burn', head: Head, text: Uint8Array): Posting | ProblemCode {
  if (!isUuid(head.accountId)) return 'not_found';
  if (head.idempotencyKey === '') return 'idempotency_key_missing';
  if (parseIdempotencyKey(head.idempotencyKey) === null) return 'idempotency_key_invalid';
  const reading = readJson(text);
  if (!reading.ok) return 'invalid_json';
  const body = validate(wallets.post, reading.value);
  return body.ok ? { ...head, kind, body: body.value } : 'invalid_request';
}

const app = App();
app.post('/v1/wallets/:wallet_id/earn', (response, request) => handle('earn', response, request));
app.post('/v1/wallets/:wallet_id/burn', (response, request) => handle('burn', response, request));
app.get('/readyz', (response) => void response.end(JSON.stringify({ under_way: underWay })));
app.listen('127.0.0.1', Number(port), (socket) => {
  if (socket === false) throw new Error(`port ${port} is taken`);
  console.log(`${name} on ${port}, ${pool} connections, process ${process.pid}`);
});

process.on('SIGTERM', () => {
  app.close();
  ledger.close().then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
