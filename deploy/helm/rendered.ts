/**
 * The chart as its tests see it: rendered by the real helm, read back as objects.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';

export const chartDir = join(import.meta.dirname, 'local-plus');

const text = z.record(z.string(), z.string());
const probe = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) });
const container = z.object({
  name: z.string(),
  image: z.string(),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()).optional(),
  env: z.array(
    z.object({
      name: z.string(),
      value: z.string().optional(),
      valueFrom: z
        .object({
          secretKeyRef: z.object({ name: z.string(), key: z.string(), optional: z.boolean().optional() }).optional(),
          fieldRef: z.object({ fieldPath: z.string() }).optional(),
        })
        .optional(),
    }),
  ),
  envFrom: z.array(z.object({ configMapRef: z.object({ name: z.string() }) })).optional(),
  securityContext: z.unknown(),
  startupProbe: probe.optional(),
  livenessProbe: probe.optional(),
  readinessProbe: probe.optional(),
  lifecycle: z.object({ preStop: z.object({ sleep: z.object({ seconds: z.int() }) }) }).optional(),
  resources: z.object({ requests: text, limits: text }),
});
const podSpec = z.object({
  serviceAccountName: z.string(),
  automountServiceAccountToken: z.boolean(),
  enableServiceLinks: z.boolean(),
  securityContext: z.unknown(),
  terminationGracePeriodSeconds: z.int().optional(),
  topologySpreadConstraints: z.array(z.object({ topologyKey: z.string() })),
  containers: z.array(container),
});
const workload = z.object({
  replicas: z.int().optional(),
  ordinals: z.object({ start: z.int() }).optional(),
  serviceName: z.string().optional(),
  selector: z.object({ matchLabels: text }).optional(),
  template: z.object({ metadata: z.object({ labels: text, annotations: text.optional() }), spec: podSpec }),
});
const manifest = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.object({ name: z.string(), labels: text, annotations: text.optional() }),
  spec: z.unknown().optional(),
  data: text.optional(),
  automountServiceAccountToken: z.boolean().optional(),
});

export type Manifest = z.infer<typeof manifest>;
export type Workload = z.infer<typeof workload>;

export interface HelmOutcome {
  readonly status: number | null;
  /** What it printed, both streams. */
  readonly output: string;
  readonly stdout: string;
}

export function runHelm(helm: string, ...args: string[]): HelmOutcome {
  const { status, stdout, stderr, error } = spawnSync(helm, args, { encoding: 'utf8', timeout: 60_000 });
  if (error) throw error;
  return { status, stdout, output: stdout + stderr };
}

/** Renders the chart as release `lp` of namespace `money`. Throws what helm says when it refuses. */
export function render(helm: string, valuesFile: string, ...args: string[]): Manifest[] {
  const values = ['-f', join(chartDir, valuesFile)];
  const outcome = runHelm(helm, 'template', 'lp', chartDir, '--namespace', 'money', ...values, ...args);
  if (outcome.status !== 0) throw new Error(outcome.output);
  return parseAllDocuments(outcome.stdout)
    .map((document) => document.toJS() as unknown)
    .filter((document) => document !== null)
    .map((document) => manifest.parse(document));
}

/** The one manifest of this kind and name. */
export function pick(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.filter((one) => one.kind === kind && one.metadata.name === name);
  const [only] = found;
  if (only === undefined || found.length > 1) throw new Error(`${found.length} of kind ${kind} are called ${name}`);
  return only;
}

/** Everything that runs pods. */
export function workloads(manifests: readonly Manifest[]): { readonly manifest: Manifest; readonly spec: Workload }[] {
  return manifests
    .filter((one) => ['StatefulSet', 'Deployment', 'Job', 'DaemonSet'].includes(one.kind))
    .map((one) => ({ manifest: one, spec: workload.parse(one.spec) }));
}

export function workloadOf(manifests: readonly Manifest[], kind: string, name: string): Workload {
  return workload.parse(pick(manifests, kind, name).spec);
}

/** The only container of a workload. */
export function containerOf(spec: Workload): Workload['template']['spec']['containers'][number] {
  const [only, ...more] = spec.template.spec.containers;
  if (only === undefined || more.length > 0) throw new Error('one container was expected');
  return only;
}
