/**
 * The identity module: which customers' tokens are refused before they expire. Owner of the table `revocations`. The
 * tokens themselves are checked at the edge; core only keeps, and tells, what is revoked.
 */
import type { revocations } from '@local-plus/contracts';
import type { Handlers } from '../platform/http/index.ts';
import type { Database } from '../platform/postgres/index.ts';
import { identityHandlers, revocationPage } from './handler.ts';
import { RevocationStore } from './store.ts';

export interface IdentityModule {
  readonly handlers: Handlers;
  /** What was revoked after a place and is not expired, oldest first; one page. */
  readonly listRevocations: (after: number) => Promise<revocations.ListPage>;
}

export function createIdentityModule({ database }: { readonly database: Database }): IdentityModule {
  const store = new RevocationStore(database);
  return {
    handlers: identityHandlers({ store, nowMs: Date.now }),
    listRevocations: (after) => revocationPage(store, after),
  };
}
