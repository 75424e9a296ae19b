/** The door of Postgres: a pool for reads and single-statement writes, its errors, the readiness probe, migration. */
export { endConnection, openConnection } from './connection.ts';
export { type Creation, type CreationKey, createOnce, operatorId, requestHash } from './creation.ts';
export { createDatabase, type Database, type DatabaseOptions, type Parameter } from './database.ts';
export { DatabaseUnavailable, UniqueViolation } from './errors.ts';
export { keepalives, LoneConnection } from './lone-connection.ts';
export { type MigrationReport, migrate, newestMigration } from './migrations.ts';
export { createProbe, type Probe, type ProbeReading } from './probe.ts';
export { inTransaction, type Run } from './transaction.ts';
