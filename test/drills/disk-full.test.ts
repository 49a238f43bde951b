/** The disk fills up during an upload, and during a commit. On a small file system of its own, which only root on Linux can mount. */
import { execFileSync } from 'node:child_process';
import { closeSync, fstatSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createModel, downloadText, makeModelRun, native, noise, put, register } from '../acceptance/logged-files.ts';
import { call, mlflow, type RunningServer, startServer, upload } from '../support/server.ts';
import { halfWritten, storedBlobs, temporaryFiles } from './blob-folder.ts';

const DISK_BYTES = 24 << 20;
const BALLAST_STEP_BYTES = 4096;
/** What is left for some commits to fit, and some not. */
const LEFT_BYTES = 512 << 10;
const WRITERS = 16;

const disk = mountSmallDisk();
if (disk === undefined) process.stderr.write('The drill of the full disk is skipped: it mounts a small disk, which needs root on Linux.\n');

function mountSmallDisk(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'countersign-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    // A container may be root and still not be allowed to.
    rmSync(folder, { recursive: true });
    return undefined;
  }
}

const ballast = join(disk ?? '', 'ballast');

/** Takes every byte that is left, then gives some back. */
function fillDisk(leaveBytes: number): void {
  const file = openSync(ballast, 'a');
  const step = Buffer.alloc(BALLAST_STEP_BYTES);
  try {
    for (;;) writeSync(file, step);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    ftruncateSync(file, fstatSync(file).size - leaveBytes);
    closeSync(file);
  }
}

describe.skipIf(disk === undefined)('a full disk', { timeout: 120_000 }, () => {
  let server: RunningServer;
  const dataDir = join(disk ?? '', 'data');

  beforeAll(async () => {
    server = await startServer({ dataDir });
    await createModel(server, 'kept');
    await register(server, 'kept', await makeModelRun(server, { 'model.pkl': 'kept bytes' }));
  });
  afterAll(async () => {
    await server?.kill9();
    execFileSync('umount', [disk ?? '']);
    rmSync(disk ?? '', { recursive: true });
  });

  /** What was there before is read as ever. */
  async function expectReads(): Promise<void> {
    const { artifact_uri } = await mlflow(server, 'GET', 'model-versions/get-download-uri?name=kept&version=1');
    expect(await downloadText(server, `${artifact_uri.replace('mlflow-artifacts:/', '')}/model.pkl`)).toBe('kept bytes');
    expect((await mlflow(server, 'GET', 'registered-models/get?name=kept')).registered_model.name).toBe('kept');
    expect((await mlflow(server, 'POST', 'runs/search', { experiment_ids: ['0'] })).runs).toHaveLength(1);
    expect((await call(server, 'GET', '/health')).status).toBe(200);
  }

  test('refuses an upload that does not fit with 507, and keeps nothing of it', async () => {
    const before = storedBlobs(dataDir);
    for (let attempt = 0; attempt < 3; attempt++) {
      const answer = await upload(server, 'big/one.bin', noise(2 * DISK_BYTES));
      expect(answer.status).toBe(507);
      const body = (await answer.json()) as { error_code: string; message: string };
      expect(body).toMatchObject({ error_code: 'STORAGE_FULL', message: expect.stringMatching(/disk .* full.*Free some space/) });
      expect(body.message).not.toContain(dataDir);
      expect(temporaryFiles(dataDir)).toEqual([]);
      expect(storedBlobs(dataDir)).toEqual(before);
      expect((await call(server, 'GET', '/api/2.0/mlflow-artifacts/artifacts/big/one.bin')).status).toBe(404);
      await expectReads();
    }
    await put(server, 'big/one.bin', 'a small one fits');
    expect(await downloadText(server, 'big/one.bin')).toBe('a small one fits');
  });

  test('refuses a commit that does not fit with 507, reads on, and writes again once there is space', async () => {
    fillDisk(LEFT_BYTES);
    const taken: string[] = [];
    const refused: string[] = [];
    const create = async (name: string): Promise<void> => {
      const tags = [{ key: 'long', value: 'x'.repeat(5000) }];
      const answer = await call(server, 'POST', '/api/2.0/mlflow/registered-models/create', { name, tags });
      if (answer.status === 200) {
        taken.push(name);
        return;
      }
      refused.push(name);
      expect(answer.status, JSON.stringify(answer.body)).toBe(507);
      expect(answer.body).toMatchObject({ error_code: 'STORAGE_FULL', message: expect.stringMatching(/full.*Free some space/) });
      expect(answer.body.message).not.toContain(dataDir);
    };
    const writers = Array.from({ length: WRITERS }, async (_each, writer) => {
      // Commits are shared, so a smaller one may still fit after a larger one did not.
      for (let n = 0, before = refused.length; refused.length < before + WRITERS; n++) await create(`n-${writer}-${n}`);
    });
    await Promise.all(writers);
    fillDisk(0);
    for (let n = 0; !refused.at(-1)?.startsWith('last'); n++) await create(`last-${n}`);
    expect(refused.length).toBeGreaterThanOrEqual(WRITERS);
    expect(taken.length).toBeGreaterThan(0);
    const tags = Array.from({ length: 60 }, (_each, n) => ({ key: `t${n}`, value: 'x'.repeat(5000) }));
    const run = await call(server, 'POST', '/api/2.0/mlflow/runs/create', { experiment_id: '0', tags });
    expect(run.status).toBe(507);
    const file = await upload(server, 'late/file.bin', noise(100_000));
    expect(file.status).toBe(507);
    expect(await file.json()).toMatchObject({ error_code: 'STORAGE_FULL' });
    await expectReads();

    rmSync(ballast);
    await createModel(server, 'after');
    for (const name of [...new Set(refused), 'late'].filter((each) => !taken.includes(each))) await createModel(server, name);
    await put(server, 'late/file.bin', 'now it fits');
    await expectReads();

    // What was acknowledged is there after a kill, too.
    await server.kill9();
    server = await startServer({ dataDir });
    await expectReads();
    for (const name of [...taken, 'after', ...refused]) {
      expect((await mlflow(server, 'GET', `registered-models/get?name=${name}`)).registered_model.name).toBe(name);
    }
    expect(await downloadText(server, 'late/file.bin')).toBe('now it fits');
    expect(await native(server, 'GET', 'events/verification')).toMatchObject({ ok: true });
    expect(halfWritten(dataDir)).toEqual([]);
    expect(temporaryFiles(dataDir)).toEqual([]);
    process.stderr.write(`disk full: ${taken.length} writes fitted, ${refused.length} were refused, none is half there\n`);
  });
});
