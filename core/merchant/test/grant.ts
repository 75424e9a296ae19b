/** What the edge is told of an API key: it asks by the key's hash. */
import { hash } from 'node:crypto';
import { type Answer, type SignedClient, theEdge } from '../../test/stack.ts';

export function grantOf(client: SignedClient, key: string | null): Promise<Answer> {
  return client.get(`/internal/keys/${hash('sha256', key ?? '', 'hex')}`, { caller: theEdge });
}
