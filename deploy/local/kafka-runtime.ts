/**
 * What a broker needs of the machine: Java 17 or newer, and Kafka's jars, fetched once by Maven.
 *
 * Missing pieces are installed by apt where we are root and apt is there. Where they cannot be had, an
 * {@link AbsentError}: the stack runs without Kafka, and events wait in the ledger's tail.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPackages } from './apt.ts';
import { outputOf, runCommand } from './commands.ts';
import { AbsentError } from './errors.ts';
import { readFileIfAny } from './files.ts';
import { limits } from './limits.ts';
import { waitForLock } from './locks.ts';

export interface KafkaRuntime {
  /** The `java` to run. */
  readonly java: string;
  /** The folder of the jars. */
  readonly libDir: string;
}

export interface RuntimeOptions {
  /** Downloads are kept here, for every run and every checkout of this version. */
  readonly cacheDir: string;
  readonly logDir: string;
  readonly log?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const pomFile = fileURLToPath(new URL('kafka/pom.xml', import.meta.url));
const copyDependencies = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';
const javaVersionMin = 17;
const without = 'the stack runs without it, and events wait in the ledger';

export async function kafkaRuntime(options: RuntimeOptions): Promise<KafkaRuntime> {
  const version = kafkaVersion();
  const home = join(options.cacheDir, `kafka-${version}`);
  const libDir = join(home, 'libs');
  const lock = await waitForLock(join(options.cacheDir, 'kafka.lock'), limits.downloadLockMs, options.signal);
  try {
    const java = (await findJava()) ?? (await installJava(options));
    if (!existsSync(libDir)) await fetchJars(version, home, options);
    return { java, libDir };
  } finally {
    lock.release();
  }
}

function kafkaVersion(): string {
  const version = /<kafka\.version>([\d.]+)<\/kafka\.version>/.exec(readFileIfAny(pomFile) ?? '')?.[1];
  if (version === undefined) throw new Error(`${pomFile} must name kafka.version`);
  return version;
}

/** The first Java that is new enough: the one on PATH, else any that Debian's folders hold. */
async function findJava(): Promise<string | null> {
  const jvmDir = '/usr/lib/jvm';
  const installed = existsSync(jvmDir) ? readdirSync(jvmDir).map((name) => join(jvmDir, name, 'bin', 'java')) : [];
  for (const java of ['java', ...installed]) {
    const major = /version "(\d+)/.exec((await outputOf(java, ['-version'])) ?? '')?.[1];
    if (Number(major) >= javaVersionMin) return java;
  }
  return null;
}

async function installJava(options: RuntimeOptions): Promise<string> {
  for (const name of ['openjdk-17-jre-headless', 'openjdk-21-jre-headless', 'default-jre-headless']) {
    options.log?.(`installing Java (${name}) by apt, once`);
    const outcome = await installPackages([name], options);
    if (outcome === 'unavailable') break;
    const java = outcome === 'installed' ? await findJava() : null;
    if (java !== null) return java;
  }
  throw new AbsentError(`Kafka needs Java ${javaVersionMin} or newer, which is not on this machine: ${without}.`);
}

/** Copies the jars beside and renames, so that a broken download is never taken for a whole one. */
async function fetchJars(version: string, home: string, options: RuntimeOptions): Promise<void> {
  const beside = `${home}.${process.pid}.tmp`;
  rmSync(beside, { recursive: true, force: true });
  mkdirSync(beside, { recursive: true });
  try {
    options.log?.(`fetching Kafka ${version} by Maven (45 MB, once)`);
    let outcome = await runMaven(beside, options);
    if (outcome.kind === 'missing') {
      options.log?.('installing Maven by apt, once');
      await installPackages(['maven'], options);
      options.log?.(`fetching Kafka ${version} by Maven (45 MB, once)`);
      outcome = await runMaven(beside, options);
    }
    if (outcome.kind === 'missing')
      throw new AbsentError(`Kafka's jars need Maven, which is not on this machine: ${without}.`);
    if (outcome.kind === 'failed') {
      const where = join(options.logDir, 'maven.log');
      throw new AbsentError(`Maven could not fetch Kafka (${outcome.exit}, see ${where}): ${without}.`);
    }
    rmSync(home, { recursive: true, force: true });
    renameSync(beside, home);
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

function runMaven(beside: string, options: RuntimeOptions): ReturnType<typeof runCommand> {
  const goal = [copyDependencies, `-DoutputDirectory=${join(beside, 'libs')}`, '-DincludeScope=runtime'];
  return runCommand('mvn', ['-B', '-q', '-f', pomFile, ...goal], {
    timeoutMs: limits.downloadMs,
    logFile: join(options.logDir, 'maven.log'),
    signal: options.signal,
  });
}
