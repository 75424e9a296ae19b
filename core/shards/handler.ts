/** Wire ↔ shards: what the operator sees of who owns what, and the wish that a process hands over. */
import type { shards as contract } from '@local-plus/contracts';
import { auditEntry } from '../audit/index.ts';
import { type CoreAnswer, type CoreRequest, type Handlers, ProblemError } from '../platform/http/index.ts';
import type { Group } from './groups.ts';
import type { ShardStore, View } from './store.ts';

export interface HandlerPorts {
  readonly writerId: number;
  /** Of each database; the own one first. */
  readonly groups: readonly Group[];
  /** The first database, where the audit trail is; null: it has nothing of the ledger. */
  readonly homeId: number | null;
  readonly home: Pick<ShardStore, 'record'>;
  readonly nowMs: () => number;
}

export function shardHandlers(ports: HandlerPorts): Handlers {
  return {
    'shards.read': () => read(ports),
    'shards.drain': (request) => drain(ports, request),
  };
}

async function read({ groups, writerId }: HandlerPorts): Promise<CoreAnswer> {
  const looks = await Promise.allSettled(groups.map((group) => look(group, writerId)));
  const [first] = looks;
  if (first?.status === 'rejected' && looks.every(({ status }) => status === 'rejected')) throw first.reason;
  const seen = looks.flatMap((each, index) => (each.status === 'fulfilled' ? [each.value] : lastSeen(groups[index])));
  const answer: contract.Overview = {
    answered_by: writerId,
    members: seen.flatMap(membersOf).sort((left, right) => left.writer_id - right.writer_id),
    shards: seen
      .flatMap(({ view, databaseId }) =>
        view.shards.map(([id, owner, version]) => ({ id, writer_id: owner, database_id: databaseId, version })),
      )
      .sort((left, right) => left.id - right.id),
  };
  return { status: 200, body: JSON.stringify(answer) };
}

interface Seen {
  readonly databaseId: number;
  readonly view: View;
  readonly isLive: (writerId: number) => boolean;
}

async function look(group: Group, writerId: number): Promise<Seen> {
  const view = await group.store.view(writerId);
  return { databaseId: group.databaseId, view, isLive: (id) => group.isLive(id) };
}

/** Of a database that does not answer while another does: nobody of it is heard of. */
function lastSeen(group: Group | undefined): readonly Seen[] {
  if (group === undefined || group.view === null) return [];
  return [{ databaseId: group.databaseId, view: group.view, isLive: () => false }];
}

/** Whoever runs, or owns something. */
function membersOf({ databaseId, view, isLive }: Seen): contract.Overview['members'] {
  const owners = view.shards.map(([, owner]) => owner);
  const ids = new Set([...view.members.map(({ writer_id }) => writer_id), ...owners]);
  return [...ids].map((id) => {
    const member = view.members.find(({ writer_id }) => writer_id === id);
    const writer = view.writers.find((each) => each.id === id);
    const live = member?.draining ? 'draining' : 'serving';
    return {
      writer_id: id,
      state: member === undefined ? 'absent' : isLive(id) ? live : 'silent',
      address: member?.address ?? null,
      database_id: databaseId,
      shards: owners.filter((owner) => owner === id).length,
      epoch: writer?.epoch ?? 0,
      batch: writer?.batch ?? 0,
      started_at: member?.started_at ?? null,
      seen_at: member?.seen_at ?? null,
    };
  });
}

/**
 * A wish of the same content twice is the same wish: nothing is kept of its key. It is told to the database that knows the
 * process; one that does not answer might.
 */
async function drain(ports: HandlerPorts, request: CoreRequest<'shards.drain'>): Promise<CoreAnswer> {
  const { body } = request;
  const entry = entryOf(request, ports.nowMs());
  const told = await Promise.allSettled(ports.groups.map((group) => tell(ports, group, body, entry)));
  if (told.some((each) => each.status === 'fulfilled' && each.value)) {
    return { status: 200, body: JSON.stringify(body) };
  }
  for (const each of told) if (each.status === 'rejected') throw each.reason;
  throw new ProblemError('not_found');
}

/** False: the database does not know the process. */
async function tell(
  ports: HandlerPorts,
  group: Group,
  wish: CoreRequest<'shards.drain'>['body'],
  entry: string,
): Promise<boolean> {
  const { writer_id, drain } = wish;
  if (group.databaseId === ports.homeId) return group.store.wish(writer_id, drain, entry);
  const wanted = await group.store.wanted(writer_id);
  if (wanted === null) return false;
  // No statement writes two databases: the entry first, so that nothing is changed without one.
  if (wanted !== drain) await ports.home.record(entry);
  return group.store.wish(writer_id, drain, null);
}

/** Of a wish that is another than before. */
function entryOf({ context, requestId, body }: CoreRequest<'shards.drain'>, nowMs: number): string {
  const change = { before: { drain: !body.drain }, after: { drain: body.drain } };
  const target = { targetType: 'writer', targetId: String(body.writer_id) };
  return auditEntry({ merchantId: null, context, requestId, action: 'shards.drain', ...target, ...change }, nowMs);
}
