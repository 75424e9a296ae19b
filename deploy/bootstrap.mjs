/**
 * The one file that runs on whatever Node is there (20 or newer): installs what the lockfile says, then hands over to
 * the Node that the lockfile pins.
 *
 *     node deploy/bootstrap.mjs deploy/local/start.ts [-- arguments]
 *
 * Plain JavaScript, no dependency: there may be no node_modules yet. Several may run at once: one installs, the others
 * wait for it. Signals and the exit code pass through.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const nodeMajorMin = 20;
const nodeMajorPinned = 22;
const installWaitMs = 900_000;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const marker = join(modules, '.local-plus-lock');
const installLock = join(root, '.local', 'install.lock');
const nodeMajor = Number(process.versions.node.split('.')[0]);

/** One plain sentence for the person at the terminal, and the end. */
class Refusal extends Error {}

/** @param {string} sentence */
function refuse(sentence) {
  throw new Refusal(sentence);
}

/** @returns {string} the lockfile's hash */
function lockfileHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

/**
 * Installed means: from this very lockfile. An install that was made by hand counts when npm wrote its own record
 * after the lockfile was last changed.
 */
function isInstalled() {
  if (existsSync(marker)) return readFileSync(marker, 'utf8').trim() === lockfileHash();
  const record = join(modules, '.package-lock.json');
  if (!existsSync(record)) return false;
  if (statSync(record).mtimeMs < statSync(join(root, 'package-lock.json')).mtimeMs) return false;
  writeFileSync(marker, `${lockfileHash()}\n`);
  return true;
}

/** @param {number} pid */
function isAlive(pid) {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** A lock folder is taken by whoever creates it. Its owner's pid stands in it; a dead owner's is removed. */
async function takeInstallLock() {
  const owner = join(installLock, 'pid');
  const deadlineMs = Date.now() + installWaitMs;
  let told = false;
  mkdirSync(dirname(installLock), { recursive: true });
  for (;;) {
    try {
      mkdirSync(installLock);
      writeFileSync(owner, String(process.pid));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const pid = existsSync(owner) ? Number(readFileSync(owner, 'utf8')) : null;
    const ageMs = Date.now() - (statSync(installLock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    // Without a pid it was made a moment ago, or its maker died in that moment.
    if (pid === null ? ageMs > 5_000 : !isAlive(pid)) rmSync(installLock, { recursive: true, force: true });
    else if (Date.now() > deadlineMs)
      refuse(`Another install has run for too long; end it, remove ${installLock}, try again.`);
    if (!told) process.stderr.write('Another install is running here; waiting for it …\n');
    told = true;
    await delay(250);
  }
}

async function install() {
  await takeInstallLock();
  try {
    if (isInstalled()) return;
    process.stderr.write('Installing the dependencies with npm ci (about 20 s the first time) …\n');
    const startedMs = Date.now();
    const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
    const code = await run('npm', args, { cwd: root });
    if (code !== 0) refuse(`npm ci failed with exit code ${code}; what it says above has to be solved first.`);
    writeFileSync(marker, `${lockfileHash()}\n`);
    process.stderr.write(`Installed in ${Math.round((Date.now() - startedMs) / 1_000)} s.\n`);
  } finally {
    rmSync(installLock, { recursive: true, force: true });
  }
}

/**
 * Runs a program in the foreground and resolves with its exit code; a program that a signal ended ends us alike.
 * A terminal's Ctrl-C reaches it without us.
 */
function run(command, args, options = {}) {
  return new Promise((settled, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', ...options });
    const forward = (signal) => {
      if (!(signal === 'SIGINT' && process.stdin.isTTY)) child.kill(signal);
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, forward);
    const settle = () => {
      for (const signal of signals) process.removeListener(signal, forward);
    };
    child.once('error', (error) => {
      settle();
      reject(new Refusal(`${command} could not be started: ${error.message}.`));
    });
    child.once('exit', (code, signal) => {
      settle();
      if (signal !== null) process.kill(process.pid, signal);
      else settled(code ?? 1);
    });
  });
}

function pinnedNode() {
  const pinned = join(modules, '.bin', 'node');
  if (existsSync(pinned)) return pinned;
  if (nodeMajor === nodeMajorPinned) return process.execPath;
  return refuse(
    `There is no pinned Node for ${process.platform}-${process.arch}: run this with Node ${nodeMajorPinned} (this is ${process.version}).`,
  );
}

async function main() {
  const [script, ...args] = process.argv.slice(2);
  if (script === undefined) refuse('Usage: node deploy/bootstrap.mjs <script> [-- arguments]');
  if (nodeMajor < nodeMajorMin) refuse(`Local-Plus needs Node ${nodeMajorMin} or newer; this is ${process.version}.`);
  if (!isInstalled()) await install();
  if (args[0] === '--') args.shift();
  return run(pinnedNode(), [resolve(root, script), ...args]);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
