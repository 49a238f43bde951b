/** Checks as CI reports them: over HTTP, and by `countersign check …`. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { CheckReportSchema } from '@countersign/contract/checks.ts';
import { Compile } from 'typebox/compile';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addToken, addUser, ask, grant, openApp, type Person, type RunningApp } from '../support/app.ts';
import { makeObjects, type Objects } from './permission-requests.ts';

const COMMAND = resolve(import.meta.dirname, '../../packages/cli/src/main.ts');

describe('checks', () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-checks-'));
  let app: RunningApp;
  let root: Person;
  let fraud: Objects;
  /** Of a service account that reads the model, for one check. */
  let robot: string;
  const path = '/api/v1/models/fraud/versions/1/checks';

  beforeAll(async () => {
    app = await openApp();
    root = await addUser(app.ctx, 'root', { isAdmin: true });
    fraud = await makeObjects(app.ctx, 'fraud');
    const made = await ask(app, 'POST', '/api/v1/service-accounts', { as: root.secret, body: { name: 'robot', owner: 'root' } });
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    const account = await app.ctx.db.one<{ id: number }>("SELECT id FROM principals WHERE name = 'robot'");
    await grant(app.ctx, { accountId: account?.id ?? 0 }, { kind: 'registered-model', id: fraud.modelId }, 'READ');
    const body = { name: 'ci', scopes: ['check:ci/tests'], account: 'robot', expires_at: Date.now() + 3_600_000 };
    const minted = await ask(app, 'POST', '/api/v1/tokens', { as: root.secret, body });
    expect(minted.status, JSON.stringify(minted.body)).toBe(201);
    robot = minted.body.secret;
  });
  afterAll(async () => {
    await app.close();
    rmSync(folder, { recursive: true });
  });

  const report = (body: object, as = robot) => ask(app, 'POST', path, { as, body });
  const green = { name: 'ci/tests', external_id: 'gh-1/1', status: 'completed', conclusion: 'success' };

  it('are reported by whom the token says, once or again', async () => {
    const started = await report({ ...green, status: 'in_progress', conclusion: undefined });
    expect([started.status, started.body.is_new, started.body.check.deadline_at > Date.now()]).toEqual([201, true, true]);
    const metrics = { accuracy: 0.957, loss: 'NaN', top: 'Infinity', low: '-Infinity' };
    const said = { ...green, metrics, dataset: 'holdout', summary: '412 passed', details_url: 'https://ci.example/1' };
    const ended = await report(said);
    expect([ended.status, ended.body.is_new]).toEqual([200, false]);
    expect(ended.body.check).toMatchObject({
      ...{ name: 'ci/tests', conclusion: 'success', is_entitled: true, is_current: true, metrics, dataset: 'holdout' },
      ...{ summary: '412 passed', details_url: 'https://ci.example/1', reported_by: { kind: 'service', name: 'robot' } },
    });
    const again = await report(said);
    expect([again.status, again.body]).toEqual([200, ended.body]);
    const back = await report({ ...green, status: 'queued', conclusion: undefined });
    expect([back.status, back.body.error_code]).toEqual([400, 'INVALID_STATE']);
  });

  it('are listed newest first, page by page, with their history where it is asked for', async () => {
    await report({ ...green, external_id: 'gh-2/1', conclusion: 'failure' });
    const read = (query: string) => ask(app, 'GET', `${path}${query}`, { as: root.secret });
    const { body } = await read('?limit=1');
    expect(body.checks.map((each: { external_id: string }) => each.external_id)).toEqual(['gh-2/1']);
    const next = await read(`?limit=1&page_token=${body.next_page_token}`);
    expect(next.body.checks.map((each: { external_id: string }) => each.external_id)).toEqual(['gh-1/1']);
    expect(next.body.next_page_token).toBe(null);
    const all = (await read('?history=true')).body.checks;
    expect(all).toHaveLength(3);
    const schema = Compile(CheckReportSchema);
    expect(all.flatMap((each: unknown) => schema.Errors(each))).toEqual([]);
    expect((await read('/ci%2Ftests/history?limit=2')).body.checks).toHaveLength(2);
    expect((await read('/nobody/history')).body.checks).toEqual([]);
  });

  it('are refused where the token, the bytes or the words are wrong', async () => {
    const refusals = [
      [{ ...green, name: 'bias' }, 403, "the checks 'ci/tests' only"],
      [{ ...green, external_id: 'x', digest: 'sha256:00' }, 409, 'has the digest'],
      [{ ...green, name: 'ci/tests ' }, 400, "'name'"],
      [{ ...green, external_id: 'x', metrics: { a: 'many' } }, 400, "'metrics/a'"],
      [{ ...green, external_id: 'x', details_url: 'http://ci.example/' }, 400, 'https'],
      [{ ...green, external_id: 'x', conclusion: 'stale' }, 400, 'must be one of success'],
    ] as const;
    for (const [body, status, words] of refusals) {
      const answer = await report(body);
      expect([answer.status, answer.body.message]).toEqual([status, expect.stringContaining(words)]);
    }
    expect((await ask(app, 'GET', path, { as: robot })).status).toBe(403);
    const own = await addToken(app.ctx, root.account, ['check:ci/tests']);
    expect((await report({ ...green, external_id: 'own' }, own)).body.check).toMatchObject({ is_entitled: false });
  });

  async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}, end?: NodeJS.Signals) {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', COMMAND, 'check', ...args], {
      cwd: folder,
      env: { PATH: process.env.PATH, COUNTERSIGN_SERVER: app.url, COUNTERSIGN_TOKEN: robot, ...env },
    });
    child.stdin.end();
    if (end !== undefined) child.stdout.once('data', () => child.kill(end));
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { code: await ended, out, err };
  }
  const last = async () => (await ask(app, 'GET', `${path}?limit=1`, { as: root.secret })).body.checks[0];

  it('run a command, whose end is theirs', async () => {
    const github = {
      ...{ GITHUB_RUN_ID: '8100', GITHUB_RUN_ATTEMPT: '2', GITHUB_SERVER_URL: 'https://github.example', GITHUB_REPOSITORY: 'octo/fraud' },
    };
    writeFileSync(join(folder, 'metrics.json'), '{"loss": NaN, "auc": 0.5}');
    const measured = ['--metric', 'accuracy=0.95', '--metric', 'top=inf', '--metrics-file', 'metrics.json', '--dataset', 'holdout'];
    const passed = await run(['run', 'ci/tests', 'fraud/1', ...measured, '--', 'sh', '-c', 'echo out; echo report > r.md'], github);
    expect(passed, passed.err).toEqual({ code: 0, out: 'out\n', err: "The check 'ci/tests' (github-8100/2) is success.\n" });
    expect(await last()).toMatchObject({
      ...{ external_id: 'github-8100/2', conclusion: 'success', details_url: 'https://github.example/octo/fraud/actions/runs/8100' },
      ...{ metrics: { accuracy: 0.95, top: 'Infinity', loss: 'NaN', auc: 0.5 }, dataset: 'holdout' },
    });
    const failed = await run([
      'run',
      'ci/tests',
      'models:/fraud/1',
      '--summary-file',
      'r.md',
      '--json',
      '--',
      'sh',
      '-c',
      'echo out; exit 3',
    ]);
    expect([failed.code, failed.err]).toEqual([6, 'out\n']);
    expect(JSON.parse(failed.out)).toMatchObject({ conclusion: 'failure', summary: 'report\n' });
    expect(JSON.parse(failed.out).completed_at).toMatch(/Z$/);
    const absent = await run(['run', 'ci/tests', 'fraud/1', '--', 'no-such-command']);
    expect([absent.code, absent.err]).toEqual([6, expect.stringContaining("'no-such-command' can't be run (ENOENT)")]);
    const unread = await run(['run', 'ci/tests', 'fraud/1', '--metrics-file', 'absent.json', '--', 'true']);
    expect([unread.code, (await last()).conclusion, (await last()).summary]).toEqual([6, 'failure', expect.stringContaining('ENOENT')]);
    const stopped = await run(['run', 'ci/tests', 'fraud/1', '--', 'sh', '-c', 'echo up; exec sleep 60'], { BUILD_TAG: 'b 1' }, 'SIGTERM');
    expect([stopped.code, await last()]).toEqual([130, expect.objectContaining({ external_id: 'b-1', conclusion: 'cancelled' })]);
  });

  it('start and finish in two calls of one job', async () => {
    const gitlab = { CI_JOB_ID: '77', CI_JOB_URL: 'https://gitlab.example/jobs/77' };
    expect(await run(['start', 'ci/tests', 'fraud/1', '--quiet'], gitlab)).toEqual({ code: 0, out: 'gitlab-77\n', err: '' });
    const finished = await run(['finish', 'ci/tests', 'fraud/1', '--conclusion', 'neutral'], gitlab);
    expect(finished).toEqual({ code: 0, out: "The check 'ci/tests' (gitlab-77) is neutral.\n", err: '' });
    const listed = await run(['list', 'fraud@champion', '--name', 'ci/tests'], { COUNTERSIGN_TOKEN: root.secret });
    expect(listed.code, listed.err).toBe(0);
    expect(listed.out.split('\n')[0]).toMatch(/^CHECK +CONCLUSION +ENTITLED +BYTES +RUN +BY +WHEN$/);
    expect(listed.out.split('\n')[1]).toMatch(/^ci\/tests +neutral +yes +current +gitlab-77 +robot +/);
    expect(listed.out.split('\n')[2]).toMatch(/in_progress/);
    const one = JSON.parse((await run(['ls', 'fraud/1', '--json'], { COUNTERSIGN_TOKEN: root.secret })).out);
    expect(one.checks[0]).toMatchObject({ external_id: 'gitlab-77', conclusion: 'neutral' });
  });

  it.each([
    [['run', 'bias', 'fraud/1', '--', 'true'], 3, 'Permission denied'],
    [['start', 'ci/tests', 'fraud'], 2, 'MODEL/NUMBER'],
    [['start', 'ci/tests', 'fraud/99'], 4, 'not found'],
    [['finish', 'ci/tests', 'fraud/1', '--conclusion', 'fine'], 2, 'Allowed choices'],
    [['finish', 'ci/tests', 'fraud/1', '--conclusion', 'success', '--metric', 'a=many'], 2, "--metric needs a number for 'a'"],
    [['finish', 'ci/tests', 'fraud/1', '--conclusion', 'success', '--digest', 'sha256:00'], 5, 'has the digest'],
    [['run', 'ci/tests', 'fraud/1'], 2, 'COMMAND'],
    [['list', 'fraud@absent'], 3, 'Permission denied'],
  ])('%j ends with %i and says why', async (args, code, words) => {
    const ended = await run(args);
    expect([ended.code, ended.out, ended.err]).toEqual([code, '', expect.stringContaining(words)]);
  });
});
