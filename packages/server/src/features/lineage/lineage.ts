/**
 * Lineage as a graph: datasets and code, runs, logged models, versions, their copies, and where those stood when; up to what something was made
 * from, and down to what came of it. Read-only. What the caller may not see is hidden above, and left out below.
 */
import { notFound } from '@countersign/contract/problem.ts';
import { type Ctx, reading } from '../../platform/context.ts';
import * as versions from '../versions/versions.ts';
import type { LineageGraph } from './lineage-graph.ts';
import * as store from './lineage-store.ts';
import { type Frontier, LineageWalk } from './lineage-walk.ts';

export type { LineageEdge, LineageGraph, LineageNode } from './lineage-graph.ts';

export type Direction = 'up' | 'down' | 'both';

const NOTHING: Frontier = { versions: [], loggedModels: [], runs: [], datasets: [] };

/** Throws RESOURCE_DOES_NOT_EXIST. */
export async function ofVersion(
  ctx: Ctx,
  name: string,
  number: number,
  query: { readonly direction: Direction; readonly depth: number },
): Promise<LineageGraph> {
  const { id } = await versions.get(ctx, name, number);
  const rows = await store.listVersions(reading(ctx), ctx.workspace.id, [id]);
  const walk = new LineageWalk(ctx);
  const roots = rows.flatMap((row) => walk.addVersion(row) ?? []);
  for (const direction of ['up', 'down'] as const) {
    if (query.direction === direction || query.direction === 'both')
      await walk.follow({ ...NOTHING, versions: rows }, direction, query.depth);
  }
  return walk.draft.finish(roots);
}

/** What came of a run. Throws RESOURCE_DOES_NOT_EXIST. */
export async function ofRun(ctx: Ctx, runId: string, depth: number): Promise<LineageGraph> {
  const rows = await store.listRuns(reading(ctx), ctx.workspace.id, [runId]);
  if (rows.length === 0) throw notFound(`Run with id=${runId} not found`);
  const walk = new LineageWalk(ctx);
  const roots = rows.flatMap((row) => walk.addRun(row) ?? []);
  await walk.follow({ ...NOTHING, runs: rows }, 'down', depth);
  return walk.draft.finish(roots);
}

const DATASETS_MAX = 100;

/** What came of data with this digest, under whatever name. Throws RESOURCE_DOES_NOT_EXIST where the caller may see no experiment that has it. */
export async function ofDataset(ctx: Ctx, digest: string, depth: number): Promise<LineageGraph> {
  const walk = new LineageWalk(ctx);
  const seen: store.DatasetRow[] = [];
  for (const row of await store.listDatasetsByDigest(reading(ctx), ctx.workspace.id, digest, DATASETS_MAX)) {
    if (await walk.sees(row.experimentId)) seen.push(row);
  }
  if (seen.length === 0) throw notFound(`No dataset with the digest '${digest}' was logged in an experiment that you may see.`);
  const roots = new Set(seen.flatMap((row) => walk.addDataset(row) ?? []));
  await walk.follow({ ...NOTHING, datasets: seen }, 'down', depth);
  return walk.draft.finish([...roots]);
}
