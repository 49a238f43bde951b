/** The auditor's way: what the server signs, what answers carry, an export, and its verification with nothing but the file. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { openCheckpoints } from '@countersign/server/features/checkpoints/checkpoints.ts';
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addUser, ask, openApp, type RunningApp } from '../support/app.ts';
import { onBothDatabases } from '../support/databases.ts';
import { secretBox } from '../support/master-keys.ts';

const COMMAND = resolve(import.meta.dirname, '../../packages/cli/src/main.ts');
const MLFLOW = '/api/2.0/mlflow';

onBothDatabases('the record, for an auditor', (databaseUrl) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-audit-'));
  let app: RunningApp;
  let root: string;
  let reader: string;

  beforeAll(async () => {
    const url = await databaseUrl();
    const checkpoints = openCheckpoints({ secrets: secretBox(join(folder, 'master.key')), givenKeys: undefined });
    app = await openApp({ checkpoints, ...(url === undefined ? {} : { db: new PostgresDatabase(url) }) });
    root = (await addUser(app.ctx, 'root', { isAdmin: true })).secret;
    reader = (await addUser(app.ctx, 'ada')).secret;
  });
  afterAll(async () => {
    await app.close();
    rmSync(folder, { recursive: true });
  });

  async function audit(args: readonly string[], { as = root, input = '' } = {}) {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', COMMAND, 'audit', ...args], {
      cwd: folder,
      env: { PATH: process.env.PATH, COUNTERSIGN_SERVER: app.url, COUNTERSIGN_TOKEN: as },
    });
    child.stdin.on('error', () => {}); // it may have found a fault before the end
    child.stdin.end(input);
    const ended = new Promise<number | null>((done) => child.on('close', done));
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { code: await ended, out, err };
  }
  const change = (path: string, body: unknown) => ask(app, 'POST', `${MLFLOW}/${path}`, { as: root, body });
  const carried = (answer: { readonly headers: Headers }) => answer.headers.get('countersign-checkpoint');

  it('answers to changes carry the newest checkpoint, other answers do not', async () => {
    expect(carried(await change('registered-models/create', { name: 'fraud', description: 'of cards' }))).toBeNull();
    const made = await audit(['checkpoint']);
    expect([made.code, made.err]).toEqual([0, '']);
    const line = made.out.trim();
    await change('model-versions/create', { name: 'fraud', source: 's3://bucket/model' });
    const moved = await change('model-versions/transition-stage', { name: 'fraud', version: '1', stage: 'Production' });
    expect([moved.status, carried(moved)]).toEqual([200, line]);
    const alias = { as: root, body: { version: 1 } };
    expect(carried(await ask(app, 'PUT', '/api/v1/models/fraud/aliases/champion', alias))).toBe(line);
    expect(carried(await ask(app, 'GET', `${MLFLOW}/registered-models/get?name=fraud`, { as: root }))).toBeNull();
    expect(carried(await change('runs/create', { experiment_id: '0' }))).toBeNull();
    writeFileSync(join(folder, 'answers.log'), `some\nHTTP/1.1 200 OK\nCountersign-Checkpoint: ${carried(moved)}\n`);
  });

  it('an export verifies without a server, by the key and by a checkpoint from a log of answers', async () => {
    expect((await audit(['export', '--texts', '--output', 'record.jsonl'])).code).toBe(0);
    expect((await audit(['export', '--texts', '--output', 'record.jsonl'])).code).toBe(5);
    writeFileSync(join(folder, 'key.pub'), (await audit(['keys', '--quiet'])).out);
    const verified = await audit(['verify', 'record.jsonl', '--key', 'key.pub', '--since', 'answers.log', '--json'], { as: 'none' });
    expect([verified.code, verified.err]).toEqual([0, '']);
    expect(JSON.parse(verified.out)).toMatchObject({ ok: true, fault: null, after_seq: 0, checkpoints: 2 });
    const rest = await audit(['export', '--since', 'answers.log']);
    const tail = await audit(['verify', '-'], { input: rest.out });
    expect([tail.code, tail.out]).toEqual([0, expect.stringMatching(/^Whole: events \d+ to \d+, 1 checkpoints, 0 texts/)]);
    expect(tail.err).toContain('--key');
  });

  it('what was edited, dropped, moved or cut off is named, with exit code 6', async () => {
    const lines = readFileSync(join(folder, 'record.jsonl'), 'utf8').trimEnd().split('\n');
    const at = lines.findIndex((line) => line.includes('model-version.stage-entered'));
    const verify = (changed: readonly string[]) => audit(['verify', '-'], { input: `${changed.join('\n')}\n` });
    const edited = await verify(lines.with(at, (lines[at] ?? '').replace('Production', 'Prodiction')));
    expect([edited.code, edited.out]).toEqual([6, expect.stringMatching(new RegExp(`^NOT WHOLE. Line ${at + 1}: event \\d+ was changed`))]);
    const dropped = await verify(lines.toSpliced(at, 1));
    expect([dropped.code, dropped.out]).toEqual([6, expect.stringContaining(`Line ${at + 1}: event`)]);
    const moved = await verify(lines.with(at, lines[at + 1] ?? '').with(at + 1, lines[at] ?? ''));
    expect([moved.code, moved.out]).toEqual([6, expect.stringContaining(`Line ${at + 1}: event`)]);
    const cut = await verify(lines.slice(0, at));
    expect([cut.code, cut.out]).toEqual([6, expect.stringContaining('the end is missing: the file was cut off')]);
  });

  it('an erased text leaves it whole', async () => {
    const { events } = (await ask(app, 'GET', '/api/v1/models/fraud/events?order=oldest', { as: root })).body;
    const seq = String(events.find((event: { type: string }) => event.type === 'registered-model.created').seq);
    expect((await audit(['erase-text', seq, 'description', '--confirm', seq])).code).toBe(0);
    const exported = await audit(['export', '--texts']);
    expect(exported.out).not.toContain('of cards');
    expect((await audit(['verify', '-', '--key', 'key.pub', '--since', 'answers.log'], { input: exported.out })).code).toBe(0);
  });

  it('a proof shows that an event is under a checkpoint, and that the record goes on from it', async () => {
    const { checkpoints } = (await ask(app, 'GET', '/api/v1/checkpoints?order=oldest', { as: root })).body;
    const consistency = await ask(app, 'GET', `/api/v1/checkpoints/${checkpoints[0].size}/consistency-proof`, { as: reader });
    expect(consistency.body).toMatchObject({ older: { size: checkpoints[0].size }, newer: { size: checkpoints.at(-1).size } });
    const inclusion = await ask(app, 'GET', '/api/v1/events/2/inclusion-proof', { as: root });
    expect(inclusion.body).toMatchObject({ seq: 2, checkpoint: { size: checkpoints.at(-1).size } });
    expect((await ask(app, 'GET', '/api/v1/events/999/inclusion-proof', { as: root })).status).toBe(404);
    expect((await ask(app, 'GET', '/api/v1/checkpoints/3/consistency-proof', { as: root })).status).toBe(404);
  });

  it('whoever has an account may keep checkpoints and keys; the record itself is for administrators', async () => {
    expect((await audit(['checkpoint', '--newest'], { as: reader })).out).toMatch(/^csc1\./);
    expect((await audit(['keys'], { as: reader })).code).toBe(0);
    expect((await audit(['export'], { as: reader })).code).toBe(3);
    expect((await audit(['checkpoint'], { as: reader })).code).toBe(3);
    expect((await audit(['rotate-key'], { as: reader })).code).toBe(3);
  });

  it('a new key is signed by the old one, so that whoever trusts the old one goes on', async () => {
    const rotated = await audit(['rotate-key']);
    expect([rotated.code, rotated.out]).toEqual([0, expect.stringMatching(/^Key 2 signs from now on: countersign\//)]);
    const exported = await audit(['export']);
    expect((await audit(['verify', '-', '--key', 'key.pub'], { input: exported.out })).code).toBe(0);
    const inPlace = await audit(['verify', '--json']);
    expect(JSON.parse(inPlace.out)).toMatchObject({ ok: true, first_bad: null, bad_checkpoint: null });
    const listed = await audit(['list', '--limit', '1', '--json']);
    expect(JSON.parse(listed.out).events[0]).toMatchObject({ type: 'checkpoint-key.rotated' });
  });

  it('what is given wrongly is refused with what to do', async () => {
    writeFileSync(join(folder, 'empty.txt'), 'nothing\n');
    for (const [args, words] of [
      [['verify', 'none.jsonl'], "can't be read"],
      [['verify', '--key', 'key.pub'], 'name its file'],
      [['verify', 'record.jsonl', '--key', 'empty.txt'], 'audit keys'],
      [['verify', 'record.jsonl', '--since', 'empty.txt'], 'no checkpoint'],
      [['verify', 'record.jsonl', '--since', 'csc1.x'], 'no checkpoint'],
      [['list', '--limit', '0'], 'from 1 to 1000'],
    ] as const) {
      const refused = await audit(args);
      expect([refused.code, refused.err], args.join(' ')).toEqual([2, expect.stringContaining(words)]);
    }
    expect((await audit(['export', '--since', '1'])).code).toBe(4);
  });
});
