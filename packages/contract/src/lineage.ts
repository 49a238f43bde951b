/** Where versions come from and where they went, as a graph. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { closed, named, nullable, oneOf, Time } from './schemas.ts';
import { ByVersion } from './versions.ts';

export const LINEAGE_KINDS = ['dataset', 'code', 'run', 'logged-model', 'version', 'stage', 'alias'] as const;
export type LineageKind = (typeof LINEAGE_KINDS)[number];

export const LINEAGE_EDGES = ['input', 'code', 'logged', 'registered', 'copied', 'placed'] as const;
export type LineageEdgeKind = (typeof LINEAGE_EDGES)[number];

export const LINEAGE_NODES_MAX = 500;
export const LINEAGE_EDGES_MAX = 2000;
export const LINEAGE_DEPTH = 20;
export const LINEAGE_DEPTH_MAX = 50;

export const LineageNodeSchema = named('LineageNode', {
  id: Type.String({ description: 'Unique in this graph; edges name nodes by it.' }),
  kind: oneOf(LINEAGE_KINDS),
  name: nullable(Type.String(), 'null where it is hidden.'),
  hidden: Type.Boolean({ description: 'It is there, and the caller may not see it. What it comes from is not followed.' }),
  facts: Type.Record(Type.String(), Type.String(), { description: 'What is known of it, by name: `digest`, `commit`, `run_id`, …' }),
  started_at: nullable(Time, 'When it was made, or the run began.'),
  ended_at: nullable(Time, 'When the run ended, or a version was deleted.'),
});

export const LineageEdgeSchema = named('LineageEdge', {
  from: Type.String({ description: 'Id of the earlier node.' }),
  to: Type.String({ description: 'Id of what came of it.' }),
  kind: oneOf(
    LINEAGE_EDGES,
    '`input`: a run read it · `code`: a run ran it · `logged`: a run made the model · `registered`: a version was made from it · `copied`: a version was ' +
      'made from a version · `placed`: a version stood there.',
  ),
  claimed: Type.Boolean({
    description:
      'A client said so, and nothing shows it. What a run read and ran is always claimed: the server sees bytes arrive, not how they were made.',
  }),
  since_at: nullable(Time, 'Of `placed`: since when it stood there.'),
  until_at: nullable(Time, 'Of `placed`: until when; null where it still stands there.'),
});

export const LineageSchema = named('Lineage', {
  roots: Type.Array(Type.String(), { description: 'Ids of what was asked for.' }),
  nodes: Type.Array(LineageNodeSchema, { maxItems: LINEAGE_NODES_MAX }),
  edges: Type.Array(LineageEdgeSchema, { maxItems: LINEAGE_EDGES_MAX }),
  truncated: Type.Boolean({ description: 'There is more than fits, or more than `depth` steps away.' }),
});

const Depth = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: LINEAGE_DEPTH_MAX,
    default: LINEAGE_DEPTH,
    description: `Steps that are followed; ${LINEAGE_DEPTH} where it is left out.`,
  }),
);

const DESCRIPTION = `At most ${LINEAGE_NODES_MAX} nodes. Upward, what the caller may not see is shown as hidden; downward it is left out.`;

export const lineageEndpoints = [
  endpoint({
    id: 'getVersionLineage',
    noun: 'lineage',
    method: 'GET',
    path: '/api/v1/models/{name}/versions/{version}/lineage',
    permission: 'model-version.view',
    summary: 'Where a version comes from, and where it went.',
    description: DESCRIPTION,
    params: ByVersion,
    query: closed({
      direction: Type.Optional(
        oneOf(['up', 'down', 'both'], '`up`: what it was made from; `down`: copies and places; `both` where it is left out.'),
      ),
      depth: Depth,
    }),
    output: LineageSchema,
  }),
  endpoint({
    id: 'getRunLineage',
    noun: 'lineage',
    method: 'GET',
    path: '/api/v1/runs/{run_id}/lineage',
    permission: 'run.view',
    summary: 'What came of a run: logged models, versions, their copies and places.',
    description: DESCRIPTION,
    params: closed({ run_id: Type.String({ minLength: 1 }) }),
    query: closed({ depth: Depth }),
    output: LineageSchema,
  }),
  endpoint({
    id: 'getDatasetLineage',
    noun: 'lineage',
    method: 'GET',
    path: '/api/v1/datasets/{digest}/lineage',
    permission: 'run.list',
    summary: 'What came of a dataset: the runs that read it, and what they made.',
    description: DESCRIPTION,
    params: closed({ digest: Type.String({ minLength: 1, description: 'As clients logged it, in any experiment of the workspace.' }) }),
    query: closed({ depth: Depth }),
    output: LineageSchema,
  }),
] as const;
