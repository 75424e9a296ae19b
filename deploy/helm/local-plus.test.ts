/**
 * What the chart renders, for every environment, by the real helm. The gate makes sure that there is one.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../../core/config.ts';
import { limits as coreLimits } from '../../core/limits.ts';
import { findHelm } from '../gate/helm.ts';
import { chartDir, containerOf, pick, render, runHelm, workloadOf, workloads } from './rendered.ts';

const helm = (await findHelm()) ?? '';
const options = { skip: helm === '' ? 'there is no helm yet: `npm test` builds it once' : false };
const environments = ['dev', 'staging', 'prod'];
/** Of the right form, for core's own check of its configuration. */
const secretsForTheTest = {
  DATABASE_URL: 'postgres://user@postgres:5432/local_plus',
  EDGE_SIGNING_KEYS: `k1:${Buffer.alloc(32).toString('base64url')}`,
  ADMIN_TOKEN: 'x'.repeat(64),
  REDIS_URL: 'redis://redis:6379',
  GIFTCARD_CODE_KEYS: `k1:${Buffer.alloc(32).toString('base64url')}`,
  CUSTOMER_KEYS: `k1:${Buffer.alloc(32).toString('base64url')}`,
};
const saslNames = ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'];
const optionalNames = ['REDIS_URL', 'GIFTCARD_CODE_KEYS', 'CUSTOMER_KEYS', ...saslNames];
const secretNames = [...Object.keys(secretsForTheTest), ...saslNames];

