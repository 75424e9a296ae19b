/** A Worker that puts the limiters' Durable Objects before a test: their clocks are set, and they can be made to restart. */
import { RateLimiterObject } from '../src/limiting/object.ts';
import type { Plan } from '../src/limiting/plan.ts';
import type { Ask } from '../src/limiting/plan-counter.ts';
import { PlanObject } from '../src/limiting/plan-object.ts';
import type { TakeCall } from './take-call.ts';

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

export class TestPlans extends PlanObject {
  #nowMs = 0;

  leaseAt(plan: Plan, ask: Ask, nowMs: number): ReturnType<PlanObject['lease']> {
    this.#nowMs = nowMs;
    return this.lease(plan, ask);
  }

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
  readonly PLANS: DurableObjectNamespace<TestPlans>;
}

interface LeaseCall {
  readonly plan: Plan;
  readonly ask: Ask;
  readonly nowMs: number;
}

async function answerOfPlans(request: Request, plans: DurableObjectStub<TestPlans>): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  switch (pathname) {
    case '/plans/lease': {
      const { plan, ask, nowMs } = await request.json<LeaseCall>();
      return Response.json(await plans.leaseAt(plan, ask, nowMs));
    }
    case '/plans/restart':
      return Response.json(await plans.restart().catch(() => null));
    case '/plans/stored':
      return Response.json(await plans.isStored());
    case '/plans/ring':
      return Response.json((await plans.ring(Number(searchParams.get('now')))) ?? null);
    default:
      return new Response(null, { status: 404 });
  }
}

export default {
  async fetch(request, { COUNTER, PLANS }) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname.startsWith('/plans/')) {
      return answerOfPlans(request, PLANS.get(PLANS.idFromName(searchParams.get('key') ?? '')));
    }
    const counterOf = (key: string) => COUNTER.get(COUNTER.idFromName(key));
    const counter = counterOf(searchParams.get('key') ?? '');
    const number = (name: string): number => Number(searchParams.get(name));
    switch (pathname) {
      case '/takes': {
        const calls = await request.json<TakeCall[]>();
        const taking = calls.map(({ key, limit, nowMs, count }) => counterOf(key).takeAt(limit, nowMs, count));
        return Response.json(await Promise.all(taking));
      }
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
