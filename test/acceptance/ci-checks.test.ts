/** A check that takes longer than the token of its job: `countersign check run` shows again which job it is. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { addUser, ask, grant, openApp, type Person, type RunningApp } from '../support/app.ts';
import { type CiIssuer, githubClaims, startCiIssuer } from '../support/ci-issuer.ts';
import { SOURCE_COMMAND } from '../support/cli.ts';
import { makeObjects } from './permission-requests.ts';

const folder = mkdtempSync(join(tmpdir(), 'countersign-ci-checks-'));
let app: RunningApp;
let issuer: CiIssuer;
let root: Person;
/** What gives tokens to the job, as GitHub's runner does. */
let runner: Server;
let asked: { audience: string | null; bearer: string | undefined }[] = [];

beforeAll(async () => {
  app = await openApp();
  issuer = await startCiIssuer();
  root = await addUser(app.ctx, 'root', { isAdmin: true });
  const { modelId } = await makeObjects(app.ctx, 'fraud');
  const trust = {
    name: 'fraud-tests',
    kind: 'github',
    issuer: issuer.issuer,
    audience: app.url,
    claims: {
      repository_id: '456789',
      repository_owner_id: '123456',
      workflow_ref: '.github/workflows/release.yml',
      ref: 'refs/heads/main',
    },
    scopes: ['read', 'check:ci/tests'],
  };
  const made = await ask(app, 'POST', '/api/v1/ci-trusts', { as: root.secret, body: trust });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  const account = await app.ctx.db.one<{ id: number }>("SELECT id FROM principals WHERE name = 'ci:fraud-tests'");
  await grant(app.ctx, { accountId: account?.id ?? 0 }, { kind: 'registered-model', id: modelId }, 'READ');
  runner = createServer(async (req, res) => {
    const url = new URL(req.url ?? '', 'http://runner');
    asked.push({ audience: url.searchParams.get('audience'), bearer: req.headers.authorization });
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ value: await signed() }));
  });
  await new Promise<void>((resolve) => runner.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  vi.useRealTimers();
  asked = [];
});
afterAll(async () => {
  runner.close();
  await app.close();
  await issuer.close();
  rmSync(folder, { recursive: true });
});

const signed = (): Promise<string> => issuer.sign(githubClaims(app.url, Date.now()));
const exchanged = async (): Promise<string> => {
  const { status, body } = await ask(app, 'POST', '/api/v1/ci/token', { body: { token: await signed() } });
  expect(status, JSON.stringify(body)).toBe(200);
  return body.access_token;
};

/** The command ends once the token that it was started with has run out. */
async function runLong(env: Readonly<Record<string, string>>, token: string) {
  const go = join(folder, `go-${Object.keys(env).join('-')}`);
  const words = ['check', 'run', 'ci/tests', 'fraud/1', '--', 'sh', '-c', `echo up; until [ -e '${go}' ]; do sleep 0.05; done`];
  const [node = '', ...args] = SOURCE_COMMAND;
  const child = spawn(node, [...args, ...words], {
    cwd: folder,
    env: { PATH: process.env.PATH, COUNTERSIGN_SERVER: app.url, COUNTERSIGN_TOKEN: token, ...env },
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  child.stdout.once('data', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 16 * 60_000 });
    writeFileSync(go, '');
  });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await ended, out, err };
}

const checks = async () => {
  vi.useRealTimers();
  return (await ask(app, 'GET', '/api/v1/models/fraud/versions/1/checks', { as: root.secret })).body.checks;
};

it('a job of GitHub asks for another token, and is the same job', async () => {
  const env = {
    ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${(runner.address() as AddressInfo).port}/token?api-version=2.0`, // it listens on TCP
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of-the-runner',
    GITHUB_RUN_ID: '8100',
  };
  const ended = await runLong(env, await exchanged());
  expect(ended, ended.err).toMatchObject({ code: 0, err: "The check 'ci/tests' (github-8100/1) is success.\n" });
  expect(asked).toEqual([{ audience: app.url, bearer: 'bearer of-the-runner' }]);
  expect(await checks()).toMatchObject([{ conclusion: 'success', is_entitled: true, reported_by: { kind: 'ci' } }]);
});

it('one of another system shows the second token that it was given', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 10 * 60_000 });
  const later = await issuer.sign({ ...githubClaims(app.url, Date.now()), exp: Math.floor(Date.now() / 1000) + 7200 });
  vi.useRealTimers();
  const first = await exchanged();
  const ended = await runLong({ COUNTERSIGN_CI_TOKEN: later, CI_JOB_ID: '7' }, first);
  expect(ended, ended.err).toMatchObject({ code: 0, err: "The check 'ci/tests' (gitlab-7) is success.\n" });
});

it('one that has no other is told how it gets one', async () => {
  const ended = await runLong({ CI_JOB_ID: '8' }, await exchanged());
  expect([ended.code, ended.err]).toEqual([3, expect.stringContaining('COUNTERSIGN_CI_TOKEN')]);
});

it('and whoever isn’t a job is never made one', async () => {
  const robot = await ask(app, 'POST', '/api/v1/tokens', {
    as: root.secret,
    body: { name: 'short', scopes: ['admin'], expires_at: Date.now() + 15 * 60_000 },
  });
  const ended = await runLong({ COUNTERSIGN_CI_TOKEN: await signed(), CI_JOB_ID: '9' }, robot.body.secret);
  expect([ended.code, ended.err]).toEqual([3, expect.not.stringContaining('COUNTERSIGN_CI_TOKEN')]);
});
