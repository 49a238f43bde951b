/** The office in which the commands of the guides are run: its people, its models, and what a document shows as typed and answered. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import { SHIPPED_COMMAND } from './cli.ts';
import { type Office, openOffice } from './governed-office.ts';
import { pythons } from './python.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** The environment that has databricks-sdk beside MLflow's client. */
const PYTHON = pythons['mlflow-3.17'];

/** Alice makes models, bob and carol are in group risk, dave is on call, erin is in legal; `ci` may report two checks. */
export async function openGuideOffice(databaseUrl?: string): Promise<Office> {
  const office = await openOffice(
    databaseUrl,
    {
      alice: { level: 'USE' },
      bob: { level: 'READ', groups: ['risk'] },
      carol: { level: 'READ', groups: ['risk'] },
      dave: { level: 'READ', groups: ['on-call'] },
      erin: { level: 'READ', groups: ['legal'] },
    },
    { ci: { owner: 'root', scopes: ['read', 'check:ci/tests', 'check:ci/bias'] } },
  );
  mkdirSync(join(office.folder, 'bin'));
  addCommand(office, 'countersign', `exec ${SHIPPED_COMMAND.map((word) => `'${word}'`).join(' ')} "$@"`);
  addCommand(office, 'python', PYTHON === undefined ? CALL_WITHOUT_CLIENT : `exec '${PYTHON}' "$@"`);
  addCommand(office, 'pytest', 'exit 0');
  await fillRegistry(office);
  return office;
}

/** As the guides write it: now, where they are typed. */
const THAT_DAY = '2026-03-01T12:00:00Z';

/** What the script of the README asks for. */
const CALL_WITHOUT_CLIENT = `curl -sS -H "Authorization: Bearer $COUNTERSIGN_TOKEN" -H 'content-type: application/json' \
  -d '{"name": "fraud-cards", "version": "2", "stage": "Production", "archive_existing_versions": true}' \
  "$COUNTERSIGN_SERVER/api/2.0/mlflow/model-versions/transition-stage"; exit 1`;

