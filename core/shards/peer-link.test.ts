/** A message to another process whose time is over already: it comes to an end as any other does. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { signingKey } from '../test/stack.ts';
import { PeerLink } from './peer-link.ts';

describe('the link to another process', () => {
  /** It takes what it is sent, and never answers. */
  const server = createServer(() => undefined);
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  it('gives up what is too late, however late it is, and goes on', async () => {
    const { port } = server.address() as AddressInfo;
    const link = new PeerLink({ address: `127.0.0.1:${port}`, signingKey, messagesMax: 1, answerBytesMax: 1_000 });
    for (const timeMs of [-5_000, -0.5, 0, 0.2, 20]) {
      assert.equal((await link.send('{}', 1, timeMs)).type, 'unknown', `${timeMs} ms`);
      assert.ok(link.hasRoom);
    }
    link.close();
  });
});