for (const environment of environments) {
  const values = `values-${environment}.yaml`;

  test(`${environment}: lints without a warning`, options, () => {
    const outcome = runHelm(helm, 'lint', '--strict', chartDir, '-f', `${chartDir}/${values}`);
    assert.equal(outcome.status, 0, outcome.output);
    assert.doesNotMatch(outcome.output, /\[(WARNING|ERROR)\]/);
  });

  test(`${environment}: every pod is locked down`, options, () => {
    const found = workloads(render(helm, values));
    assert.equal(found.length, 3);
    for (const { manifest, spec } of found) {
      const pod = spec.template.spec;
      assert.equal(pod.automountServiceAccountToken, false, manifest.metadata.name);
      assert.equal(pod.enableServiceLinks, false);
      const user = manifest.kind === 'Deployment' ? 65_532 : 1_000;
      assert.deepEqual(pod.securityContext, {
        runAsNonRoot: true,
        runAsUser: user,
        runAsGroup: user,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      const container = containerOf(spec);
      assert.deepEqual(container.securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      assert.ok(
        container.resources.limits['memory'] !== undefined && container.resources.requests['cpu'] !== undefined,
      );
      assert.deepEqual(
        pod.topologySpreadConstraints.map((constraint) => constraint.topologyKey),
        ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'],
      );
    }
  });

  test(`${environment}: core accepts its environment as it is rendered`, options, () => {
    const manifests = render(helm, values);
    const container = containerOf(workloadOf(manifests, 'StatefulSet', 'lp-local-plus-core'));
    const { data = {} } = pick(manifests, 'ConfigMap', container.envFrom?.[0]?.configMapRef.name ?? '');
    const config = readConfig({ ...data, ...secretsForTheTest, WRITER_ID: '1' });
    assert.deepEqual([config.host, config.port, config.writerId], ['0.0.0.0', 8_080, 1]);
    assert.deepEqual([...config.roles], ['api', 'relay']);
    assert.ok(config.kafkaBrokers.length > 0);
  });

  test(`${environment}: no secret is rendered, each comes by reference`, options, () => {
    const manifests = render(helm, values);
    assert.ok(!manifests.some((manifest) => manifest.kind === 'Secret'));
    for (const { spec } of workloads(manifests)) {
      for (const { name, valueFrom } of containerOf(spec).env) {
        if (![...secretNames, 'TUNNEL_TOKEN'].includes(name)) continue;
        assert.equal(valueFrom?.secretKeyRef?.key, name);
        assert.equal(valueFrom.secretKeyRef.optional ?? false, optionalNames.includes(name));
      }
    }
    const { data = {} } = pick(manifests, 'ConfigMap', 'lp-local-plus-core');
    for (const name of secretNames) assert.ok(!(name in data), name);
  });

  test(`${environment}: accounts carry no token, selectors select their pods, names are unique`, options, () => {
    const manifests = render(helm, values);
    const accounts = manifests.filter((manifest) => manifest.kind === 'ServiceAccount');
    for (const account of accounts) assert.equal(account.automountServiceAccountToken, false);
    const names = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    assert.equal(new Set(names).size, names.length);
    for (const { spec } of workloads(manifests)) {
      assert.ok(accounts.some((account) => account.metadata.name === spec.template.spec.serviceAccountName));
      for (const [label, value] of Object.entries(spec.selector?.matchLabels ?? {})) {
        assert.equal(spec.template.metadata.labels[label], value);
      }
    }
  });
}

test('core: one pod is one writer, counted from 1, with the whole contract in its environment', options, () => {
  const manifests = render(helm, 'values-prod.yaml');
  const core = workloadOf(manifests, 'StatefulSet', 'lp-local-plus-core');
  assert.equal(core.replicas, 1);
  assert.equal(core.ordinals?.start, 1);
  const container = containerOf(core);
  const writerId = container.env.find((variable) => variable.name === 'WRITER_ID');
  assert.equal(writerId?.valueFrom?.fieldRef?.fieldPath, "metadata.labels['apps.kubernetes.io/pod-index']");
  const { data = {} } = pick(manifests, 'ConfigMap', container.envFrom?.[0]?.configMapRef.name ?? '');
  const names = [...Object.keys(data), ...container.env.map((variable) => variable.name)];
  const plain = [
    'CORE_ADDRESS',
    'CORE_HOST',
    'CORE_PORT',
    'KAFKA_BROKERS',
    'KAFKA_SASL_MECHANISM',
    'KAFKA_SSL',
    'LOG_LEVEL',
    'POD_NAME',
    'ROLES',
    'WRITER_ID',
  ];
  assert.deepEqual(names.sort(), [...plain, ...secretNames].sort());
  assert.equal(data['ROLES'], 'api,relay');
  assert.equal(data['KAFKA_BROKERS']?.split(',').length, 3);
});

test('core: how it comes to Kafka is in its environment, the password by reference', options, () => {
  const set = ['core.kafkaTls=true', 'core.kafkaSaslMechanism=scram-sha-512'].flatMap((value) => ['--set', value]);
  const { data = {} } = pick(render(helm, 'values-prod.yaml', ...set), 'ConfigMap', 'lp-local-plus-core');
  const sasl = { KAFKA_SASL_USERNAME: 'core', KAFKA_SASL_PASSWORD: 'secret' };
  const config = readConfig({ ...data, ...secretsForTheTest, ...sasl, WRITER_ID: '1' });
  const named = { mechanism: 'scram-sha-512', username: 'core', password: 'secret' };
  assert.deepEqual(config.kafkaAccess, { ssl: true, sasl: named });
});

test('core: the pods of several reach each other by name', options, () => {
  const manifests = render(helm, 'values-prod.yaml', '--set', 'core.replicas=3');
  const core = workloadOf(manifests, 'StatefulSet', 'lp-local-plus-core');
  assert.equal(core.replicas, 3);
  const address = containerOf(core).env.find((variable) => variable.name === 'CORE_ADDRESS');
  assert.equal(address?.value, `$(POD_NAME).${core.serviceName}:8080`);
  const podName = containerOf(core).env.findIndex((variable) => variable.name === 'POD_NAME');
  const own = containerOf(core).env.findIndex((variable) => variable.name === 'CORE_ADDRESS');
  assert.ok(podName >= 0 && podName < own, 'what is used stands before');
});

test('core: of several databases each has pods of its own, and core accepts what they are told', options, () => {
  const manifests = render(helm, 'values-prod.yaml', '--set', 'core.databases=2,core.replicas=3');
  const further = 'postgres://user@postgres-two:5432/local_plus';
  const sets = ['lp-local-plus-core', 'lp-local-plus-core-2'].map((name) => workloadOf(manifests, 'StatefulSet', name));
  const selectors = sets.map(({ selector }) => selector?.matchLabels ?? {});
  for (const [index, core] of sets.entries()) {
    const id = String(index + 1);
    assert.deepEqual([core.replicas, core.ordinals?.start], [3, 1 + 64 * index]);
    assert.equal(core.serviceName, 'lp-local-plus-core-pods', 'all are found by name');
    assert.equal(selectors[index]?.['local-plus/database'], id, 'no set takes the pods of the other');
    assert.partialDeepStrictEqual(core.template.metadata.labels, selectors[index] ?? {});
    const { env } = containerOf(core);
    assert.equal(env.find(({ name }) => name === 'LEDGER_DATABASE_ID')?.value, id);
    const secret = env.find(({ name }) => name === 'LEDGER_DATABASES')?.valueFrom?.secretKeyRef;
    assert.deepEqual([secret?.key, secret?.optional], ['LEDGER_DATABASES', undefined]);
    const told = { LEDGER_DATABASES: `2=${further}`, LEDGER_DATABASE_ID: id, WRITER_ID: String(core.ordinals?.start) };
    const config = readConfig({ ...secretsForTheTest, ...told });
    assert.deepEqual(
      config.ledgerDatabases.get(config.ledgerDatabaseId),
      [secretsForTheTest.DATABASE_URL, further][index],
    );
  }
  const migration = containerOf(workloadOf(manifests, 'Job', 'lp-local-plus-migrate'));
  assert.ok(
    migration.env.some(({ name }) => name === 'LEDGER_DATABASES'),
    'it places the shards',
  );
});

test('core: alive, ready and stopped are told apart, and a stop is never cut short', options, () => {
  const core = workloadOf(render(helm, 'values-prod.yaml'), 'StatefulSet', 'lp-local-plus-core');
  const container = containerOf(core);
  assert.deepEqual(container.startupProbe?.httpGet, { path: '/healthz', port: 'http' });
  assert.deepEqual(container.livenessProbe?.httpGet, { path: '/healthz', port: 'http' });
  assert.deepEqual(container.readinessProbe?.httpGet, { path: '/readyz', port: 'http' });
  const stopSeconds = (container.lifecycle?.preStop.sleep.seconds ?? 0) + coreLimits.stopMs / 1_000;
  assert.ok((core.template.spec.terminationGracePeriodSeconds ?? 0) > stopSeconds);
});

test('core: a changed configuration is a new pod', options, () => {
  const checksum = (...args: string[]): string | undefined => {
    const core = workloadOf(render(helm, 'values-prod.yaml', ...args), 'StatefulSet', 'lp-local-plus-core');
    return core.template.metadata.annotations?.['local-plus/config-checksum'];
  };
  assert.equal(checksum(), checksum());
  assert.notEqual(checksum(), checksum('--set', 'core.logLevel=debug'));
});

test('core: one Service for whoever asks, one without an address for the pods by name', options, () => {
  const manifests = render(helm, 'values-prod.yaml');
  const core = workloadOf(manifests, 'StatefulSet', 'lp-local-plus-core');
  assert.equal(core.serviceName, 'lp-local-plus-core-pods');
  assert.partialDeepStrictEqual(pick(manifests, 'Service', 'lp-local-plus-core-pods').spec, {
    clusterIP: 'None',
    publishNotReadyAddresses: true,
    selector: core.selector?.matchLabels,
  });
  assert.partialDeepStrictEqual(pick(manifests, 'Service', 'lp-local-plus-core').spec, {
    type: 'ClusterIP',
    selector: core.selector?.matchLabels,
    ports: [{ port: 8_080, targetPort: 'http' }],
  });
});

test('the migration runs before anything changes, and brings what it needs', options, () => {
  const manifests = render(helm, 'values-prod.yaml');
  const job = pick(manifests, 'Job', 'lp-local-plus-migrate');
  const hooks = manifests.filter((manifest) => manifest.metadata.annotations?.['helm.sh/hook'] !== undefined);
  assert.deepEqual(hooks.map((hook) => hook.kind).sort(), ['Job', 'NetworkPolicy', 'ServiceAccount']);
  for (const { kind, metadata } of hooks) {
    assert.equal(metadata.annotations?.['helm.sh/hook'], 'pre-install,pre-upgrade');
    const weight = Number(metadata.annotations['helm.sh/hook-weight']);
    assert.equal(weight < 0, kind !== 'Job', 'the job comes last');
  }
  const container = containerOf(workloadOf(manifests, 'Job', job.metadata.name));
  assert.deepEqual(container.command, ['node', 'core/migrate.ts']);
  assert.equal(container.envFrom, undefined, 'the ConfigMap is not there yet');
  const core = containerOf(workloadOf(manifests, 'StatefulSet', 'lp-local-plus-core'));
  assert.equal(container.image, core.image, 'the schema and the code come from one image');
});

test('the tunnel: two pods that are ready only when connected', options, () => {
  const manifests = render(helm, 'values-prod.yaml');
  const tunnel = workloadOf(manifests, 'Deployment', 'lp-local-plus-cloudflared');
  assert.equal(tunnel.replicas, 2);
  const container = containerOf(tunnel);
  assert.equal(container.readinessProbe?.httpGet.path, '/ready');
  const { args = [] } = container;
  assert.ok(args.includes('--no-autoupdate') && args.includes('--metrics=0.0.0.0:2000'));
  assert.ok(!args.some((argument) => argument.includes('token')), 'arguments can be read by everyone');
  assert.partialDeepStrictEqual(pick(manifests, 'PodDisruptionBudget', 'lp-local-plus-cloudflared').spec, {
    maxUnavailable: 1,
  });
});

test('the tunnel: its operator is told which paths may lead to core', options, () => {
  const outcome = runHelm(helm, 'install', 'lp', chartDir, '--dry-run=client', '-f', `${chartDir}/values-prod.yaml`);
  assert.equal(outcome.status, 0, outcome.output);
  const [, notes = ''] = outcome.stdout.split('NOTES:');
  const paths = [...notes.matchAll(/^ {4}(\^\S+)$/gm)].map(([, path = '']) => new RegExp(path));
  const leads = (path: string): boolean => paths.some((one) => one.test(path));
  for (const path of ['/v1/catalog', '/internal/keys/a', '/readyz']) assert.ok(leads(path), path);
  for (const path of ['/metrics', '/healthz', '/', '/v10/x', '/readyz/x', '/x/v1/']) assert.ok(!leads(path), path);
  assert.match(notes, /http_status:404/);
});

test('network: nothing, except tunnel to core, core to its own, and core to its data services', options, () => {
  const manifests = render(helm, 'values-staging.yaml');
  assert.partialDeepStrictEqual(pick(manifests, 'NetworkPolicy', 'lp-local-plus-default-deny').spec, {
    podSelector: { matchLabels: { 'app.kubernetes.io/instance': 'lp' } },
    policyTypes: ['Ingress', 'Egress'],
  });
  const data = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'data' } } };
  const component = (name: string): object => ({
    podSelector: { matchLabels: { 'app.kubernetes.io/component': name } },
  });
  const dns = { ports: [{ protocol: 'UDP', port: 53 }] };
  assert.partialDeepStrictEqual(pick(manifests, 'NetworkPolicy', 'lp-local-plus-core').spec, {
    ingress: [{ from: [component('cloudflared'), component('core')], ports: [{ protocol: 'TCP', port: 'http' }] }],
    egress: [
      dns,
      { to: [component('core')] },
      ...[9_092, 5_432, 6_379].map((port) => ({ to: [data], ports: [{ protocol: 'TCP', port }] })),
    ],
  });
  assert.partialDeepStrictEqual(pick(manifests, 'NetworkPolicy', 'lp-local-plus-cloudflared').spec, {
    egress: [dns, { to: [component('core')] }, { ports: [{ protocol: 'TCP', port: 7_844 }] }],
  });
  assert.partialDeepStrictEqual(pick(manifests, 'NetworkPolicy', 'lp-local-plus-migrate').spec, {
    egress: [dns, { to: [data], ports: [{ protocol: 'TCP', port: 5_432 }] }],
  });
});

test('what is optional can be left out', options, () => {
  const off = ['cloudflared.enabled', 'migration.enabled', 'serviceMonitor.enabled', 'networkPolicy.enabled'];
  const manifests = render(helm, 'values-staging.yaml', '--set', off.map((name) => `${name}=false`).join(','));
  assert.deepEqual([...new Set(manifests.map((manifest) => manifest.kind))].sort(), [
    'ConfigMap',
    'PodDisruptionBudget',
    'Service',
    'ServiceAccount',
    'StatefulSet',
  ]);
  assert.equal(workloads(manifests).length, 1);
});

test('an image can be named by digest', options, () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const manifests = render(helm, 'values-prod.yaml', '--set', `image.digest=${digest}`);
  assert.equal(
    containerOf(workloadOf(manifests, 'StatefulSet', 'lp-local-plus-core')).image,
    `local-plus/core@${digest}`,
  );
});
