/** What one route is asked in its example. */
import type { Caller } from '../stack.ts';
import type { World } from './world.ts';

export interface Asked {
  /** The values of the path's parameters, in their order. */
  readonly params?: readonly string[];
  readonly query?: Readonly<Record<string, string>>;
  /** Lines of it where the route takes lines. */
  readonly body?: unknown;
  /** When absent: one of the world's merchant with the route's scope and no other; nobody where the route is public. */
  readonly caller?: Caller;
}

/** Makes what has to be there, and says what is asked then. */
export type Scene = (world: World) => Asked | Promise<Asked>;
