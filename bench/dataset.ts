// The data that every server is seeded with, and the names by which the workloads find it again.

export type DatasetSizes = {
  readonly models: number;
  readonly versionsPerModel: number;
  /** Versions of the last model, which may have many more than the others. */
  readonly versionsOfLargestModel: number;
  readonly runs: number;
  readonly metricsPerRun: number;
  readonly historyPoints: number;
  /** Further metric points, spread over the runs as histories of 1,000 points. */
  readonly furtherMetricPoints: number;
};

export const standardSizes: DatasetSizes = {
  models: 200,
  versionsPerModel: 10,
  versionsOfLargestModel: 10,
  runs: 500,
  metricsPerRun: 10,
  historyPoints: 1_000,
  furtherMetricPoints: 0,
};

export const quickSizes: DatasetSizes = { ...standardSizes, models: 50, runs: 200 };

export const largeSizes: DatasetSizes = {
  models: 10_000,
  versionsPerModel: 10,
  versionsOfLargestModel: 5_000,
  runs: 500,
  metricsPerRun: 10,
  historyPoints: 1_000,
  furtherMetricPoints: 1_000_000,
};

export const largeArtifactBytes = 100 * 1024 * 1024;
export const smallArtifactBytes = 64 * 1024;

/** What seeding a server yields: ids that the server chose. */
export type SeededDataset = {
  readonly sizes: DatasetSizes;
  readonly experimentId: string;
  readonly runIds: readonly string[];
  /** Path of the first run's artifacts below the artifact route, without a slash at either end. */
  readonly artifactFolder: string;
  /** Where the weights of a registered version are downloaded from, as get-download-uri says. */
  readonly sealedFolder: string;
  /** Whether that is another place than the one they were uploaded to. */
  readonly isSealedElsewhere: boolean;
};

export const historyMetric = 'loss';
export const teams = 20;

export function modelName(index: number): string {
  return `model-${String(index).padStart(5, '0')}`;
}

export function teamOf(modelIndex: number): string {
  return `team-${modelIndex % teams}`;
}

export function versionsOf(modelIndex: number, sizes: DatasetSizes): number {
  return modelIndex === sizes.models - 1 ? sizes.versionsOfLargestModel : sizes.versionsPerModel;
}

/** Values that differ from run to run without being random: the same on every server. */
export function metricValue(runIndex: number, metricIndex: number): number {
  return ((runIndex * 7919 + metricIndex * 104_729) % 10_007) / 10_007;
}

export const servedSource = 's3://bucket/x';
export const artifactRoute = '/api/2.0/mlflow-artifacts/artifacts';
export const apiRoute = '/api/2.0/mlflow';
