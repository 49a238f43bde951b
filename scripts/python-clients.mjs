/** Python environments with the real clients, one a release, under .cache/venvs; an environment is made again when its requirements change. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const venvs = join(root, '.cache/venvs');
const isWindows = process.platform === 'win32';

/**
 * Oldest first; `newestPython` is the last minor version that a release's pinned packages install on. Every run takes the first that this
 * machine's Python can have and the last; the full run all. An extra is more than we promise: without it the run goes on.
 */
const CLIENTS = [
  { name: 'mlflow-1.30', newestPython: 11, isExtra: true },
  { name: 'mlflow-2.9', newestPython: 12 },
  { name: 'mlflow-2.22', newestPython: 12 },
  { name: 'mlflow-3.4', newestPython: 13 },
  { name: 'mlflow-3.17', newestPython: 99 },
];
/** All of the releases install on it. */
const PREFERRED_PYTHON = 12;

/** 'uv' and 'pip' write their progress; standard output is kept for the tests' own. */
function run(command, args) {
  const env = { ...process.env, UV_PYTHON_DOWNLOADS: 'never', PIP_DISABLE_PIP_VERSION_CHECK: '1' };
  return spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], env }).status === 0;
}

function programIn(venv, name) {
  return join(venv, isWindows ? `Scripts/${name}.exe` : `bin/${name}`);
}

/** Every Python 3.10 or newer here, newest first. */
function findPythons() {
  const found = new Map();
  for (const name of ['python3.14', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3', 'python']) {
    const probe = spawnSync(name, ['-c', 'import sys; print(*sys.version_info[:2], sys.executable)'], { encoding: 'utf8' });
    const [, minor, path] = /^3 (\d+) (.*)$/m.exec(probe.stdout ?? '') ?? [];
    if (Number(minor) >= 10 && !found.has(Number(minor))) found.set(Number(minor), path);
  }
  return [...found].map(([minor, path]) => ({ minor, path })).sort((a, b) => b.minor - a.minor);
}

/** uv makes environments in seconds; it comes from PyPI into one of its own, and where that can't be, from the machine. */
function findUv(python) {
  const folder = join(venvs, 'uv');
  const uv = programIn(folder, 'uv');
  if (existsSync(uv)) return uv;
  if (run(python, ['-m', 'venv', folder]) && run(programIn(folder, 'python'), ['-m', 'pip', 'install', '--quiet', 'uv'])) return uv;
  rmSync(folder, { recursive: true, force: true });
  return spawnSync('uv', ['--version']).status === 0 ? 'uv' : undefined;
}

/** The environment's interpreter, or undefined where it can't be made. */
function makeVenv(uv, name, python, say) {
  const requirements = join(root, 'test/python', `${name}.txt`);
  const folder = join(venvs, name);
  const interpreter = programIn(folder, 'python');
  const stamp = join(folder, '.countersign-stamp');
  const wanted = createHash('sha256').update(readFileSync(requirements)).update(python.path).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted && spawnSync(interpreter, ['--version']).status === 0) return interpreter;
  say(`installing ${name} for Python 3.${python.minor} …`);
  rmSync(folder, { recursive: true, force: true });
  const isMade =
    run(uv, ['venv', '--quiet', '--python', python.path, folder]) &&
    run(uv, ['pip', 'install', '--quiet', '--python', interpreter, '-r', requirements]);
  if (!isMade) return undefined;
  writeFileSync(stamp, wanted);
  return interpreter;
}

function pythonFor(client, pythons) {
  const fitting = pythons.filter((python) => python.minor <= client.newestPython);
  return fitting.find((python) => python.minor <= PREFERRED_PYTHON) ?? fitting[0];
}

/** Name → interpreter, oldest release first. `hasFailed` if one that this machine's Python can have could not be installed. */
export function clientInterpreters({ isFull, say }) {
  const pythons = findPythons();
  if (pythons.length === 0) {
    say('No Python 3.10 or newer is here: the tests with the real clients are skipped. Install one to run them.');
    return { found: {}, hasFailed: false };
  }
  mkdirSync(venvs, { recursive: true });
  const uv = findUv((pythonFor({ newestPython: PREFERRED_PYTHON }, pythons) ?? pythons[0]).path);
  if (uv === undefined) {
    say(
      'uv could not be installed from PyPI: the tests with the real clients are skipped. On Debian, Python needs the package python3-venv.',
    );
    return { found: {}, hasFailed: process.env.CI !== undefined };
  }
  const possible = CLIENTS.filter((client) => {
    if (client.isExtra && !isFull) return false;
    if (pythonFor(client, pythons)) return true;
    say(`${client.name} needs a Python of 3.10 to 3.${client.newestPython}, which isn't here: skipped.`);
    return false;
  });
  const wanted = isFull ? possible : [...new Set([possible[0], possible[possible.length - 1]])];
  const found = {};
  let hasFailed = false;
  for (const client of wanted) {
    const interpreter = makeVenv(uv, client.name, pythonFor(client, pythons), say);
    if (interpreter) found[client.name] = interpreter;
    else say(`${client.name} could not be installed: ${client.isExtra ? 'its tests are skipped' : 'FAILED'}.`);
    hasFailed ||= !interpreter && !client.isExtra;
  }
  return { found, hasFailed };
}
