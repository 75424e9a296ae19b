/** What can happen to a link between two parts, with its proxy; which link it is, the seed says. */
import type { LinkProxy } from '../stage/proxy.ts';
import type { Draw, Fault, Scene } from './fault.ts';

/** Holds the manner for the fault's time; then all passes again. */
async function during({ pause }: Scene, proxy: LinkProxy, forMs: number): Promise<void> {
  try {
    await pause(forMs);
  } finally {
    proxy.set({ kind: 'pass' });
  }
}

const RESET_EVERY_MS = 250;
const CUT_ROUNDS = 8;

const common = { lane: 'around', weight: 1 } as const;

export const linkBlackHole: Fault = {
  ...common,
  name: 'link-black-hole',
  does: 'between two parts nothing arrives any more, either way, and nobody is told; then everything does, or all connections break',
  leaves: 'whoever waits gives up at its deadline; what arrives late is told from what is new',
  standsFor: 'a network that drops packets without a word',
  forMs: [500, 7_000],
  async strike(scene, { link, forMs, flag }) {
    const proxy = scene.stage.links.get(link);
    proxy.set({ kind: 'hold' });
    await during(scene, proxy, forMs);
    if (flag) proxy.reset();
  },
};

export const linkHalfOpen: Fault = {
  ...common,
  name: 'link-half-open',
  does: 'between two parts requests arrive and answers do not; then the connections break',
  leaves: 'what was done and not heard of is found by its key, or by its batch',
  standsFor: 'the reply is lost after the commit',
  forMs: [300, 4_000],
  async strike(scene, { link, forMs }) {
    const proxy = scene.stage.links.get(link);
    proxy.set({ kind: 'hold-replies' });
    try {
      await scene.pause(forMs);
    } finally {
      // What was held is lost with its connection.
      proxy.reset();
      proxy.set({ kind: 'pass' });
    }
  },
};

export const linkReset: Fault = {
  ...common,
  name: 'link-reset',
  does: 'between two parts every connection is reset, again and again',
  leaves: 'what was under way is unknown, and found out',
  standsFor: 'a firewall that lost its state',
  forMs: [0, 3_000],
  async strike({ stage, pause }, { link, forMs }) {
    const endMs = performance.now() + forMs;
    do {
      stage.links.get(link).reset();
      await pause(RESET_EVERY_MS);
    } while (performance.now() < endMs);
  },
};

export const linkCut: Fault = {
  ...common,
  name: 'link-cut',
  weight: 2,
  does: 'between two parts each connection breaks after so many bytes of one way, in the middle of whatever that is',
  leaves: 'half a request is none; half an answer is none; what happened is found by its key, or by its batch',
  standsFor: 'a connection breaks in mid-message',
  forMs: [200, 3_000],
  async strike(scene, draw: Draw) {
    const proxy = scene.stage.links.get(draw.link);
    const way = draw.flag ? 'requests' : 'replies';
    for (let round = 1; round <= CUT_ROUNDS; round++) {
      proxy.set({ kind: 'cut', way, afterBytes: Math.floor((draw.bytes * round) / CUT_ROUNDS) });
      await during(scene, proxy, draw.forMs / CUT_ROUNDS);
    }
  },
};

export const linkThrottle: Fault = {
  ...common,
  name: 'link-throttle',
  does: 'between two parts a few kilobytes a second pass',
  leaves: 'requests wait or are refused in time; memory stays as it is',
  standsFor: 'a saturated network',
  forMs: [1_000, 5_000],
  async strike(scene, { link, forMs, bytes }) {
    const proxy = scene.stage.links.get(link);
    proxy.set({ kind: 'throttle', bytesPerS: 2_000 + 4 * bytes });
    await during(scene, proxy, forMs);
  },
};