function addCommand(office: Office, name: string, script: string): void {
  const file = join(office.folder, 'bin', name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
}

/** What stands in Production has accuracy 0.94; versions 2 and 3 are better. */
async function fillRegistry(office: Office): Promise<void> {
  const experiment = await mlflow(office, 'experiments/create', { name: 'work' });
  for (const name of ['fraud-cards', 'dev.churn']) await mlflow(office, 'registered-models/create', { name });
  for (const accuracy of [0.94, 0.95, 0.96]) await registerRun(office, experiment.experiment_id, 'fraud-cards', accuracy);
  await registerRun(office, experiment.experiment_id, 'dev.churn', 0.9);
  await mlflow(office, 'model-versions/transition-stage', { name: 'fraud-cards', version: '1', stage: 'Production' });
}

async function registerRun(office: Office, experimentId: string, name: string, accuracy: number): Promise<void> {
  const { run } = await mlflow(office, 'runs/create', { experiment_id: experimentId });
  const { run_id, artifact_uri } = run.info;
  const folder = `${office.app.url}${artifact_uri.replace('mlflow-artifacts:', '/api/2.0/mlflow-artifacts/artifacts')}/model`;
  const headers = { authorization: `Bearer ${office.tokens.alice}` };
  const files = { MLmodel: `flavors: {}\nsignature:\n  inputs: '[{"type": "double", "name": "amount"}]'\n`, 'weights.bin': `${accuracy}` };
  for (const [path, body] of Object.entries(files)) {
    expect((await fetch(`${folder}/${path}`, { method: 'PUT', headers, body })).status).toBe(200);
  }
  await mlflow(office, 'runs/log-metric', { run_id, key: 'accuracy', value: accuracy, timestamp: 1, step: 0 });
  const description = `Accuracy ${accuracy}.`;
  await mlflow(office, 'model-versions/create', { name, source: `runs:/${run_id}/model`, run_id, description });
}

// biome-ignore lint/suspicious/noExplicitAny: black-box tests look into whatever came back
function mlflow(office: Office, route: string, body: unknown): Promise<any> {
  return office.must('alice', 'POST', `/api/2.0/mlflow/${route}`, body);
}

type Step =
  | { readonly kind: 'file'; readonly line: number; readonly path: string; readonly text: string }
  | { readonly kind: 'command'; readonly line: number; readonly who: string; readonly command: string; readonly shown: readonly string[] };

/**
 * Blocks that begin with the name of their file, `console` blocks (`bob$ command`, then lines of what is answered), and, where the clients are
 * there, Python that begins with who runs it: `# bob`.
 */
function stepsOf(path: string): readonly Step[] {
  const lines = readFileSync(join(ROOT, path), 'utf8').split('\n');
  const steps: Step[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const language = /^```(\w+)$/.exec(lines[at] ?? '')?.[1];
    if (language === undefined) continue;
    const first = at + 1;
    const block = lines.slice(first, lines.indexOf('```', first));
    at = first + block.length;
    const file = /^# ([\w./-]+\.(?:yaml|py))$/.exec(block[0] ?? '')?.[1];
    if (file !== undefined) steps.push({ kind: 'file', line: first + 1, path: file, text: `${block.slice(1).join('\n')}\n` });
    const [, pythonist] = /^# ([a-z]+)$/.exec(block[0] ?? '') ?? [];
    if (language === 'python' && pythonist !== undefined && PYTHON !== undefined) {
      steps.push({ kind: 'file', line: first + 1, path: 'shown.py', text: `${block.join('\n')}\n` });
      steps.push({ kind: 'command', line: first + 1, who: pythonist, command: `${PYTHON} shown.py`, shown: [] });
    }
    if (language === 'console') steps.push(...commandsOf(block, first + 1));
  }
  return steps;
}

function commandsOf(block: readonly string[], firstLine: number): Step[] {
  const commands: { kind: 'command'; line: number; who: string; command: string; shown: string[] }[] = [];
  let isContinued = false;
  for (const [at, line] of block.entries()) {
    const [, who, command] = /^([a-z]+)\$ (.*)$/.exec(line) ?? [];
    const last = commands.at(-1);
    if (who !== undefined && command !== undefined) commands.push({ kind: 'command', line: firstLine + at, who, command, shown: [] });
    else if (isContinued && last !== undefined) last.command += `\n${line}`;
    else if (line.trim() !== '') last?.shown.push(line);
    isContinued = line.endsWith('\\') && (isContinued || who !== undefined);
  }
  return commands;
}

/** Does what the document shows. `…` in an answer stands for anything; an answer may be shown in part, and `# exit code N` ends a command that fails. */
export async function play(office: Office, path: string): Promise<void> {
  for (const step of stepsOf(path)) {
    if (step.kind === 'file') {
      mkdirSync(dirname(join(office.folder, step.path)), { recursive: true });
      writeFileSync(join(office.folder, step.path), step.text);
      continue;
    }
    const { code, output } = await run(office, step.who, step.command.replaceAll(THAT_DAY, new Date().toISOString()));
    const where = `${path}:${step.line}: ${step.command}\n${output}`;
    if (process.env.SHOW_GUIDES !== undefined) process.stderr.write(`${where}\n`);
    expect(code, where).toBe(Number(/# exit code (\d+)$/.exec(step.command)?.[1] ?? 0));
    const answered = output.split('\n').map(collapsed);
    let from = 0;
    for (const line of step.shown) {
      const pattern = new RegExp(`^${collapsed(line).split('…').map(escaped).join('.*')}$`);
      const found = answered.findIndex((each, at) => at >= from && pattern.test(each));
      expect(found, `no line '${line}' in the answer to ${where}`).toBeGreaterThanOrEqual(0);
      from = found + 1;
    }
  }
}

function escaped(words: string): string {
  return words.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function collapsed(line: string): string {
  return line.trim().replaceAll(/\s+/g, ' ');
}

/** Whoever has no token here asks no server. */
export async function run(office: Office, who: string, command: string): Promise<{ code: number | null; output: string }> {
  const token = office.tokens[who];
  const child = spawn('sh', ['-c', `${command}\n`], {
    cwd: office.folder,
    env: {
      PATH: `${join(office.folder, 'bin')}:${process.env.PATH}`,
      HOME: office.folder,
      ...(token === undefined
        ? {}
        : {
            COUNTERSIGN_SERVER: office.app.url,
            COUNTERSIGN_TOKEN: token,
            MLFLOW_TRACKING_URI: office.app.url,
            MLFLOW_TRACKING_TOKEN: token,
          }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((done) => child.on('close', done));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await ended, output: stdout + stderr };
}
