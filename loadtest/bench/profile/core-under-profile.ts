/**
 * Core with V8's sampling profiler at hand: the first SIGUSR2 begins a profile, the second ends it and writes it.
 * Variable: `PROFILE_FILE`.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';

/** Microseconds. Shorter costs more than it tells. */
const SAMPLING_INTERVAL = 250;

const file = process.env['PROFILE_FILE'] ?? '';
if (file === '') throw new Error('PROFILE_FILE says where the profile goes');
const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.setSamplingInterval', { interval: SAMPLING_INTERVAL });

let isRunning = false;

async function toggle(): Promise<void> {
  if (!isRunning) {
    isRunning = true;
    await session.post('Profiler.start');
    writeFileSync(`${file}.began`, '');
    return;
  }
  isRunning = false;
  const { profile } = await session.post('Profiler.stop');
  // Whoever waits for the file finds a whole one.
  writeFileSync(`${file}.part`, JSON.stringify(profile));
  renameSync(`${file}.part`, file);
}

process.on('SIGUSR2', () => {
  toggle().catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});

await import('../../../core/main.ts');
