/**
 * Who uses the processor: CPU seconds and memory of process trees, from /proc (proc(5)). Linux only; elsewhere nothing
 * is found, and the tables stay empty.
 *
 * A part is a process and all its descendants (Postgres is one process per connection). When a part is restarted, its
 * new process counts from its start; what the old one used since the last sample is lost.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { limits } from './limits.ts';

/** Linux counts processor time in hundredths of a second for every user program (sysconf(_SC_CLK_TCK)). */
const TICKS_PER_S = 100;
const PAGE_BYTES = 4_096;

interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** With what its ended children used. */
  readonly cpuS: number;
  readonly rssBytes: number;
}

export interface TreeUse {
  readonly cpuS: number;
  /** Of the root alone: the rest may be shared with it. */
  readonly rssBytes: number;
  /** Of the root, those that run. */
  readonly children: readonly { readonly pid: number; readonly cpuS: number }[];
}

/** The use of each root's tree since it started; a root that does not run is absent. */
export function readTrees(roots: Iterable<number>): Map<number, TreeUse> {
  const stats = readAll();
  const childrenOf = new Map<number, ProcessStat[]>();
  for (const stat of stats.values()) {
    const siblings = childrenOf.get(stat.parent);
    if (siblings) siblings.push(stat);
    else childrenOf.set(stat.parent, [stat]);
  }
  const uses = new Map<number, TreeUse>();
  for (const root of roots) {
    const top = stats.get(root);
    if (top === undefined) continue;
    let cpuS = 0;
    const waiting = [top];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      cpuS += next.cpuS;
      waiting.push(...(childrenOf.get(next.pid) ?? []));
    }
    uses.set(root, { cpuS, rssBytes: top.rssBytes, children: childrenOf.get(root) ?? [] });
  }
  return uses;
}

/** Of those children of a tree's root that run, and whose command line is meant. */
export function childrenCpuS({ children }: TreeUse, isMeant: (commandLine: string) => boolean): number {
  let cpuS = 0;
  for (const child of children) {
    if (isMeant(readIfThere(`/proc/${child.pid}/cmdline`) ?? '')) cpuS += child.cpuS;
  }
  return cpuS;
}

/** Processor seconds of the whole machine since it started, idle time aside. */
export function readMachineCpuS(): number {
  const text = readIfThere('/proc/stat');
  if (text === null) return 0;
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (text.split('\n')[0] ?? '')
    .split(/\s+/)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_S;
}

function readAll(): Map<number, ProcessStat> {
  const stats = new Map<number, ProcessStat>();
  if (process.platform !== 'linux') return stats;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const text = readIfThere(`/proc/${entry}/stat`);
    if (text === null) continue;
    // The name stands in parentheses and may hold anything; fields count from 3 behind it.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const field = (number: number): number => Number(fields[number - 3]);
    const cpuS = (field(14) + field(15) + field(16) + field(17)) / TICKS_PER_S;
    stats.set(Number(entry), { pid: Number(entry), parent: field(4), cpuS, rssBytes: field(24) * PAGE_BYTES });
  }
  return stats;
}

/** A process may end between the listing and the look (ENOENT, ESRCH). */
function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}

export interface MemorySample {
  readonly atS: number;
  readonly bytes: number;
}

export interface Use {
  /** By part, since the sampler started. */
  readonly cpuS: ReadonlyMap<string, number>;
  readonly machineCpuS: number;
  readonly elapsedS: number;
  /** Of the watched part, once a sample. */
  readonly memory: readonly MemorySample[];
}

export interface Sampler {
  /** Ends the sampling and says what was seen; may be called again. */
  stop(): Use;
}

/**
 * Starts sampling. `parts` is asked at every sample: a restarted part has another pid.
 *
 * @param watched the part whose memory is kept
 */
export function startSampler(parts: () => ReadonlyMap<string, number>, watched: string): Sampler {
  const startedMs = performance.now();
  const machineStartS = readMachineCpuS();
  const totals = new Map<string, number>();
  const last = new Map<string, { pid: number; cpuS: number }>();
  const memory: MemorySample[] = [];

  const sample = (isFirst: boolean): void => {
    const pids = parts();
    const uses = readTrees(pids.values());
    for (const [part, pid] of pids) {
      const use = uses.get(pid);
      if (use === undefined) continue;
      const before = last.get(part);
      // A part that was there from the beginning has a past that does not count; a new process has none.
      const fromS = before?.pid === pid ? before.cpuS : isFirst ? use.cpuS : 0;
      totals.set(part, (totals.get(part) ?? 0) + Math.max(0, use.cpuS - fromS));
      last.set(part, { pid, cpuS: use.cpuS });
      if (part === watched) memory.push({ atS: (performance.now() - startedMs) / 1_000, bytes: use.rssBytes });
    }
  };

  sample(true);
  const timer = setInterval(() => sample(false), limits.sampleMs);
  let use: Use | null = null;
  return {
    stop() {
      clearInterval(timer);
      if (use !== null) return use;
      sample(false);
      use = {
        cpuS: totals,
        machineCpuS: readMachineCpuS() - machineStartS,
        elapsedS: (performance.now() - startedMs) / 1_000,
        memory,
      };
      return use;
    },
  };
}

export interface MemoryTrend {
  readonly firstBytes: number;
  readonly lastBytes: number;
  readonly maxBytes: number;
  /** Least squares over the second half: caches have filled by then. */
  readonly slopeBytesPerMin: number;
  /** Growth over the second half, as a share of the memory in its middle. */
  readonly growthShare: number;
}

/** null: too few samples to say. */
export function memoryTrend(memory: readonly MemorySample[]): MemoryTrend | null {
  const half = memory.slice(Math.floor(memory.length / 2));
  const first = memory[0];
  const last = memory.at(-1);
  if (first === undefined || last === undefined || half.length < 3) return null;
  const meanS = mean(half.map(({ atS }) => atS));
  const meanBytes = mean(half.map(({ bytes }) => bytes));
  let covariance = 0;
  let variance = 0;
  for (const { atS, bytes } of half) {
    covariance += (atS - meanS) * (bytes - meanBytes);
    variance += (atS - meanS) ** 2;
  }
  const slopeBytesPerS = variance === 0 ? 0 : covariance / variance;
  const spanS = (half.at(-1)?.atS ?? 0) - (half[0]?.atS ?? 0);
  return {
    firstBytes: first.bytes,
    lastBytes: last.bytes,
    maxBytes: Math.max(...memory.map(({ bytes }) => bytes)),
    slopeBytesPerMin: slopeBytesPerS * 60,
    growthShare: (slopeBytesPerS * spanS) / meanBytes,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
