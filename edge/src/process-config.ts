/**
 * What an edge that is a process of its own (Deno, Node) is told besides config.ts; a Worker has its platform for it.
 *
 * - `CLIENT_ADDRESS_HEADER`: the header in which a proxy in front says the client's address, one and nothing else. Only
 *   for proxies that set it whatever the client sent; absent, the connection's address counts.
 * - `METRICS_PORT`: where `GET /metrics` is answered, on the loopback interface only; absent: nowhere.
 */

export interface ProcessConfig {
  /** Lower case. */
  readonly clientAddressHeader: string | null;
  readonly metricsPort: number | null;
}

export const metricsPath = '/metrics';
export const metricsMediaType = 'text/plain; version=0.0.4; charset=utf-8';

export function parseProcessConfig(bindings: Readonly<Record<string, unknown>>, faults: string[]): ProcessConfig {
  const header = String(bindings['CLIENT_ADDRESS_HEADER'] ?? '').toLowerCase();
  if (!/^[a-z0-9-]{0,64}$/.test(header)) faults.push('CLIENT_ADDRESS_HEADER is not the name of a header');
  const metricsPort = parsePort('METRICS_PORT', bindings['METRICS_PORT'], faults);
  return { clientAddressHeader: header === '' ? null : header, metricsPort };
}

/** Null when absent; 0: any free one. */
export function parsePort(name: string, value: unknown, faults: string[]): number | null {
  if (value === undefined || value === '') return null;
  const isPort = /^[0-9]{1,5}$/.test(String(value)) && Number(value) <= 65_535;
  if (!isPort) faults.push(`${name} is not a port`);
  return isPort ? Number(value) : null;
}

/**
 * The client's address: the header's where it is trusted and there, else the connection's. A header that came twice
 * arrives joined, is no address, and makes the caller nobody in particular.
 */
export function clientAddressOf(
  { clientAddressHeader }: ProcessConfig,
  headers: Headers,
  connection: string | null,
): string | null {
  return (clientAddressHeader === null ? null : headers.get(clientAddressHeader)) ?? connection;
}
