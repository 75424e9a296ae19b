/**
 * What wrk does with wrk-cycle.lua, for machines without it: raw sockets, closed loop, answers read no further than
 * status and length. Its own process; prints one line of JSON.
 *
 *     node loadtest/edge/cycle-client.ts FILE PORT CONNECTIONS SECONDS
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { LENGTH_DIGITS } from './requests.ts';

const HEAD_END = Buffer.from('\r\n\r\n');
const CHUNKS_END = Buffer.from('\r\n0\r\n\r\n');
/** An answer that is later than this, after the end, does not come. */
const LAST_ANSWER_MS = 10_000;

function readRequests(path: string): Buffer[] {
  const bytes = readFileSync(path);
  const requests: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const start = at + LENGTH_DIGITS;
    const end = start + Number(bytes.toString('latin1', at, start));
    requests.push(bytes.subarray(start, end));
    at = end;
  }
  return requests;
}

/** One answer at most is under way, so a whole one is all there is. */
function isWhole(bytes: Buffer): boolean {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return false;
  const head = bytes.toString('latin1', 0, headEnd + 2).toLowerCase();
  const length = /\r\ncontent-length: (\d+)\r\n/.exec(head)?.[1];
  if (length !== undefined) return bytes.length >= headEnd + HEAD_END.length + Number(length);
  if (!head.includes('\r\ntransfer-encoding: chunked\r\n')) return true;
  return bytes.subarray(-CHUNKS_END.length).equals(CHUNKS_END);
}

const [file = '', port = '0', connections = '1', seconds = '1'] = process.argv.slice(2);
const requests = readRequests(file);
const latenciesMs: number[] = [];
let at = 0;
let notOk = 0;
let broken = 0;
let isOver = false;

/** Sends on one connection until the end; resolves when its last answer is there. */
function drive(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    let sentMs = 0;
    let rest: Buffer | null = null;
    const finish = (): void => {
      socket.destroy();
      resolve();
    };
    const send = (): void => {
      if (isOver) return finish();
      sentMs = performance.now();
      socket.write(requests[at++ % requests.length] as Buffer);
    };
    const fail = (): void => {
      broken++;
      finish();
    };
    socket.once('error', fail).once('end', fail).setTimeout(LAST_ANSWER_MS, fail);
    socket.on('data', (chunk: Buffer) => {
      const bytes: Buffer = rest === null ? chunk : Buffer.concat([rest, chunk]);
      rest = bytes;
      if (!isWhole(bytes)) return;
      rest = null;
      latenciesMs.push(performance.now() - sentMs);
      const status = Number(bytes.toString('latin1', 9, 12));
      if (status >= 400) notOk++;
      send();
    });
    socket.once('connect', send);
  });
}

const startedMs = performance.now();
let elapsedMs = 0;
setTimeout(() => {
  isOver = true;
  elapsedMs = performance.now() - startedMs;
}, Number(seconds) * 1_000);
await Promise.all(
  Array.from({ length: Number(connections) }, () =>
    drive(connect({ port: Number(port), host: '127.0.0.1', noDelay: true })),
  ),
);
const sorted = Float64Array.from(latenciesMs).sort();
const percentile = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
const answers = sorted.length;
console.log(JSON.stringify({ answers, notOk, broken, elapsedMs, p50Ms: percentile(0.5), p99Ms: percentile(0.99) }));
