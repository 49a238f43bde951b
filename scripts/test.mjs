/**
 * `npm test` and `npm run test:full`: installs what the tests need, then format and lint, types, dead code, and all tests. Words behind it
 * (`npm test -- artifacts`) run only the test files whose paths hold one of them. Runs on Node 18 or newer. Ends with a line
 * `N passed, N failed, N skipped`; the exit code is the worst of the steps.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { clientInterpreters } from './python-clients.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const isFull = process.argv.includes('--full');
const only = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const report = join(root, '.cache/test-report.json');

const say = (text) => process.stderr.write(`${text}\n`);

function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  });
  if (error) say(`${command} can't be started: ${error.message}`);
  return status ?? 1;
}

/** Node 24, on which the product runs. */
function node24(args, env) {
  return run('sh', [join(root, 'bin/node24'), '--disable-warning=ExperimentalWarning', ...args], env);
}

/** Runs the step between two lines that name it; answers its exit code. */
function step(title, work) {
  say(`\n── ${title}`);
  const startedAt = Date.now();
  const status = work();
  say(`── ${title}: ${status === 0 ? 'ok' : 'FAILED'} (${((Date.now() - startedAt) / 1000).toFixed(1)} s)`);
  return status;
}

function runTests(pythons) {
  rmSync(report, { force: true });
  const names = Object.keys(pythons);
  return node24(
    ['node_modules/vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...only],
    {
      COUNTERSIGN_TEST_FULL: isFull ? '1' : '',
      COUNTERSIGN_TEST_PYTHONS: JSON.stringify(pythons),
      ...(names.length > 0 && {
        COUNTERSIGN_TEST_PYTHON_OLDEST: pythons[names[0]],
        COUNTERSIGN_TEST_PYTHON_NEWEST: pythons[names[names.length - 1]],
      }),
      // What is shipped is what was built.
      COUNTERSIGN_COMMAND: join(root, 'packages/cli/dist/main.js'),
    },
  );
}

function readCounts() {
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: 0 };
  const result = JSON.parse(readFileSync(report, 'utf8'));
  // A file that broke in a hook or an import has no failed test of its own.
  const brokenFiles = result.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests + brokenFiles.length,
    skipped: result.numPendingTests + (result.numTodoTests ?? 0),
  };
}

const startedAt = Date.now();
if (step('packages and build', () => run(process.execPath, ['scripts/prepare.mjs', '--dev'])) !== 0) process.exit(1);
const clients = { found: {}, hasFailed: false };
const statuses = [
  step('Python clients', () => {
    Object.assign(clients, clientInterpreters({ isFull, say }));
    return clients.hasFailed ? 1 : 0;
  }),
];
if (only.length === 0) {
  statuses.push(
    step('format and lint', () => node24(['node_modules/@biomejs/biome/bin/biome', 'check', '.'])),
    step('types', () => node24(['node_modules/typescript/bin/tsc', '--noEmit', '-p', '.'])),
    step('dead code', () => node24(['node_modules/knip/bin/knip.js', '--no-progress'])),
  );
}
statuses.push(step('tests', () => runTests(clients.found)));
const { passed, failed, skipped } = readCounts();
if (passed === 0 || failed > 0) statuses.push(1);
say(`\n${isFull ? 'full run' : 'run'} of ${Math.round((Date.now() - startedAt) / 1000)} s`);
// exitCode rather than exit(): the line is written whole, also into a pipe.
process.exitCode = Math.max(...statuses);
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
