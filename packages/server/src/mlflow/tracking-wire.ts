/** Experiments and runs as upstream's wire shows them (service.proto Experiment, Run): unset scalars and empty lists are left out. */
import type { Experiment } from '../features/experiments/experiments.ts';
import type { Run, RunDataset, RunInfo } from '../features/runs/runs.ts';

export function experimentToWire(experiment: Experiment): object {
  return {
    experiment_id: String(experiment.id),
    name: experiment.name,
    artifact_location: experiment.artifactLocation,
    lifecycle_stage: experiment.lifecycle,
    last_update_time: experiment.updatedAt,
    creation_time: experiment.createdAt,
    tags: unlessEmpty(experiment.tags),
    workspace: experiment.workspaceName,
  };
}

export function runInfoToWire(info: RunInfo): object {
  return {
    run_uuid: info.runId,
    experiment_id: String(info.experimentId),
    run_name: info.name,
    user_id: info.userId,
    status: info.status,
    start_time: info.startTime ?? undefined,
    end_time: info.endTime ?? undefined,
    artifact_uri: info.artifactUri,
    lifecycle_stage: info.lifecycle,
    run_id: info.runId,
  };
}

/** A run as `runs/create` answers it: it can't have outputs yet. */
export function createdRunToWire(run: Run): object {
  return {
    info: runInfoToWire(run.info),
    data: { metrics: unlessEmpty(run.metrics), params: unlessEmpty(run.params), tags: unlessEmpty(run.tags) },
    inputs: { dataset_inputs: unlessEmpty(run.datasets.map(datasetInputToWire)), model_inputs: unlessEmpty(run.modelInputs) },
  };
}

export function datasetInputToWire(dataset: RunDataset): object {
  const { tags, schema, profile, ...facts } = dataset;
  return { tags: unlessEmpty(tags), dataset: { ...facts, schema: schema ?? undefined, profile: profile ?? undefined } };
}

function unlessEmpty<T>(items: readonly T[]): readonly T[] | undefined {
  return items.length === 0 ? undefined : items;
}
