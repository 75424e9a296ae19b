/** Runs the simulator on a copy of actors that has a bug in it. */
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Mutation } from './mutations.ts';

const actorsDir = dirname(import.meta.dirname);
const repositoryDir = dirname(actorsDir);

export interface Verdict {
  /** Of the simulator: 0 when it found nothing. */
  readonly exitCode: number;
  readonly output: string;
}

/** @param mutation null: the copy as it is */
export function runMutant(mutation: Mutation | null, seeds: number): Promise<Verdict> {
  return runInMutant(mutation, ['actors/simulator/run.ts', '--seeds', String(seeds), '--no-shrink']);
}

/** @param args of Node: a file of the copy, and its own */
export async function runInMutant(
  mutation: Mutation | null,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Verdict> {
  const dir = await mkdtemp(join(tmpdir(), 'local-plus-mutant-'));
  try {
    await cp(actorsDir, join(dir, 'actors'), { recursive: true });
    await cp(join(repositoryDir, 'package.json'), join(dir, 'package.json'));
    await symlink(join(repositoryDir, 'node_modules'), join(dir, 'node_modules'));
    if (mutation !== null) await mutate(join(dir, 'actors', mutation.file), mutation);
    return await run(dir, args, env);
  } finally {
    await rm(dir, { recursive: true });
  }
}

async function mutate(path: string, { name, file, find, replace }: Mutation): Promise<void> {
  const parts = (await readFile(path, 'utf8')).split(find);
  if (parts.length !== 2) {
    throw new Error(`stale mutation "${name}": its text stands ${parts.length - 1} times in ${file}, not once`);
  }
  await writeFile(path, parts.join(replace));
}

function run(
  dir: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: dir, env: { ...process.env, ...env } });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.once('error', reject);
    child.once('close', (code) => resolve({ exitCode: code ?? 1, output }));
  });
}
