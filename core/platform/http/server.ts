/**
 * ③ The HTTP server: which request goes to which exchange, how many there may be, and how it ends.
 *
 * - S1 deny by default: what is no route of contracts with a handler is 404, or 405 with `Allow`.
 * - S2 at most `requestsInFlightMax` requests are read or handled at a time, and of those whose body may be large at most
 *   `largeRequestsInFlightMax`; one more is answered 429 unread. Messages of other processes of core have a bound of their own.
 * - S3 a stop refuses nobody who was let in: it stops listening, answers what is under way (each answer closes its
 *   connection, but for streamed ones), and only then closes the rest.
 */
import { bodyRules, matchRoute, type ProblemCode, type SigningKey, limits as wire } from '@local-plus/contracts';
import type { Log, Metrics } from '../telemetry/index.ts';
import {
  type Endpoint,
  endpointsOf,
  type FindKeyGrant,
  type ListRevocations,
  type PeerAnswers,
  type ReadGenerations,
  type TenantAnswers,
} from './endpoints.ts';
import { Exchange, type ExchangeHost } from './exchange.ts';
import { type Handlers, ProblemError } from './handler.ts';
import { type Readiness, registerHealth } from './health.ts';
import { HttpMeters } from './meters.ts';
import type { Pressure } from './pressure.ts';
import { createNativeApp, type NativeHandler, type NativeRequest, type NativeResponse } from './uws.ts';
import { SignatureVerifier } from './verifier.ts';

export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly signingKeys: readonly SigningKey[];
  readonly handlers: Handlers;
  readonly findKeyGrant: FindKeyGrant | null;
  readonly listRevocations: ListRevocations | null;
  readonly readGenerations: ReadGenerations | null;
  /** Absent: nobody is told of merchants. */
  readonly tenants?: TenantAnswers | null;
  /** Absent: there are no other processes of core. */
  readonly peers?: PeerAnswers | null;
  /** Absent: everybody may try. */
  readonly pressure?: Pressure | null;
  /** What a trouble outside (a database that is away) is to the caller; null for a bug. */
  readonly explain: (error: unknown) => ProblemError | null;
  readonly readiness: () => Readiness;
  /** JSON text. */
  readonly openapi: string;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits: {
    readonly requestsInFlightMax: number;
    /** Of those, with bodies that may be larger than usual. */
    readonly largeRequestsInFlightMax: number;
    readonly noncesMax: number;
    readonly nonceGroupMs: number;
    readonly drainMs: number;
  };
}

export interface HttpServer {
  /** Resolves to the port. */
  listen(): Promise<number>;
  /** From here on /readyz says no; requests are still served. */
  drain(): void;
  /** Resolves when every request is answered, or `drainMs` have passed; then no connection is left. */
  stop(): Promise<void>;
}

