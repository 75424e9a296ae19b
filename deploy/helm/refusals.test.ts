/**
 * Values that cannot work are refused before anything is rendered, with a sentence that says what to do.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { z } from 'zod';
import { roles } from '../../core/config.ts';
import { logLevels } from '../../core/platform/telemetry/index.ts';
import { findHelm } from '../gate/helm.ts';
import { chartDir, runHelm } from './rendered.ts';

const helm = (await findHelm()) ?? '';
const options = { skip: helm === '' ? 'there is no helm yet: `npm test` builds it once' : false };

/** @param set a value as `--set` takes it, or `--set-json` where it is a list */
function refusal(set: string): string {
  const flag = set.endsWith(']') ? '--set-json' : '--set';
  const outcome = runHelm(helm, 'template', 'lp', chartDir, '-f', `${chartDir}/values-prod.yaml`, flag, set);
  assert.notEqual(outcome.status, 0, 'it was rendered');
  return outcome.output;
}

/** Fine one by one, wrong together: what templates/_validate.tpl says. */
const sentences: readonly (readonly [set: string, sentence: RegExp])[] = [
  ['core.roles={relay}', /core\.roles lacks api/],
  ['core.existingSecret=', /core\.existingSecret is empty: name a Secret .* DATABASE_URL, EDGE_SIGNING_KEYS/],
  ['core.kafkaBrokers=[]', /core\.kafkaBrokers is empty although core\.roles has relay/],
  ['core.terminationGracePeriodSeconds=20', /must be at least 35: .* cuts a commit off/],
  ['cloudflared.existingSecret=', /cloudflared\.existingSecret is empty: .* TUNNEL_TOKEN/],
  ['image.tag=latest', /image\.tag is latest/],
  ['cloudflared.image.tag=latest', /cloudflared\.image\.tag is latest/],
  ['networkPolicy.enabled=false', /networkPolicy\.enabled is false in prod/],
];

for (const [set, sentence] of sentences) {
  test(`refused with its reason: ${set}`, options, () => {
    assert.match(refusal(set), sentence);
  });
}

test('all reasons come at once', options, () => {
  const output = refusal('core.existingSecret=,cloudflared.existingSecret=');
  for (const name of ['core.existingSecret', 'cloudflared.existingSecret']) {
    assert.ok(output.includes(`  - ${name} is `), name);
  }
});

test('the defaults alone are no installation', options, () => {
  const outcome = runHelm(helm, 'template', 'lp', chartDir);
  assert.match(outcome.output, /core\.existingSecret is empty/);
});

/** Wrong by themselves: what values.schema.json says. */
const schema: readonly (readonly [set: string, message: RegExp])[] = [
  ['core.port=80', /'\/core\/port': minimum/],
  ['core.replicas=0', /'\/core\/replicas': minimum/],
  ['core.replicas=65', /'\/core\/replicas': maximum/],
  ['core.databases=0', /'\/core\/databases': minimum/],
  ['core.databases=16', /'\/core\/databases': maximum/],
  ['core.replica=1', /'\/core': additional properties 'replica' not allowed/],
  ['core.logLevel=loud', /'\/core\/logLevel': value must be one of/],
  ['core.roles={api,baker}', /'\/core\/roles\/1': value must be one of/],
  ['core.kafkaBrokers={kafka}', /'\/core\/kafkaBrokers\/0': 'kafka' does not match pattern/],
  ['core.resources.limits.memory=null', /missing property 'memory'/],
  ['core.existingSecret=Not A Name', /'\/core\/existingSecret': .* does not match pattern/],
  ['image.digest=sha256:abc', /'\/image\/digest': .* does not match pattern/],
  ['environment=production', /'\/environment': value must be one of 'dev', 'staging', 'prod'/],
  ['core.databaseUrl=x', /additional properties 'databaseUrl' not allowed/],
  ['networkPolicy.dataServices.postgres.ports=[]', /'\/networkPolicy\/dataServices\/postgres\/ports': minItems/],
];

test('the schema allows the roles and log levels that core knows, and no others', async () => {
  const text = readFileSync(`${chartDir}/values.schema.json`, 'utf8');
  const choices = z.object({ enum: z.array(z.string()) });
  const core = z.object({ roles: z.object({ items: choices }), logLevel: choices });
  const { properties } = z
    .object({ properties: z.object({ core: z.object({ properties: core }) }) })
    .parse(JSON.parse(text));
  assert.deepEqual(properties.core.properties.roles.items.enum, [...roles]);
  assert.deepEqual(properties.core.properties.logLevel.enum, [...logLevels]);
});

for (const [set, message] of schema) {
  test(`refused by the schema: ${set}`, options, () => {
    assert.match(refusal(set), message);
  });
}
