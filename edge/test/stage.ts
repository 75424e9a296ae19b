/**
 * The edge without a runtime around it, for tests of single steps and of the whole: a clock that is set, an origin
 * that answers what the test says and remembers what it was asked, counters in memory. Runs on Node and Deno.
 */
import { internalPaths, type members, type merchants } from '@local-plus/contracts';
import { createEdge, type Edge, MemoryLimiter, MemoryPlans, type Ports, type Trouble } from '../index.ts';
import { Exchange } from '../src/exchange.ts';
import { keyDigest } from '../src/key-digests.ts';
import type { OriginRequest } from '../src/ports.ts';
import { plainSurface } from '../src/surface-config.ts';

export const walletId = '01890000-0000-7000-8000-000000000000';
export const merchantId = '01890000-0000-7000-8000-0000000000aa';
export const key = 'lp_live_0123456789abcdefghijklmnopqrstuv';
export const startMs = 1_800_000_000_000;
/** By the steady clock, which has nothing to do with the other. */
export const steadyStartMs = 1_700_000_000_000;
export const earnPath = `/v1/wallets/${walletId}/earn`;

export const grant: merchants.KeyGrantAsTold = {
  api_key_id: '01890000-0000-7000-8000-0000000000bb',
  merchant_id: merchantId,
  scopes: ['wallets:read', 'transactions:write'],
  requests_per_minute: 1_000,
  burst: null,
  requests_per_month: null,
  tenant: null,
};

export interface Asked extends OriginRequest {
  readonly target: string;
}

export interface Stage {
  readonly edge: Edge;
  readonly ports: Ports;
  /** What reached the origin, look-ups of keys apart. */
  readonly asked: Asked[];
  readonly lookUps: string[];
  readonly troubles: Trouble[];
  readonly keys: Map<string, merchants.KeyGrantAsTold>;
  /** What core tells of merchants, by their id; of others it knows nothing. */
  readonly tenants: Map<string, merchants.TenantAsTold>;
  /** What core tells of members, by merchant and subject with a space between. */
  readonly members: Map<string, members.MemberGrant>;
  readonly membersAsked: string[];
  /** Look-ups of merchants, and of browsers' origins. */
  readonly tenantsAsked: string[];
  readonly originsAsked: string[];
  /** What runs behind answers: await it before looking at its effects. */
  settle(): Promise<void>;
  /** One request through the edge, on a connection from `clientAddress` (192.0.2.1). */
  ask(target: string, init?: RequestInit & { clientAddress?: string | null }): Promise<Response>;
  passMs(ms: number): void;
  /** Somebody sets the wall clock back; the steady one goes on. */
  setBackMs(ms: number): void;
  /** How the origin answers from now on; the default is 201 `{"ok":true}`. */
  answer(respond: (asked: Asked) => Response | Promise<Response>): void;
  /** Look-ups fail from now on, or no more. */
  keepAway(isAway: boolean): void;
  /** What core says the catalog's generation is; null: it knows none. */
  setGeneration(generation: string | null): void;
  /** How often it was asked for. */
  generationsAsked(): number;
}

