/**
 * The public cache and the circuit on a real runtime: a change at core is seen, an origin that dies is given up and found
 * again, and requests may wait for one another.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { generationHeader } from '@local-plus/contracts';
import { edgeLimits } from '../src/limits.ts';
import type { Runtime } from './runtimes.ts';
import { authorized, earn, earnPath, told, walletId } from './stage.ts';
import { eventually, type Stand, startStand } from './stand.ts';

export function originSuite(runtime: Runtime): void {
  describe(`the origin behind ${runtime}`, () => {
    let stand: Stand;
    before(async () => {
      stand = await startStand({ runtime });
      stand.origin.reply = () => ({ status: 200, body: '{}' });
      assert.equal((await stand.ask(earnPath, earn())).status, 200);
    });
    after(() => stand.stop());
    const ask = (limit: number, init: RequestInit = {}) =>
      stand.ask(`/v1/catalog?limit=${limit}`, { headers: authorized, ...init });

    it('has its changes seen within two seconds, though an answer would be good for a minute', async () => {
      const { generationTrustMs } = edgeLimits;
      const read = async () => (await ask(7)).text();
      let name = 'first';
      stand.origin.generation = 'g1';
      stand.origin.reply = () => {
        const headers = { [generationHeader]: stand.origin.generation ?? '' };
        return { status: 200, body: `"${name}"`, headers };
      };
      assert.equal(await read(), '"first"');
      const before = stand.origin.believed.length;
      for (let count = 0; count < 5; count++) {
        await pause(300);
        assert.equal(await read(), '"first"');
      }
      assert.equal(stand.origin.believed.length, before, 'the content is not fetched again');
      name = 'second';
      stand.origin.generation = 'g2';
      const changedAtMs = performance.now();
      await eventually('the change', async () => {
        const begunMs = performance.now() - changedAtMs;
        const answer = await ask(7);
        if ((await answer.text()) === '"second"') return true;
        // Of a question that came to nothing an answer says so itself.
        const isUnconfirmed = answer.headers.get('cache-status')?.includes('; detail=') === true;
        assert.ok(
          begunMs < generationTrustMs || isUnconfirmed,
          `what was asked for ${begunMs} ms after it is the old one`,
        );
        return false;
      });
      assert.equal(stand.origin.believed.length, before + 1);
      stand.origin.generation = null;
    });

    it('answers all who wait, though the one who asked has left', async () => {
      const { promise: held, resolve: release } = Promise.withResolvers<void>();
      stand.origin.reply = async () => {
        await held;
        return { status: 200, body: '"found"' };
      };
      const before = stand.origin.believed.length;
      const leaving = new AbortController();
      const left = ask(8, { signal: leaving.signal });
      await eventually('the origin is asked', async () => stand.origin.believed.length > before);
      const followers = Array.from({ length: 50 }, () => ask(8));
      await pause(50);
      leaving.abort();
      await assert.rejects(left);
      await pause(50);
      release();
      const texts = await Promise.all((await Promise.all(followers)).map((answer) => answer.text()));
      assert.deepEqual(new Set(texts), new Set(['"found"']));
      assert.equal(stand.origin.believed.length, before + 1);
    });

    it('is not asked by everybody when it comes back', async () => {
      stand.origin.reply = () => ({ status: 200, body: '"kept"' });
      assert.equal((await ask(9)).status, 200);
      await stand.origin.goAway();
      const loggedBefore = stand.edge.logged().length;
      for (let count = 0; count < 8; count++) {
        assert.equal(await told(await stand.ask(earnPath, earn())), '503 unavailable');
      }
      assert.equal(await (await ask(9)).text(), '"kept"');
      await stand.origin.comeBack();
      const before = stand.origin.believed.length;
      // Whenever the circuit lets its probe through: who is refused until then has asked nobody.
      const isEarned = async (): Promise<boolean> => {
        const answer = await stand.ask(earnPath, earn());
        if (answer.status === 200) return true;
        assert.match(answer.headers.get('retry-after') ?? '', /^[1-5]$/);
        assert.equal(await told(answer), '503 unavailable');
        assert.equal(stand.origin.believed.length, before, 'nobody asked');
        return false;
      };
      await eventually('an earn', isEarned);
      assert.equal(stand.origin.believed.length, before + 1);
      const logged = stand.edge.logged().slice(loggedBefore);
      // workerd's own lines are not to be had here.
      if (runtime !== 'workerd') assert.match(logged, /"trouble":"origin_away"/);
      assert.ok(!logged.includes(walletId), 'a line about the absence holds the path');
      assert.match(
        (await ask(9)).headers.get('server-timing') ?? '',
        /^edge;dur=\d+(?:, origin;dur=\d+)?, cache;desc=/,
      );
    });
  });
}
