/** A file of HTTP requests that a generator sends round and round: eight digits of length, then the request's bytes. */
import { writeFileSync } from 'node:fs';

export interface PlannedRequest {
  readonly method: 'GET' | 'POST';
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export const LENGTH_DIGITS = 8;

export function writeRequests(path: string, requests: readonly PlannedRequest[]): void {
  const texts = requests.map(requestText);
  writeFileSync(
    path,
    texts.map((text) => String(Buffer.byteLength(text)).padStart(LENGTH_DIGITS, '0') + text).join(''),
  );
}

function requestText({ method, target, headers = {}, body }: PlannedRequest): string {
  return [
    `${method} ${target} HTTP/1.1`,
    'host: edge.local',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : ['content-type: application/json', `content-length: ${Buffer.byteLength(body)}`]),
    '',
    body ?? '',
  ].join('\r\n');
}
