/** How long a restart takes when there is much: artifacts and events. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createModel, makeModelRun, native, noise, put, register } from '../acceptance/logged-files.ts';
import { counts } from '../counts.ts';
import { call, mlflow, type RunningServer, startServer } from '../support/server.ts';

/** What is promised is a second; a loaded machine that runs other tests is given more. */
const GENEROUS_MS = 5000;
const FILE_BYTES = 8 << 20;
const WRITERS = 16;

async function fill(server: RunningServer): Promise<void> {
  await createModel(server, 'M');
  await register(server, 'M', await makeModelRun(server));
  for (let written = 0; written < counts.restartArtifactBytes; written += FILE_BYTES)
    await put(server, `many/${written}.bin`, noise(FILE_BYTES));
  const events = Array.from({ length: counts.restartEvents }, (_each, n) => n).values();
  const writers = Array.from({ length: WRITERS }, async () => {
    for (const n of events) await mlflow(server, 'POST', 'registered-models/set-tag', { name: 'M', key: `t${n % 50}`, value: String(n) });
  });
  await Promise.all(writers);
}

async function timeToHealth(dataDir: string): Promise<{ server: RunningServer; tookMs: number }> {
  const startedAt = performance.now();
  const server = await startServer({ dataDir });
  expect((await call(server, 'GET', '/health')).status).toBe(200);
  return { server, tookMs: performance.now() - startedAt };
}

test(`a restart after ${counts.restartArtifactBytes >> 20} MiB of artifacts and ${counts.restartEvents} events is a matter of a second`, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-restart-'));
  let server = await startServer({ dataDir });
  try {
    await fill(server);
    await server.kill9();
    const afterKill = await timeToHealth(dataDir);
    server = afterKill.server;
    expect((await mlflow(server, 'GET', 'model-versions/get?name=M&version=1')).model_version.status).toBe('READY');
    await server.stop();
    const afterStop = await timeToHealth(dataDir);
    server = afterStop.server;
    process.stderr.write(`restart: ${Math.round(afterKill.tookMs)} ms after a kill, ${Math.round(afterStop.tookMs)} ms after a stop\n`);
    expect(afterKill.tookMs).toBeLessThan(GENEROUS_MS);
    expect(afterStop.tookMs).toBeLessThan(GENEROUS_MS);
    expect(await native(server, 'GET', 'events/verification')).toMatchObject({
      ok: true,
      events: expect.toSatisfy((n) => n > counts.restartEvents),
    });
  } finally {
    await server.kill9();
    rmSync(dataDir, { recursive: true, force: true });
  }
}, 900_000);
