/** How rows show as nodes. */
import { createHash } from 'node:crypto';
import type { LineageNode } from './lineage-graph.ts';
import type { DatasetRow, LoggedModelRow, RunRow, VersionRow } from './lineage-store.ts';

type Shown = Omit<LineageNode, 'isHidden'>;

export function versionNode(row: VersionRow): Shown {
  return {
    id: versionId(row.id),
    kind: 'version',
    name: `${row.model}/${row.version}`,
    facts: given({
      model: row.model,
      version: String(row.version),
      version_id: String(row.id),
      stage: row.deletedAt === null ? row.stage : undefined,
      seal: row.sealState,
      digest: row.digest,
      lineage: row.lineage,
    }),
    startedAt: row.createdAt,
    endedAt: row.deletedAt,
  };
}

export const versionId = (id: number): string => `version:${id}`;

export function loggedModelNode(row: LoggedModelRow): Shown {
  return {
    id: loggedModelId(row.modelId),
    kind: 'logged-model',
    name: row.name,
    facts: given({ model_id: row.modelId, experiment_id: String(row.experimentId), model_type: row.modelType }),
    startedAt: row.createdAt,
    endedAt: null,
  };
}

export const loggedModelId = (modelId: string): string => `logged-model:${modelId}`;

export function runNode(row: RunRow): Shown {
  return {
    id: runId(row.runId),
    kind: 'run',
    name: row.name,
    facts: { run_id: row.runId, experiment_id: String(row.experimentId), status: row.status },
    startedAt: time(row.startTime),
    endedAt: time(row.endTime),
  };
}

export const runId = (id: string): string => `run:${id}`;

/** Named by a client, and not on this server. */
export function unknownNode(kind: 'run' | 'logged-model', id: string): Shown {
  return { id: `${kind}:${id}`, kind, name: id, facts: { known: 'no' }, startedAt: null, endedAt: null };
}

/** Equal name and digest are the same data, in whichever experiment they were logged. */
export function datasetNode(row: DatasetRow): Shown {
  return {
    id: datasetId(row),
    kind: 'dataset',
    name: row.name,
    facts: { digest: row.digest, source_type: row.sourceType, source: row.source },
    startedAt: null,
    endedAt: null,
  };
}

export const datasetId = ({ name, digest }: Pick<DatasetRow, 'name' | 'digest'>): string => `dataset:${name}@${digest}`;

/** What clients say of the code that a run ran (mlflow.utils.mlflow_tags). */
export const CODE_TAGS = [
  'mlflow.source.name',
  'mlflow.source.type',
  'mlflow.source.git.commit',
  'mlflow.source.git.branch',
  'mlflow.source.git.repoURL',
  'mlflow.project.entryPoint',
] as const;

/** Undefined where the run says nothing of its code. One commit of one place is one node. */
export function codeNode(tags: ReadonlyMap<string, string>): Shown | undefined {
  const commit = tags.get('mlflow.source.git.commit');
  const source = tags.get('mlflow.source.name');
  const repository = tags.get('mlflow.source.git.repoURL');
  if (!commit && !source) return undefined;
  const key = createHash('sha256')
    .update(JSON.stringify([repository ?? '', commit ?? '', source ?? '']))
    .digest('hex');
  return {
    id: `code:${key.slice(0, 32)}`,
    kind: 'code',
    name: commit ? `${source ?? repository ?? 'code'}@${commit.slice(0, 12)}` : (source ?? ''),
    facts: given({
      commit,
      source,
      repository,
      branch: tags.get('mlflow.source.git.branch'),
      source_type: tags.get('mlflow.source.type'),
      entry_point: tags.get('mlflow.project.entryPoint'),
    }),
    startedAt: null,
    endedAt: null,
  };
}

export function placeNode(place: 'stage' | 'alias', name: string, model: Pick<VersionRow, 'modelId' | 'model'>): Shown {
  return { id: `${place}:${model.modelId}:${name}`, kind: place, name, facts: { model: model.model }, startedAt: null, endedAt: null };
}

/** Clients may log any time. */
function time(value: number | bigint | null): number | null {
  return value === null || !Number.isSafeInteger(Number(value)) ? null : Number(value);
}

function given(facts: Readonly<Record<string, string | null | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(facts).flatMap(([name, value]) => (value ? [[name, value]] : [])));
}
