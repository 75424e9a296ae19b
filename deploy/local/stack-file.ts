/**
 * `.local/stack.json`: what runs where, for people and for tools. There while the stack runs, and only
 * then; whole at every moment; readable by its owner only, since it holds keys.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from './files.ts';

export interface StackFile {
  readonly edge_url: string;
  readonly core_url: string;
  readonly database_url: string;
  /** Every database of the ledger; the first one is that of `database_url`. `pid` null: not ours, or not there. */
  readonly databases: readonly { readonly id: number; readonly url: string; readonly pid: number | null }[];
  /** Comma-separated `host:port`; `null`: no Kafka. */
  readonly kafka_brokers: string | null;
  readonly redis_url: string | null;
  /** `null` until there is a demo merchant. */
  readonly api_key: string | null;
  readonly admin_token: string;
  readonly program_id: string | null;
  readonly merchant_id: string | null;
  readonly wallet_ids: readonly string[];
  /** `kid:base64url`, for tools that talk straight to core. */
  readonly signing_key: string;
  /** `null`: not ours, or not there. */
  readonly pids: Readonly<Record<'core' | 'edge' | 'postgres' | 'kafka' | 'valkey', number | null>>;
  /** The processes of core, by writer id: the one of `pids`, or the several behind `core_url`. */
  readonly cores: readonly {
    readonly writer_id: number;
    readonly database_id: number;
    readonly url: string;
    readonly pid: number | null;
  }[];
}

export function stackFilePath(dataDir: string): string {
  return join(dataDir, 'stack.json');
}

export function writeStackFile(dataDir: string, content: StackFile): void {
  writeFileAtomic(stackFilePath(dataDir), `${JSON.stringify(content, null, 2)}\n`, 0o600);
}

export function removeStackFile(dataDir: string): void {
  rmSync(stackFilePath(dataDir), { force: true });
}
