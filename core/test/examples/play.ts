/** Plays every scene against a running core: each is asked once, and its answer has to be the documented one. */
import assert from 'node:assert/strict';
import { bodyRules, type Route, type RouteId, routes } from '@local-plus/contracts';
import { type Caller, nobody, operator, type SignedClient } from '../stack.ts';
import type { Example, Examples } from './example.ts';
import { normalised } from './normalise.ts';
import type { Asked, Scene } from './scene.ts';
import { World } from './world.ts';

export type Scenes = { readonly [Id in RouteId]: Scene };

export async function play(client: SignedClient, scenes: Partial<Scenes>): Promise<Examples> {
  const examples: Partial<Record<RouteId, Example>> = {};
  for (const [id, scene] of Object.entries(scenes) as [RouteId, Scene][]) {
    const world = await World.open(client);
    examples[id] = await playOne(client, id, world, await scene(world));
  }
  return examples;
}

async function playOne(client: SignedClient, id: RouteId, world: World, asked: Asked): Promise<Example> {
  const route: Route = routes[id];
  const { query, body, caller = callerOf(route, world) } = asked;
  const path = pathOf(route.path, asked.params ?? []);
  const target = query === undefined ? path : `${path}?${new URLSearchParams(query)}`;
  const isLines = route.format === 'ndjson';
  const sent = { caller, ...(body === undefined ? {} : isLines ? sentAsLines(body) : { body }) };
  const answer =
    route.method === 'GET'
      ? await client.send('GET', target, sent)
      : await client.send('POST', target, { ...sent, ...(route.idempotent ? { key: crypto.randomUUID() } : {}) });
  assert.equal(answer.status, route.status, `${id}: ${answer.text}`);
  const told = isLines
    ? answer.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown)
    : answer.json;
  for (const each of isLines ? (told as unknown[]) : [told]) route.answer.parse(each);
  const example = { path, ...(query && { query }), ...(body === undefined ? {} : { body }), answer: told };
  return normalised(example, Date.now());
}

/** Whatever else a caller could have: the scope that is documented is enough. */
function callerOf({ scope }: Route, { owner }: World): Caller {
  if (scope === null) return nobody;
  return scope === 'admin' ? operator : { ...owner, scopes: [scope] };
}

function pathOf(template: string, params: readonly string[]): string {
  let next = 0;
  const path = template.replaceAll(/\{\w+\}/g, () => params[next++] ?? '');
  assert.equal(next, params.length, `${template} has other parameters`);
  return path;
}

function sentAsLines(body: unknown) {
  const lines = (body as unknown[]).map((line) => `${JSON.stringify(line)}\n`);
  return { headers: { 'content-type': bodyRules.ndjson.mediaType }, body: lines.join('') };
}
