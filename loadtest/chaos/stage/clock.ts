/**
 * The wall clocks of core's processes, which can be moved one by one while they run: libfaketime, preloaded, reads the shift
 * from a file. Monotonic time stays as it is. Needs the library of Debian's package, which is installed where that is
 * allowed.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installPackages } from '@local-plus/deploy';

const libraries = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1',
];

export class Clocks {
  readonly #dir: string;
  readonly #library: string;

  constructor(dir: string, library: string) {
    this.#dir = dir;
    this.#library = library;
  }

  /** For the process with this number. */
  environment(number: number): NodeJS.ProcessEnv {
    this.shift(number, 0);
    return {
      LD_PRELOAD: this.#library,
      FAKETIME_TIMESTAMP_FILE: this.#file(number),
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** The process notices within a second. */
  shift(number: number, seconds: number): void {
    writeFileSync(this.#file(number), `${seconds < 0 ? '' : '+'}${seconds}\n`);
  }

  #file(number: number): string {
    return join(this.#dir, `clock-${number}`);
  }
}

/** `missing`: why there can be none. */
export async function findClocks(dir: string): Promise<Clocks | { readonly missing: string }> {
  const find = (): string | undefined => libraries.find((path) => existsSync(path));
  let library = find();
  if (library === undefined) {
    await installPackages(['libfaketime'], { logDir: dir });
    library = find();
  }
  return library === undefined
    ? { missing: 'libfaketime is not here and cannot be installed' }
    : new Clocks(dir, library);
}
