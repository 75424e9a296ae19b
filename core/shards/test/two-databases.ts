/** A ledger in two databases for a test: two real Postgres servers, migrated, their shards placed. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type AccountId, shards, wallets } from '@local-plus/contracts';
import { freePorts, type PostgresServer, startPostgres } from '@local-plus/deploy';
import postgres from 'postgres';
import { migrationsFolder } from '../../config.ts';
import { createDatabase, migrate } from '../../platform/postgres/index.ts';
import { type Audit, auditLedger, openAuditDatabase } from '../../proof/index.ts';
import { quiet, TestStack } from '../../test/stack.ts';
import type { Tenant } from '../../test/tenant.ts';
import { placeShards } from '../index.ts';

export type DatabaseId = 1 | 2;
const CONNECT_MS = 5_000;

export class TwoDatabases {
  /** Of the first server; processes that the test starts by it are of the first database, unless told otherwise. */
  readonly stack = new TestStack();
  readonly #dir = mkdtempSync(path.join(tmpdir(), 'local-plus-two-'));
  #second: PostgresServer | null = null;
  #sql: ReadonlyMap<DatabaseId, postgres.Sql> = new Map();

  async start(): Promise<void> {
    await this.stack.startPostgres();
    const [port = 0] = await freePorts(1);
    this.#second = await startPostgres({ dataDir: path.join(this.#dir, 'postgres'), port });
    await migrate({ url: this.second.url, folder: migrationsFolder, connectMs: CONNECT_MS });
    const connect = (url: string) => postgres(url, { max: 2, onnotice: () => undefined });
    this.#sql = new Map([
      [1, connect(this.first.url)],
      [2, connect(this.second.url)],
    ]);
  }

  place(): Promise<void> {
    return placeShards(this.urls, CONNECT_MS);
  }

  get first(): PostgresServer {
    return this.stack.postgres;
  }

  get second(): PostgresServer {
    assert.ok(this.#second);
    return this.#second;
  }

  get urls(): ReadonlyMap<number, string> {
    return new Map([
      [1, this.first.url],
      [2, this.second.url],
    ]);
  }

  /** For a process of core that commits to this database. */
  env(databaseId: DatabaseId): Record<string, string> {
    return { LEDGER_DATABASES: `2=${this.second.url}`, LEDGER_DATABASE_ID: String(databaseId) };
  }

  sql(databaseId: DatabaseId): postgres.Sql {
    const sql = this.#sql.get(databaseId);
    assert.ok(sql);
    return sql;
  }

  pool(databaseId: DatabaseId) {
    const bounds = { connectionsMax: 2, connectMs: 2_000, statementMs: 5_000, statementGraceMs: 1_000 };
    return createDatabase({ ...bounds, url: this.urls.get(databaseId) as string, name: 'test', log: quiet });
  }

  /** A wallet that lives in this database. */
  async wallet(tenant: Tenant, databaseId: DatabaseId, points = 0): Promise<string> {
    for (let attempt = 0; attempt < 100; attempt++) {
      const id = await tenant.wallet();
      if (databaseOf(id) !== databaseId) continue;
      if (points > 0) await tenant.made(`/v1/wallets/${id}/earn`, { amount: points }, wallets.transaction);
      return id;
    }
    return assert.fail('no wallet came into that database');
  }

  async audit(): Promise<Audit> {
    const open = (url: string) => openAuditDatabase({ url, connectMs: CONNECT_MS, log: quiet });
    const [database, second] = [open(this.first.url), open(this.second.url)];
    try {
      return await auditLedger({ database, further: new Map([[2, second]]) });
    } finally {
      await Promise.all([database.close(1_000), second.close(1_000)]);
    }
  }

  /** Over both. */
  async openTransfers(): Promise<number> {
    const counts = await Promise.all(
      ([1, 2] as const).map(
        (id) => this.sql(id)<{ count: number }[]>`select count(*)::int as count from open_transfers`,
      ),
    );
    return counts.reduce((sum, [row]) => sum + (row?.count ?? 0), 0);
  }

  async stop(): Promise<void> {
    await this.stack.stop();
    await Promise.all([...this.#sql.values()].map((sql) => sql.end({ timeout: 1 })));
    await this.#second?.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** As they are placed: turn by turn. */
export function databaseOf(walletId: string): DatabaseId {
  return shards.shardOf(walletId as AccountId) % 2 === 0 ? 1 : 2;
}
