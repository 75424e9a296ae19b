/** Every route's example in the OpenAPI document is asked and answered on a real core, and comes out as it stands there. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type RouteId, routes } from '@local-plus/contracts';
import type { Examples } from './test/examples/example.ts';
import { examplesFile } from './test/examples/file.ts';
import { play, type Scenes } from './test/examples/play.ts';
import { scenes } from './test/examples/scenes/index.ts';
import { type SignedClient, TestStack } from './test/stack.ts';
import { wellWithinDay } from './test/time.ts';

describe('the examples of OpenAPI', () => {
  const stack = new TestStack();
  const written = JSON.parse(readFileSync(examplesFile, 'utf8')) as Examples;
  let client: SignedClient;

  before(async () => {
    ({ client } = await stack.serve());
  });
  after(() => stack.stop());
  beforeEach(wellWithinDay);

  it('are there for every route', () => {
    assert.deepEqual(Object.keys(written).sort(), Object.keys(routes).sort());
  });

  for (const [id, scene] of Object.entries(scenes) as [RouteId, Scenes[RouteId]][]) {
    it(`${id} comes out as it is written; otherwise: npm run examples`, async () => {
      const played = await play(client, { [id]: scene });
      assert.deepEqual(JSON.parse(JSON.stringify(played[id])), written[id]);
    });
  }
});
