/** A Worker that puts the limiter's Durable Object before a test: its clock is set, and it can be made to restart. */
import { RateLimiterObject } from '../src/limiting/object.ts';

export class TestCounter extends RateLimiterObject {
  #nowMs = 0;

  takeAt(limit: number, nowMs: number, count: number): ReturnType<RateLimiterObject['take']> {
    this.#nowMs = nowMs;
    return this.take(limit, count);
  }

  /** Loses the memory, as the platform does with an idle object. */
  restart(): void {
    this.ctx.abort('a restart for a test');
  }

  async isStored(): Promise<boolean> {
    return (await this.ctx.storage.list()).size > 0;
  }

  ring(nowMs: number): Promise<void> {
    this.#nowMs = nowMs;
    return this.alarm();
  }

  protected override nowMs(): number {
    return this.#nowMs;
  }
}

interface Bindings {
  readonly COUNTER: DurableObjectNamespace<TestCounter>;
}

export default {
  async fetch(request, { COUNTER }) {
    const { pathname, searchParams } = new URL(request.url);
    const counter = COUNTER.get(COUNTER.idFromName(searchParams.get('key') ?? ''));
    const number = (name: string): number => Number(searchParams.get(name));
    switch (pathname) {
      case '/take':
        return Response.json(await counter.takeAt(number('limit'), number('now'), number('count')));
      case '/give-back':
        return Response.json((await counter.giveBack(number('at'))) ?? null);
      case '/restart':
        return Response.json(await counter.restart().catch(() => null));
      case '/stored':
        return Response.json(await counter.isStored());
      case '/ring':
        return Response.json((await counter.ring(number('now'))) ?? null);
      default:
        return new Response(null, { status: 404 });
    }
  },
} satisfies ExportedHandler<Bindings>;