const notServed: Endpoint = {
  name: 'none',
  routeId: null,
  method: 'GET',
  pattern: '/*',
  paramCount: 0,
  idempotent: false,
  body: null,
  format: 'json',
  rules: bodyRules.json,
  query: null,
  emptyQuery: null,
  allows: () => false,
  handle: () => {
    throw new Error('nothing is served here');
  },
};

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const app = createNativeApp();
  const meters = new HttpMeters();
  const verifier = new SignatureVerifier(options.signingKeys, {
    windowMs: wire.signatureWindowMs,
    groupMs: options.limits.nonceGroupMs,
    noncesMax: options.limits.noncesMax,
  });
  let inFlight = 0;
  let largeInFlight = 0;
  let peersInFlight = 0;
  let isDraining = false;
  let whenIdle: (() => void) | null = null;

  const host: ExchangeHost = {
    verifier,
    log: options.log,
    explain: options.explain,
    isDraining: () => isDraining,
    disbelieved: (why) => meters.disbelieved(why),
    sendAway: () => 0,
    over() {
      inFlight--;
      if (inFlight + peersInFlight === 0) whenIdle?.();
    },
  };

  const largeHost: ExchangeHost = {
    ...host,
    over() {
      largeInFlight--;
      host.over();
    },
  };

  const peerHost: ExchangeHost = {
    ...host,
    over() {
      peersInFlight--;
      if (inFlight + peersInFlight === 0) whenIdle?.();
    },
  };

  /** What is large tells its caller line by line, and waits for each. */
  function pressed({ routeId }: Endpoint): ExchangeHost {
    const { pressure = null, limits } = options;
    if (pressure === null || routeId === null || !pressure.routes.has(routeId)) return host;
    return {
      ...host,
      sendAway({ merchantId }, params, deadlineMs) {
        if (merchantId === null) return 0;
        const placesFree = Math.max(0, limits.requestsInFlightMax - inFlight);
        return pressure.sendAway(routeId, merchantId, params, deadlineMs, placesFree);
      },
    };
  }

  function servePeers(endpoint: Endpoint, inFlightMax: number): NativeHandler {
    const meter = meters.route(endpoint.name);
    return (response, request) => {
      const exchange = new Exchange(peerHost, endpoint, meter, response, request, endpoint.method);
      peersInFlight++;
      if (peersInFlight > inFlightMax) exchange.refuse('overloaded');
      else exchange.begin();
    };
  }

  function serve(endpoint: Endpoint, method: string): NativeHandler {
    if (endpoint.inFlightMax !== undefined) return servePeers(endpoint, endpoint.inFlightMax);
    const meter = meters.route(endpoint.name);
    const isLarge = endpoint.rules.bytesMax > wire.bodyBytesMax;
    const own = isLarge ? largeHost : pressed(endpoint);
    return (response, request) => {
      const exchange = new Exchange(own, endpoint, meter, response, request, method);
      inFlight++;
      if (isLarge) largeInFlight++;
      const isFull = isLarge && largeInFlight > options.limits.largeRequestsInFlightMax;
      if (isFull || inFlight > options.limits.requestsInFlightMax) exchange.refuse('overloaded');
      else exchange.begin();
    };
  }

  const strays = meters.route(notServed.name);
  function refuseStray(response: NativeResponse, request: NativeRequest): void {
    const method = request.getCaseSensitiveMethod();
    const match = matchRoute(method, request.getUrl());
    const allow = match.found ? [] : match.allow;
    const code: ProblemCode = allow.length > 0 ? 'method_not_allowed' : 'not_found';
    const exchange = new Exchange(host, notServed, strays, response, request, method);
    inFlight++;
    exchange.refuse(code, allow.length > 0 ? { headers: { allow: allow.join(', ') } } : undefined);
  }

  registerHealth(app, {
    metrics: options.metrics,
    openapi: options.openapi,
    failed: (error) => options.log.error('metrics could not be read', { error }),
    readiness() {
      const readiness = options.readiness();
      return isDraining ? { ...readiness, ok: false, reasons: ['stopping', ...readiness.reasons] } : readiness;
    },
  });
  const { handlers, findKeyGrant, listRevocations, readGenerations, tenants = null, peers = null } = options;
  const notFound = () => new ProblemError('not_found');
  const internal = [findKeyGrant, listRevocations, readGenerations] as const;
  for (const endpoint of endpointsOf(handlers, ...internal, notFound, tenants, peers)) {
    if (endpoint.method === 'POST') {
      app.post(endpoint.pattern, serve(endpoint, 'POST'));
    } else {
      app.get(endpoint.pattern, serve(endpoint, 'GET'));
      app.head(endpoint.pattern, serve(endpoint, 'HEAD'));
    }
  }
  app.any('/*', refuseStray);
  meters.register(
    options.metrics,
    () => inFlight,
    () => verifier.noncesHeld,
  );

  return {
    listen: () => app.listen(options.host, options.port),
    drain() {
      isDraining = true;
    },
    async stop() {
      isDraining = true;
      app.stopListening();
      if (inFlight + peersInFlight > 0) {
        const { promise, resolve } = Promise.withResolvers<void>();
        whenIdle = resolve;
        const timer = setTimeout(resolve, options.limits.drainMs);
        await promise;
        clearTimeout(timer);
      }
      const count = inFlight + peersInFlight;
      if (count > 0) options.log.warn('requests were cut off', { count });
      app.closeAll();
    },
  };
}
