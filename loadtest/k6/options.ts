/**
 * Rates and thresholds, the same for every question that is asked.
 *
 * Open loop: requests leave by the clock, whether the system keeps up or not; one that finds no free virtual user is
 * dropped, and a dropped one fails a run that has to be quick. A warm-up climbs to the rate first: its answers must be right
 * like all others, and are recorded, but its latency does not count.
 *
 * Variables: `LP_RATE` (requests/s), `LP_DURATION_S`, `LP_WARMUP_S`, `LP_SUMMARY` (file for the summary).
 */
import type { Options, Scenario } from 'k6/options';

/** Of 1,500 requests, 500 are writes. */
const WRITE_SHARE = 1 / 3;
/** Virtual users for this much of the rate: so long may every request take before one is dropped. */
const USERS_FOR_S = 0.1;
/** Each costs 5 ms of processor time and half a megabyte before the first request: the warm-up makes do with fewer. */
const WARMUP_USERS_FOR_S = 0.04;
const USERS_MIN = 10;
/** More are made while the run goes on, when the system stalls for longer. */
const USERS_FOR_S_MAX = 0.4;
const LATENCY_P99_MS_MAX = 200;

export interface Defaults {
  readonly rate: number;
  readonly durationS: number;
  readonly warmupS: number;
  /** false: every answer must be right, however late it is, so that the run says the same of a busy machine. */
  readonly mustBeQuick: boolean;
}

export function optionsFor(defaults: Defaults): Options {
  const rate = number('LP_RATE', defaults.rate);
  const durationS = number('LP_DURATION_S', defaults.durationS);
  const warmupS = number('LP_WARMUP_S', defaults.warmupS);
  const writeRate = Math.max(1, Math.round(rate * WRITE_SHARE));
  const readRate = Math.max(1, rate - writeRate);
  return {
    scenarios: {
      warmup_writes: warmup('write', writeRate, warmupS),
      warmup_reads: warmup('read', readRate, warmupS),
      writes: steady('write', writeRate, durationS, warmupS),
      reads: steady('read', readRate, durationS, warmupS),
    },
    thresholds: {
      checks: ['rate==1'],
      'checks{phase:measured}': ['rate==1'],
      http_req_failed: ['rate==0'],
      'http_reqs{phase:measured}': ['count>0'],
      ...latencyThresholds(defaults.mustBeQuick),
    },
    discardResponseBodies: true,
    noCookiesReset: true,
    // Tags cost: an address would be a time series per wallet.
    systemTags: ['scenario', 'name', 'status', 'expected_response'],
    summaryTrendStats: ['avg', 'min', 'med', 'p(95)', 'p(99)', 'max'],
  };
}

/** A metric of a part of the run is in the summary only when a threshold names it: else one that always holds does. */
function latencyThresholds(mustBeQuick: boolean): Record<string, string[]> {
  const dropped = mustBeQuick ? 'count==0' : 'count>=0';
  const latency = mustBeQuick ? `p(99)<${LATENCY_P99_MS_MAX}` : 'max>=0';
  return {
    'dropped_iterations{phase:measured}': [dropped],
    'http_req_duration{phase:measured}': [latency],
    'http_req_duration{scenario:writes}': [latency],
    'http_req_duration{scenario:reads}': [latency],
  };
}

/** Writes the summary where `npm run load` reads it; by hand it goes to the terminal. */
export function handleSummary(data: unknown): Record<string, string> {
  return { [variable('LP_SUMMARY') ?? 'stdout']: JSON.stringify(data, null, 2) };
}

function warmup(exec: string, rate: number, durationS: number): Scenario {
  return {
    executor: 'ramping-arrival-rate',
    exec,
    startRate: Math.ceil(rate / 10),
    timeUnit: '1s',
    stages: [{ target: rate, duration: `${durationS}s` }],
    ...users(rate, WARMUP_USERS_FOR_S),
    gracefulStop: '10s',
    tags: { phase: 'warmup' },
  };
}

function steady(exec: string, rate: number, durationS: number, startS: number): Scenario {
  return {
    executor: 'constant-arrival-rate',
    exec,
    rate,
    timeUnit: '1s',
    startTime: `${startS}s`,
    duration: `${durationS}s`,
    ...users(rate, USERS_FOR_S),
    gracefulStop: '10s',
    tags: { phase: 'measured' },
  };
}

function users(rate: number, seconds: number): { preAllocatedVUs: number; maxVUs: number } {
  const preAllocatedVUs = Math.max(USERS_MIN, Math.ceil(rate * seconds));
  return { preAllocatedVUs, maxVUs: Math.max(preAllocatedVUs, Math.ceil(rate * USERS_FOR_S_MAX)) };
}

function number(name: string, fallback: number): number {
  const text = variable(name);
  if (text === null) return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new Error(`${name} must be a positive number, not ${text}`);
  return value;
}

function variable(name: string): string | null {
  const text = __ENV[name];
  return text === undefined || text === '' ? null : text;
}
