/**
 * Program id → the rules in force, compiled: at once when they are in memory and known to be current, else by reads that all
 * who ask in the meantime share.
 *
 * - F1 memory is bounded, by programs and by rules; the least recently used goes first.
 * - F2 what another process published is known {@link rulesLimits.freshMs} later at the latest; what this one did, at once.
 * - F3 what is to come into force is known beforehand: its moment is kept to the millisecond of this process's clock.
 * - F4 a read knows what is in force from a moment on; whoever asks for one before it, after the clock stepped back, waits for a
 *   read of its own.
 */
import type { ProgramId } from '@local-plus/contracts';
import { limits } from '@local-plus/contracts';
import { LRUCache } from 'lru-cache';
import { type CompiledRules, compile } from './domain.ts';
import { rulesLimits } from './limits.ts';
import type { RulesStore, VersionRow } from './store.ts';

/** What is published of a program, as of a read. */
interface Schedule {
  /** By the moment from which they are in force. */
  readonly versions: readonly VersionRow[];
  /** Of the monotonic clock, before the read. */
  readonly readAtMs: number;
  /** Unix milliseconds: of what was in force before, it says nothing (F4). */
  readonly knownFromMs: number;
}

interface Read {
  readonly knownFromMs: number;
  readonly schedule: Promise<Schedule>;
}

export interface RulesDirectoryPorts {
  readonly store: Pick<RulesStore, 'inForce' | 'rules'>;
  readonly monotonicMs: () => number;
}

export class RulesDirectory {
  readonly #ports: RulesDirectoryPorts;
  readonly #schedules = new LRUCache<ProgramId, Schedule>({ max: rulesLimits.programsHeldMax });
  readonly #compiled = new LRUCache<string, CompiledRules>({
    maxSize: rulesLimits.compiledRulesMax,
    sizeCalculation: ({ rules }) => Math.max(rules.length, 1),
  });
  /** Reads under way. */
  readonly #reads = new Map<ProgramId, Read>();
  readonly #loads = new Map<string, Promise<CompiledRules>>();

  constructor(ports: RulesDirectoryPorts) {
    this.#ports = ports;
  }

  /** The rules in force at `nowMs`; null: there are none. */
  find(programId: ProgramId, nowMs: number): CompiledRules | null | Promise<CompiledRules | null> {
    const schedule = this.#schedules.get(programId);
    if (schedule === undefined || !this.#isCurrent(schedule, nowMs)) {
      return this.#read(programId, nowMs).then((read) => this.#rulesOf(read, nowMs));
    }
    return this.#rulesOf(schedule, nowMs);
  }

  #isCurrent({ readAtMs, knownFromMs }: Schedule, nowMs: number): boolean {
    return this.#ports.monotonicMs() - readAtMs < rulesLimits.freshMs && nowMs >= knownFromMs;
  }

  /** The version in force at `nowMs`, read anew; null: there is none. */
  async version(programId: ProgramId, nowMs: number): Promise<VersionRow | null> {
    return versionAt(await this.#read(programId, nowMs), nowMs);
  }

  /** Something of the program was published: what is known of it is out of date, and so is a read under way. */
  changed(programId: ProgramId): void {
    this.#schedules.delete(programId);
    this.#reads.delete(programId);
  }

  #rulesOf(schedule: Schedule, nowMs: number): CompiledRules | null | Promise<CompiledRules | null> {
    const version = versionAt(schedule, nowMs);
    if (version === null) return null;
    return this.#compiled.get(version.id) ?? this.#loads.get(version.id) ?? this.#load(version);
  }

  /** Shares a read that is under way when it knows of that moment. */
  #read(programId: ProgramId, nowMs: number): Promise<Schedule> {
    const underWay = this.#reads.get(programId);
    if (underWay !== undefined && nowMs >= underWay.knownFromMs) return underWay.schedule;
    const readAtMs = this.#ports.monotonicMs();
    const knownFromMs = nowMs - rulesLimits.clockStepMs;
    const schedule = this.#ports.store
      .inForce(programId, new Date(knownFromMs))
      .then((versions) => {
        const found = { versions, readAtMs, knownFromMs };
        if (this.#reads.get(programId) === read) this.#schedules.set(programId, found);
        return found;
      })
      .finally(() => {
        if (this.#reads.get(programId) === read) this.#reads.delete(programId);
      });
    const read: Read = { knownFromMs, schedule };
    this.#reads.set(programId, read);
    return schedule;
  }

  #load(row: VersionRow): Promise<CompiledRules> {
    const load = this.#ports.store
      .rules(row.id, 0, limits.rulesMax)
      .then((rules) => {
        const { id, version, time_zone: timeZone, caps } = row;
        const compiled = compile({ id, version, timeZone, caps, rules });
        this.#compiled.set(id, compiled);
        return compiled;
      })
      .finally(() => this.#loads.delete(row.id));
    this.#loads.set(row.id, load);
    return load;
  }
}

/** The last one whose moment has come. */
function versionAt({ versions }: Schedule, nowMs: number): VersionRow | null {
  return (
    versions.findLast(({ effective_from }) => (effective_from?.getTime() ?? Number.POSITIVE_INFINITY) <= nowMs) ?? null
  );
}
