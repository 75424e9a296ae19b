/** Wire ↔ a merchant's configuration: whole versions, each on top of the one that was read. */
import { type MerchantId, merchants } from '@local-plus/contracts';
import { pageOf, placeCursor, placeOf } from '../platform/cursor/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  cursorValue,
  type Handlers,
  ProblemError,
  settled,
} from '../platform/http/index.ts';
import type { ConfigurationRow, ConfigurationStore } from './configuration-store.ts';
import { actorOf, entryOf, seenMerchant } from './found.ts';
import type { MerchantStore } from './store.ts';

export interface ConfigurationPorts {
  readonly store: MerchantStore;
  readonly configurations: ConfigurationStore;
  readonly nowMs: () => number;
  /** Called when a configuration was set, before that is answered. */
  readonly changed: (merchantId: MerchantId) => Promise<void>;
}

export function configurationHandlers(ports: ConfigurationPorts): Handlers {
  return {
    'configuration.read': (request) => read(ports, request),
    'configuration.set': (request) => set(ports, request),
    'configuration.versions': (request) => list(ports, request),
  };
}

async function read(ports: ConfigurationPorts, request: CoreRequest<'configuration.read'>): Promise<CoreAnswer> {
  const { id } = await seenMerchant(ports.store, request);
  const [row] = await ports.configurations.versions(id, null, 1);
  return { status: 200, body: JSON.stringify(row === undefined ? versionZero(id) : versionJson(id, row)) };
}

async function set(ports: ConfigurationPorts, request: CoreRequest<'configuration.set'>): Promise<CoreAnswer> {
  const { id } = await seenMerchant(ports.store, request);
  const { expected_version: expectedVersion, configuration } = request.body;
  const replaced = await ports.configurations.version(id, expectedVersion);
  const entry = entryOf(
    request,
    id,
    {
      action: 'configuration.set',
      targetType: 'merchant',
      targetId: id,
      before: { version: expectedVersion, ...(replaced?.configuration ?? merchants.defaultConfiguration) },
      after: { version: expectedVersion + 1, ...configuration },
    },
    ports.nowMs(),
  );
  const key = creationKey(request, ['configuration', id, expectedVersion, configuration]);
  const wanted = { merchantId: id, expectedVersion, configuration, actor: actorOf(request.context) };
  const outcome = await ports.configurations.create(key, wanted, entry);
  const { row, replayed } = settled(outcome, () => new ProblemError('version_conflict'));
  // Again on a replay: the process that set it may have died before it told the others.
  await ports.changed(id);
  return createdAnswer(versionJson(id, row), replayed);
}

async function list(ports: ConfigurationPorts, request: CoreRequest<'configuration.versions'>): Promise<CoreAnswer> {
  const { id } = await seenMerchant(ports.store, request);
  const { limit, cursor } = request.queryValues;
  const rows = await ports.configurations.versions(id, cursorValue(cursor, placeOf), limit + 1);
  const page = pageOf(rows, limit, ({ version }) => placeCursor(version));
  const data = page.rows.map((row) => versionJson(id, row));
  return { status: 200, body: JSON.stringify({ data, next_cursor: page.nextCursor }) };
}

function versionJson(merchant_id: MerchantId, row: ConfigurationRow): merchants.ConfigurationVersion {
  const { version, actor: set_by } = row;
  const configuration = { ...merchants.defaultConfiguration, ...row.configuration };
  return { merchant_id, version, configuration, set_by, created_at: row.created_at.toISOString() };
}

function versionZero(merchant_id: MerchantId): merchants.ConfigurationVersion {
  return { merchant_id, version: 0, configuration: merchants.defaultConfiguration, set_by: null, created_at: null };
}
