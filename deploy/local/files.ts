/**
 * Small files that must be whole or absent: pid files, secrets, stack.json. Synchronous on purpose: between a spawn
 * and the record of it nothing else may run.
 */
import { closeSync, mkdirSync, openSync, readFileSync, readSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from './errors.ts';
import { limits } from './limits.ts';

/** Writes beside and renames over, so that a reader sees the old text or the new one. */
export function writeFileAtomic(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  const beside = `${path}.${process.pid}.tmp`;
  writeFileSync(beside, text, { mode });
  renameSync(beside, path);
}

/** The text, or `null` when there is no such file. */
export function readFileIfAny(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return null;
    throw error;
  }
}

/** Opens a log for appending; one that grew past the bound is moved aside first. The caller closes it. */
export function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true });
  try {
    if (statSync(path).size > limits.logBytesMax) renameSync(path, `${path}.1`);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  return openSync(path, 'a');
}

/** The last lines of a log, at most {@link limits.logTailBytes} bytes; empty when there is none. */
export function logTail(path: string, lineCountMax = 6): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
  try {
    const size = statSync(path).size;
    const buffer = Buffer.alloc(Math.min(size, limits.logTailBytes));
    readSync(file, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('utf8').trimEnd().split('\n').slice(-lineCountMax).join('\n');
  } finally {
    closeSync(file);
  }
}