export async function createStage(overrides: Partial<Ports> = {}): Promise<Stage> {
  const asked: Asked[] = [];
  const lookUps: string[] = [];
  const troubles: Trouble[] = [];
  const keys = new Map([[await keyDigest(key), grant]]);
  const tenants = new Map<string, merchants.TenantAsTold>();
  const members = new Map<string, members.MemberGrant>();
  const membersAsked: string[] = [];
  const tenantsAsked: string[] = [];
  const originsAsked: string[] = [];
  const behind: Promise<unknown>[] = [];
  let nowMs = startMs;
  let steadyMs = steadyStartMs;
  let isAway = false;
  let generation: string | null = null;
  let generationsAsked = 0;
  let respond = (_asked: Asked): Response | Promise<Response> => jsonResponse(201, { ok: true });
  const report = (trouble: Trouble): void => {
    troubles.push(trouble);
  };
  const ports: Ports = {
    config: {
      originUrl: 'https://core.test',
      signingKeys: [{ keyId: 'k1', secret: new Uint8Array(32).fill(7) }],
      environment: 'local',
      surface: plainSurface,
      tokens: null,
      access: null,
    },
    fetch: async (url, request) => {
      if (isAway) throw new TypeError('connection refused');
      const target = url.slice('https://core.test'.length);
      if (target === internalPaths.generations) {
        generationsAsked++;
        return generation === null ? problemResponse(404, 'not_found') : jsonResponse(200, { catalog: generation });
      }
      if (target.startsWith(internalPaths.members)) {
        const asked = new URLSearchParams(target.split('?')[1]);
        const name = `${asked.get('merchant_id')} ${asked.get('subject')}`;
        membersAsked.push(name);
        return members.has(name) ? jsonResponse(200, members.get(name)) : problemResponse(404, 'not_found');
      }
      if (target.startsWith(internalPaths.tenants) || target.startsWith(internalPaths.origins)) {
        return answerOfMerchants(tenants, target, tenantsAsked, originsAsked);
      }
      if (!target.startsWith('/internal/keys/')) {
        asked.push({ ...request, target });
        return respond({ ...request, target });
      }
      const digest = target.slice('/internal/keys/'.length);
      lookUps.push(digest);
      await new Promise((resolve) => setTimeout(resolve, 1));
      const found = keys.get(digest);
      return found ? jsonResponse(200, found) : problemResponse(404, 'not_found');
    },
    nowMs: () => nowMs,
    steadyMs: () => steadyMs,
    random: () => 0.5,
    addresses: new MemoryLimiter(),
    plans: new MemoryPlans({ nowMs: () => nowMs, steadyMs: () => steadyMs, report }),
    report,
    ...overrides,
  };
  const edge = createEdge(ports);
  return {
    edge,
    ports,
    asked,
    lookUps,
    troubles,
    keys,
    tenants,
    members,
    membersAsked,
    tenantsAsked,
    originsAsked,
    async settle() {
      while (behind.length > 0) await behind.shift();
    },
    ask(target, { clientAddress = '192.0.2.1', ...init } = {}) {
      const waitUntil = (work: Promise<unknown>): void => {
        behind.push(work);
      };
      return edge(new Request(`https://edge.test${target}`, init), { clientAddress, waitUntil });
    },
    passMs: (ms) => {
      nowMs += ms;
      steadyMs += ms;
    },
    setBackMs: (ms) => {
      nowMs -= ms;
    },
    answer: (next) => {
      respond = next;
    },
    keepAway: (next) => {
      isAway = next;
    },
    setGeneration: (next) => {
      generation = next;
    },
    generationsAsked: () => generationsAsked,
  };
}

/** What core says of merchants, and of browsers' origins. */
function answerOfMerchants(
  tenants: ReadonlyMap<string, merchants.TenantAsTold>,
  target: string,
  tenantsAsked: string[],
  originsAsked: string[],
): Response {
  if (target.startsWith(internalPaths.tenants)) {
    const id = target.slice(internalPaths.tenants.length);
    tenantsAsked.push(id);
    return tenants.has(id) ? jsonResponse(200, tenants.get(id)) : problemResponse(404, 'not_found');
  }
  const origin = new URLSearchParams(target.split('?')[1]).get('origin') ?? '';
  originsAsked.push(origin);
  const isAllowed = [...tenants.values()].some(({ allowed_origins }) => allowed_origins?.includes(origin));
  return isAllowed ? jsonResponse(200, {}) : problemResponse(404, 'not_found');
}

export function jsonResponse(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } });
}

export function problemResponse(status: number, code: string): Response {
  const body = {
    type: `tag:localplus.io,2026:problem/${code}`,
    title: 'A title',
    status,
    code,
    detail: 'A detail.',
    retryable: false,
    request_id: walletId,
  };
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/problem+json' } });
}

/** An earn with a known key; `headers: { name: '' }` leaves one out. */
export function earn(
  body: string | Uint8Array<ArrayBuffer> = '{"amount":5}',
  headers: Record<string, string> = {},
): RequestInit {
  const all = {
    authorization: `Bearer ${key}`,
    'content-type': 'application/json',
    'idempotency-key': 'a',
    ...headers,
  };
  return {
    method: 'POST',
    body,
    headers: Object.entries(all).filter(([, value]) => value !== '') as [string, string][],
  };
}

export const authorized = { authorization: `Bearer ${key}` };

/** An exchange at its beginning, for tests of one step. */
export function exchangeOf(target: string, init: RequestInit = {}, clientIp = '192.0.2.1'): Exchange {
  const request = new Request(`https://edge.test${target}`, init);
  const info = { clientAddress: clientIp, waitUntil: () => undefined };
  const found = { startedAtMs: steadyStartMs, requestId: walletId as never, traceparent: '', clientIp };
  return new Exchange(request, info, found);
}

/** Status and code of a refusal: what a client's program goes by. */
export async function told(response: Response): Promise<string> {
  if (response.status < 400) return String(response.status);
  const { code } = (await response.json()) as { code: string };
  return `${response.status} ${code}`;
}
