/**
 * `npm test` and `npm run test:full`: installs what the tests need, then formats, types, dead code and all tests. Runs on Node 18 or newer.
 * Ends with a line `N passed, N failed, N skipped`. Its exit code is the worst of the steps.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const isFull = process.argv.includes('--full');
const only = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const venvs = join(root, '.cache/venvs');

/** Oldest and newest on every run, all of them in the full run. `newestPython` is the last that the release installs on. */
const CLIENTS = [
  { name: 'mlflow-2.9', newestPython: 12, always: true },
  { name: 'mlflow-2.22', newestPython: 12, always: false },
  { name: 'mlflow-3.4', newestPython: 13, always: false },
  { name: 'mlflow-3.17', newestPython: 99, always: true },
];

const say = (text) => process.stderr.write(`${text}\n`);

function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options }).status ?? 1;
}

function timed(title, work) {
  say(`\n── ${title}`);
  const startedAt = Date.now();
  const status = work();
  say(`── ${title}: ${status === 0 ? 'ok' : 'FAILED'} (${((Date.now() - startedAt) / 1000).toFixed(1)} s)`);
  return status;
}

/** [interpreter, minor version] of every Python 3.10 or newer here, newest first. */
function findPythons() {
  const found = new Map();
  for (const name of ['python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3', 'python']) {
    const probe = spawnSync(name, ['-c', 'import sys; print(sys.executable, sys.version_info[0], sys.version_info[1])'], {
      encoding: 'utf8',
    });
    const match = /^(.*) 3 (\d+)\s*$/.exec(probe.stdout ?? '');
    if (match && Number(match[2]) >= 10 && !found.has(Number(match[2]))) found.set(Number(match[2]), match[1]);
  }
  return [...found].map(([minor, path]) => ({ minor, path })).sort((a, b) => b.minor - a.minor);
}

/** uv in an environment of its own: it makes the others in seconds. */
function findUv(python) {
  const folder = join(venvs, 'uv');
  const uv = join(folder, process.platform === 'win32' ? 'Scripts/uv.exe' : 'bin/uv');
  if (!existsSync(uv)) {
    if (run(python, ['-m', 'venv', folder]) !== 0) return undefined;
    const pip = join(folder, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
    if (run(pip, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', 'uv']) !== 0) return undefined;
  }
  return uv;
}

function makeVenv(uv, client, python) {
  const requirements = join(root, 'test/python', `${client.name}.txt`);
  const folder = join(venvs, client.name);
  const interpreter = join(folder, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
  const wanted = createHash('sha256').update(readFileSync(requirements)).update(String(python.minor)).digest('hex');
  const stamp = join(folder, '.countersign-stamp');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return interpreter;
  say(`installing ${client.name} for Python 3.${python.minor} …`);
  rmSync(folder, { recursive: true, force: true });
  if (run(uv, ['venv', '--quiet', '--python', python.path, folder]) !== 0) return undefined;
  if (run(uv, ['pip', 'install', '--quiet', '--python', interpreter, '-r', requirements]) !== 0) return undefined;
  writeFileSync(stamp, wanted);
  return interpreter;
}

function clientInterpreters() {
  const pythons = findPythons();
  const newest = pythons[0];
  if (!newest) {
    say('No Python 3.10 or newer is here: the tests with the real clients are skipped.');
    return {};
  }
  mkdirSync(venvs, { recursive: true });
  const uv = findUv(newest.path);
  if (!uv) {
    say('uv could not be installed from PyPI: the tests with the real clients are skipped.');
    return {};
  }
  const found = {};
  let hasOldest = false;
  for (const client of CLIENTS) {
    // The newest Python that this release installs on; 3.12 or older serves them all.
    const python =
      pythons.find((each) => each.minor <= Math.min(client.newestPython, 12)) ?? pythons.find((each) => each.minor <= client.newestPython);
    if (!python) {
      say(`${client.name} needs Python 3.${client.newestPython} or older: skipped.`);
      continue;
    }
    if (!isFull && !client.always && hasOldest) continue;
    const interpreter = makeVenv(uv, client, python);
    if (!interpreter) {
      say(`${client.name} could not be installed: FAILED.`);
      process.exitCode = 1;
      continue;
    }
    found[client.name] = interpreter;
    hasOldest = true;
  }
  return found;
}

/** Node 24, where the tests run. */
function node24(args, env = {}) {
  return run('sh', [join(root, 'bin/node24'), '--disable-warning=ExperimentalWarning', ...args], { env: { ...process.env, ...env } });
}

function runTests(pythons) {
  const report = join(root, '.cache/test-report.json');
  rmSync(report, { force: true });
  const status = node24(
    ['node_modules/vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...only],
    { COUNTERSIGN_TEST_PYTHONS: JSON.stringify(pythons), ...(isFull ? { COUNTERSIGN_TEST_FULL: '1' } : {}) },
  );
  let counts = { passed: 0, failed: 1, skipped: 0 };
  if (existsSync(report)) {
    const result = JSON.parse(readFileSync(report, 'utf8'));
    // A file that broke in a hook or an import has no failed test of its own.
    const brokenFiles = result.testResults.filter(
      (each) => each.status === 'failed' && !each.assertionResults.some((test) => test.status === 'failed'),
    ).length;
    counts = {
      passed: result.numPassedTests,
      failed: result.numFailedTests + brokenFiles,
      skipped: result.numPendingTests + (result.numTodoTests ?? 0),
    };
  }
  return { status: status || (counts.passed === 0 ? 1 : 0), counts };
}

if (run(process.execPath, ['scripts/prepare.mjs', '--dev']) !== 0) process.exit(1);
const pythons = clientInterpreters();
let worst = process.exitCode ?? 0;
const check = (title, work) => {
  worst = Math.max(worst, timed(title, work));
};
if (only.length === 0) {
  check('format and lint', () => run('node', ['node_modules/@biomejs/biome/bin/biome', 'check', '.']));
  check('types', () => run('node', ['node_modules/typescript/bin/tsc', '--noEmit', '-p', '.']));
  check('dead code', () => node24(['node_modules/knip/bin/knip.js', '--no-progress']));
}
let counts = { passed: 0, failed: 0, skipped: 0 };
check('tests', () => {
  const result = runTests(pythons);
  counts = result.counts;
  return result.status;
});
process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exit(worst);
