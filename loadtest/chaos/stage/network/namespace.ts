/**
 * A network namespace without a name. A child holds it that waits for the end of its input: when this process is gone, in
 * whatever way, the child goes, and with the last process inside the kernel takes back the namespace and its links.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { limits } from '../../limits.ts';

export class Namespace {
  readonly #holder: ChildProcess;
  readonly pid: number;

  private constructor(holder: ChildProcess, pid: number) {
    this.#holder = holder;
    this.pid = pid;
  }

  /** Throws when there is no `unshare`, or it is not allowed. */
  static async make(): Promise<Namespace> {
    const holder = spawn('unshare', ['--net', '--', 'cat'], { stdio: 'pipe' });
    let trouble = '';
    holder.stderr.on('data', (text) => {
      trouble += text;
    });
    holder.stdin.on('error', () => undefined);
    // What `cat` gives back says that the namespace is there.
    holder.stdin.write('\n');
    const ended = once(holder, 'close').then(() => {
      throw new Error(trouble.trim());
    });
    await Promise.race([once(holder.stdout, 'data'), ended]);
    ended.catch(() => undefined);
    return new Namespace(holder, holder.pid as number);
  }

  /** What a command begins with that shall run inside; it becomes that command. */
  get within(): readonly string[] {
    return ['nsenter', `--net=/proc/${this.pid}/ns/net`, '--'];
  }

  async close(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    const closed = once(this.#holder, 'close');
    this.#holder.stdin?.end();
    await closed;
  }
}

/** Commands for `ip`, where `within` leads; the first that fails is thrown. */
export async function ip(within: readonly string[], commands: readonly string[]): Promise<void> {
  await ask(within, ['-batch', '-'], `${commands.join('\n')}\n`);
}

/** What `ip` says, where `within` leads; when it fails, why. */
export async function ask(within: readonly string[], flags: readonly string[], input = ''): Promise<string> {
  const [program = '', ...args] = [...within, 'ip', ...flags];
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { timeout: limits.networkMs }, (error, answer, trouble) => {
      if (error === null) resolve(answer);
      else reject(new Error(`ip: ${trouble.trim().split('\n')[0] || error.message}`, { cause: error }));
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
