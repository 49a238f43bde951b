import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { EvidenceSchema } from '@countersign/contract/evidence.ts';
import type { Static } from 'typebox';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openContext, openGate } from '../../../../test/support/context.ts';
import * as artifacts from '../features/artifacts/artifacts.ts';
import * as models from '../features/models/models.ts';
import * as runs from '../features/runs/runs.ts';
import * as transitions from '../features/transitions/transitions.ts';
import { LocalBlobStore } from '../platform/blobs/local-blob-store.ts';
import type { Ctx } from '../platform/context.ts';
import { createHttpServer } from '../platform/http/server.ts';
import { apiRoutes } from './api-routes.ts';

const folder = mkdtempSync(join(tmpdir(), 'evidence-api-'));
const failures: unknown[] = [];
let ctx: Ctx;
let server: Server;
let base: string;

beforeAll(async () => {
  ctx = await openContext({ blobs: new LocalBlobStore(folder) });
  server = createHttpServer({
    routes: apiRoutes(
      openGate(() => ctx),
      { checkAnswers: true },
    ),
    guards: [],
    fallback: () => ({ status: 404, body: '{}' }),
    onError: (error) => failures.push(error),
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/models/M/versions/1/evidence`;
});

afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await ctx.db.close();
  rmSync(folder, { recursive: true });
  expect(failures).toEqual([]);
});

type Shown = Static<typeof EvidenceSchema>;

const get = async (): Promise<Shown> => (await (await fetch(base)).json()) as Shown; // the server holds every answer against it
const renew = async (): Promise<Shown> => (await (await fetch(`${base}/renew`, { method: 'POST' })).json()) as Shown; // as above

test('evidence is shown before it is taken, taken once, and renewed where something changed', async () => {
  await models.create(ctx, { name: 'M', tags: [] });
  const { info } = await runs.create(ctx, { experimentId: 0, userId: '', startTime: 1, tags: [] });
  await artifacts.put(ctx, `0/${info.runId}/artifacts/model/MLmodel`, Readable.from([Buffer.from('flavors: {sklearn: {}}')]));
  await runs.logMetric(ctx, info.runId, { key: 'auc', value: -Infinity, timestamp: 1, step: 1 });
  const source = `runs:/${info.runId}/model`;
  const input = { name: 'M', source, runId: info.runId, loggedModelId: undefined, runLink: '', description: undefined, tags: [] };
  await transitions.registerVersion(ctx, input);

  const shown = await get();
  expect(shown).toMatchObject({
    number: null,
    taken_at: null,
    taken_by: null,
    is_current: true,
    lineage: 'verified',
    flavors: ['sklearn'],
  });
  expect(shown.metrics).toEqual([{ name: 'auc', value: '-Infinity', dataset: null, dataset_digest: null, source: 'run' }]);

  const taken = await renew();
  expect(taken).toMatchObject({ number: 1, digest: shown.digest, body: shown.body, is_current: true, taken_by: { id: 0, kind: 'local' } });
  await transitions.setVersionTag(ctx, 'M', 1, 'risk', 'low');
  expect(await get()).toEqual({ ...taken, is_current: false });
  expect(await renew()).toMatchObject({
    number: 2,
    tags: [{ key: 'risk', value: 'low' }],
  });
});
