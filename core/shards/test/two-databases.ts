/** A ledger in two databases for a test: two real Postgres servers, migrated, their shards placed. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type AccountId, shards, wallets } from '@local-plus/contracts';
import { freePorts, type PostgresServer, startPostgres } from '@local-plus/deploy';
import type postgres from 'postgres';
import { migrationsFolder } from '../../config.ts';
import { type Database, migrate } from '../../platform/postgres/index.ts';
import { type Audit, auditLedger, openAuditDatabase } from '../../proof/index.ts';
import { Connections } from '../../test/connections.ts';
import { quiet } from '../../test/log.ts';
import { TestStack } from '../../test/stack.ts';
import type { Tenant } from '../../test/tenant.ts';
import { placeShards } from '../index.ts';

export type DatabaseId = 1 | 2;
const CONNECT_MS = 5_000;

export class TwoDatabases {
  /** Of the first server; processes that the test starts by it are of the first database, unless told otherwise. */
  readonly stack = new TestStack();
  readonly #dir = mkdtempSync(path.join(tmpdir(), 'local-plus-two-'));
  #second: PostgresServer | null = null;
  #connections: ReadonlyMap<DatabaseId, Connections> = new Map();
  #sql: ReadonlyMap<DatabaseId, postgres.Sql> = new Map();

  async start(): Promise<void> {
    await this.stack.startPostgres();
    const [port = 0] = await freePorts(1);
    this.#second = await startPostgres({ dataDir: path.join(this.#dir, 'postgres'), port });
    await migrate({ url: this.second.url, folder: migrationsFolder, connectMs: CONNECT_MS });
    this.#connections = new Map([
      [1, new Connections(this.first.url)],
      [2, new Connections(this.second.url)],
    ]);
    this.#sql = new Map([...this.#connections].map(([id, connections]) => [id, connections.sql(2)]));
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

  pool(databaseId: DatabaseId): Database {
    const connections = this.#connections.get(databaseId);
    assert.ok(connections);
    return connections.pool();
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

  /** Rows, over both, that liability has not summed yet. */
  async unsummed(): Promise<number> {
    const cuts = await this.sql(1)<{ database_id: number; writer_id: number; seq: string }[]>`
      select database_id, writer_id, seq::text as seq from liability_cuts`;
    const counts = await Promise.all(
      ([1, 2] as const).map((id) => {
        const own = JSON.stringify(cuts.filter(({ database_id: databaseId }) => databaseId === id));
        return this.sql(id)<{ count: number }[]>`
          select count(*)::int as count from transactions as t where not exists (
            select from json_to_recordset(${own}::text::json) as c (writer_id int, seq bigint)
            where c.writer_id = t.seq >> 53 and t.seq <= c.seq)`;
      }),
    );
    return counts.reduce((sum, [row]) => sum + (row?.count ?? 0), 0);
  }

  async stop(): Promise<void> {
    await this.stack.stop();
    await Promise.all([...this.#connections.values()].map((connections) => connections.close()));
    await this.#second?.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** As they are placed: turn by turn. */
export function databaseOf(walletId: string): DatabaseId {
  return shards.shardOf(walletId as AccountId) % 2 === 0 ? 1 : 2;
}
