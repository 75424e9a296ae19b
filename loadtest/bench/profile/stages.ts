/**
 * Which stage of a request (ARCHITECTURE.md, "The way of one earn") a function's time belongs to, by the file it stands in.
 * Pure.
 *
 * What belongs to no stage by itself (the runtime's own code, a library used by several) counts for whoever called it.
 */

export const stages = [
  '③ HTTP: uWebSockets.js, signature, validation, answer',
  '④ wallet id → account terms; request hash, answer text',
  '⑤ actor, mailbox',
  '⑥ decide',
  '⑦ batch: look-ups, assembly, lane',
  '⑧ Postgres: parameters, driver, socket',
  '⑨ relay, Kafka',
  'metrics, log, start and stop',
  'garbage collection',
  'native, of no caller: event loop, sockets, HTTP parser',
] as const;
export type Stage = (typeof stages)[number];

const [http, terms, mailbox, decide, batch, postgres, relay, rest, collection, native] = stages;

/** The first that matches; paths below the repository. */
const byPath: readonly (readonly [RegExp, Stage])[] = [
  [/\/core\/platform\/http\//, http],
  [/\/contracts\/(signature|json|validation|route-match|routes|bodies|wallets|rules|problems|fields)\.ts$/, http],
  [/\/node_modules\/(zod|uws-pack|uWebSockets\.js)\//, http],
  [/\/core\/ledger\/(store|statements|found)\.ts$/, postgres],
  [/\/core\/platform\/postgres\//, postgres],
  [/\/node_modules\/postgres\//, postgres],
  [/\/core\/(relay|platform\/kafka)\//, relay],
  [/\/node_modules\/(kafkajs|kafkajs-snappy|snappyjs)\//, relay],
  [/\/actors\/account\//, decide],
  [/\/actors\/runtime\/(lane|assembler|look-ups|limits)\.ts$/, batch],
  [/\/actors\/runtime\//, mailbox],
  [/\/core\/(ledger|wallet|merchant|program|rules|tiers|shards|bulk|giftcard|identity|composition)\//, terms],
  [/\/node_modules\/lru-cache\//, terms],
  [/\/core\/platform\/(telemetry|redis|time|batching)\//, rest],
  [/\/core\/(main|app|config|limits)\.ts$/, rest],
  [/\/node_modules\/(pino|prom-client|sonic-boom|thread-stream)\//, rest],
];

export interface CallFrame {
  readonly functionName: string;
  readonly url: string;
}

/** null: it counts for its caller. 'idle': nothing was done for a request; the profiler's own beginning and end are no work. */
export function stageOf({ functionName, url }: CallFrame): Stage | 'idle' | null {
  if (functionName === '(idle)' || url === 'node:inspector' || url === 'node:inspector/promises') return 'idle';
  if (functionName === '(garbage collector)') return collection;
  return byPath.find(([pattern]) => pattern.test(url))?.[1] ?? null;
}

/** Of what has no caller in a stage. */
export const ofNobody: Stage = native;
