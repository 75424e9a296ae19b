/**
 * The paths for machines: /healthz, /readyz, /metrics, /openapi.json. Unsigned; they tell nothing of any tenant.
 *
 * - R1 readiness tells the truth: what decides is asked in the background, so that a probe is answered at once, and
 *   by what was found no longer ago than the probe's own interval and time-out.
 */
import { endAsTaken } from './answers.ts';
import type { NativeApp, NativeHandler, NativeResponse } from './uws.ts';

export interface Readiness {
  readonly ok: boolean;
  /** Plain words for whatever decides against. */
  readonly reasons: readonly string[];
  /** What is shown, whether it decides or not. */
  readonly parts: Readonly<Record<string, string>>;
}

export interface HealthPorts {
  readonly readiness: () => Readiness;
  readonly metrics: { readonly contentType: string; render(): Promise<string> };
  /** JSON text. */
  readonly openapi: string;
  /** Told of a scrape that failed. */
  readonly failed: (error: unknown) => void;
}

/** There is nothing to give up; but without a handler an answer cannot be taken by and by. */
const nothing = (): void => undefined;

export function registerHealth(app: NativeApp, ports: HealthPorts): void {
  const now = (path: string, run: (response: NativeResponse) => void) => {
    app.get(path, (response) => {
      response.onAborted(nothing);
      run(response);
    });
  };
  now('/healthz', (response) => reply(response, '200 OK', 'application/json', '{"status":"alive"}'));
  now('/readyz', (response) => {
    const { ok, reasons, parts } = ports.readiness();
    const body = JSON.stringify({ status: ok ? 'ready' : 'not_ready', reasons, parts });
    reply(response, ok ? '200 OK' : '503 Service Unavailable', 'application/json', body);
  });
  now('/openapi.json', (response) => reply(response, '200 OK', 'application/json', ports.openapi));
  app.get('/metrics', scrape(ports));
}

function reply(response: NativeResponse, status: string, contentType: string, body: string): void {
  response.writeStatus(status);
  response.writeHeader('content-type', contentType);
  if (status.startsWith('503')) response.writeHeader('retry-after', '1');
  response.writeHeader('cache-control', 'no-store');
  endAsTaken(response, body);
}

function scrape(ports: HealthPorts): NativeHandler {
  return (response) => {
    let isOpen = true;
    response.onAborted(() => {
      isOpen = false;
    });
    const answer = (status: string, contentType: string, body: string) => {
      if (isOpen) response.cork(() => reply(response, status, contentType, body));
    };
    ports.metrics.render().then(
      (text) => answer('200 OK', ports.metrics.contentType, text),
      (error: unknown) => {
        ports.failed(error);
        answer('500 Internal Server Error', 'text/plain', 'The metrics could not be read.\n');
      },
    );
  };
}
