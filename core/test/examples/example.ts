/** One request of each route with its answer, as they stand in the OpenAPI document: really asked, really answered. */
import type { RouteId } from '@local-plus/contracts';

export interface Example {
  /** With the values of its parameters. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** A JSON document; lines of them where the route takes lines. */
  readonly body?: unknown;
  readonly answer: unknown;
}

export type Examples = Readonly<Partial<Record<RouteId, Example>>>;
