/** Wire ↔ shards: what the operator sees of who owns what, and the wish that a process hands over. */
import type { shards as contract } from '@local-plus/contracts';
import { type CoreAnswer, type CoreRequest, type Handlers, ProblemError } from '../platform/http/index.ts';
import type { ShardStore, View } from './store.ts';

export interface HandlerPorts {
  readonly writerId: number;
  readonly store: Pick<ShardStore, 'view' | 'wish'>;
  /** As far as this process sees. */
  readonly isLive: (writerId: number) => boolean;
}

export function shardHandlers(ports: HandlerPorts): Handlers {
  return {
    'shards.read': () => read(ports),
    'shards.drain': (request) => drain(ports, request),
  };
}

async function read({ store, writerId, isLive }: HandlerPorts): Promise<CoreAnswer> {
  const view = await store.view(writerId);
  const answer: contract.Overview = {
    answered_by: writerId,
    members: membersOf(view, isLive),
    shards: view.shards
      .map(([id, owner, version]) => ({ id, writer_id: owner, version }))
      .sort((left, right) => left.id - right.id),
  };
  return { status: 200, body: JSON.stringify(answer) };
}

/** Whoever runs, or owns something. */
function membersOf(view: View, isLive: (writerId: number) => boolean): contract.Overview['members'] {
  const owners = view.shards.map(([, owner]) => owner);
  const ids = new Set([...view.members.map(({ writer_id }) => writer_id), ...owners]);
  return [...ids]
    .sort((left, right) => left - right)
    .map((id) => {
      const member = view.members.find(({ writer_id }) => writer_id === id);
      const writer = view.writers.find((each) => each.id === id);
      const live = member?.draining ? 'draining' : 'serving';
      return {
        writer_id: id,
        state: member === undefined ? 'absent' : isLive(id) ? live : 'silent',
        address: member?.address ?? null,
        shards: owners.filter((owner) => owner === id).length,
        epoch: writer?.epoch ?? 0,
        batch: writer?.batch ?? 0,
        started_at: member?.started_at ?? null,
        seen_at: member?.seen_at ?? null,
      };
    });
}

/** A wish of the same content twice is the same wish: nothing is kept of its key. */
async function drain({ store }: HandlerPorts, { body }: CoreRequest<'shards.drain'>): Promise<CoreAnswer> {
  if (!(await store.wish(body.writer_id, body.drain))) throw new ProblemError('not_found');
  return { status: 200, body: JSON.stringify(body) };
}
