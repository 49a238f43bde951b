// Fills a server through the public MLflow wire, the same way for every server.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  artifactRoute,
  type DatasetSizes,
  historyMetric,
  largeArtifactBytes,
  metricValue,
  modelName,
  type SeededDataset,
  servedSource,
  smallArtifactBytes,
  teamOf,
  versionsOf,
} from './dataset.ts';
import { textAt, WireClient } from './wire-client.ts';

const connectionsMax = 16;
const batchPointsMax = 1_000;
const sealWaitMs = 20_000;
const firstTimestamp = 1_700_000_000_000;

async function forEachInParallel(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: connectionsMax }, worker));
}

function history(key: string, points: number, firstStep: number) {
  return Array.from({ length: points }, (_, index) => ({
    key,
    value: 1 / (1 + firstStep + index),
    timestamp: firstTimestamp + (firstStep + index) * 1_000,
    step: firstStep + index,
  }));
}

async function seedRun(client: WireClient, experimentId: string, runIndex: number, sizes: DatasetSizes): Promise<string> {
  const created = await client.post('/runs/create', {
    experiment_id: experimentId,
    user_id: 'bench',
    run_name: `run-${runIndex}`,
    start_time: firstTimestamp + runIndex * 1_000,
    tags: [
      { key: 'mlflow.user', value: 'bench' },
      { key: 'mlflow.source.name', value: 'train.py' },
    ],
  });
  const runId = textAt(created, 'run.info.run_id');
  const count = Array.from({ length: sizes.metricsPerRun }, (_, index) => index);
  await client.post('/runs/log-batch', {
    run_id: runId,
    metrics: count.map((index) => ({ key: `m${index}`, value: metricValue(runIndex, index), timestamp: firstTimestamp, step: 0 })),
    params: count.map((index) => ({ key: `p${index}`, value: `value-${runIndex % 17}-${index}` })),
    tags: [],
  });
  return runId;
}

async function seedHistories(client: WireClient, runIds: readonly string[], sizes: DatasetSizes): Promise<void> {
  await client.post('/runs/log-batch', { run_id: runIds[0], metrics: history(historyMetric, sizes.historyPoints, 0) });
  const batches = Math.ceil(sizes.furtherMetricPoints / batchPointsMax);
  await forEachInParallel(batches, async (batch) => {
    const runId = runIds[1 + (batch % (runIds.length - 1))];
    const key = `long-${Math.floor(batch / (runIds.length - 1))}`;
    await client.post('/runs/log-batch', { run_id: runId, metrics: history(key, batchPointsMax, 0) });
  });
}

async function seedVersion(client: WireClient, name: string, index: number): Promise<void> {
  const tags = [{ key: 'validated', value: index % 2 === 0 ? 'yes' : 'no' }];
  await client.post('/model-versions/create', { name, source: servedSource, description: `Try ${index + 1}`, tags });
}

async function seedModel(client: WireClient, modelIndex: number, sizes: DatasetSizes): Promise<void> {
  const name = modelName(modelIndex);
  const tags = [
    { key: 'team', value: teamOf(modelIndex) },
    { key: 'tier', value: modelIndex % 3 === 0 ? 'gold' : 'silver' },
  ];
  await client.post('/registered-models/create', { name, description: `Scores ${name}`, tags });
  await forEachInOrder(versionsOf(modelIndex, sizes), async (index) => {
    await seedVersion(client, name, index);
  });
  await client.post('/registered-models/alias', { name, alias: 'champion', version: '3' });
  await client.post('/model-versions/transition-stage', { name, version: '2', stage: 'Production', archive_existing_versions: false });
}

async function forEachInOrder(count: number, work: (index: number) => Promise<void>): Promise<void> {
  for (let index = 0; index < count; index += 1) await work(index);
}

/** The largest model's versions are made in parallel after the others; they'd take most of the time one by one. */
async function seedModels(client: WireClient, sizes: DatasetSizes): Promise<void> {
  const startSizes = { ...sizes, versionsOfLargestModel: Math.min(sizes.versionsOfLargestModel, sizes.versionsPerModel) };
  await forEachInParallel(sizes.models, (index) => seedModel(client, index, startSizes));
  const name = modelName(sizes.models - 1);
  await forEachInParallel(sizes.versionsOfLargestModel - startSizes.versionsOfLargestModel, (index) =>
    seedVersion(client, name, startSizes.versionsOfLargestModel + index),
  );
}

function put(client: WireClient, path: string, bytes: Buffer): Promise<string> {
  return client.send('PUT', `${artifactRoute}/${path}`, bytes, 'application/octet-stream');
}

function folderOf(artifactUri: string): string {
  return artifactUri.replace(/^mlflow-artifacts:\/+/, '').replace(/\/$/, '');
}

async function waitForSealedFolder(client: WireClient, name: string, version: string, source: string): Promise<string> {
  const deadline = performance.now() + sealWaitMs;
  const query = `name=${name}&version=${version}`;
  for (;;) {
    const uri = textAt(await client.get(`/model-versions/get-download-uri?${query}`), 'artifact_uri');
    if (uri !== source || performance.now() > deadline) return folderOf(uri);
    await sleep(200);
  }
}

async function seedArtifacts(
  client: WireClient,
  runId: string,
  doesSeal: boolean,
): Promise<Pick<SeededDataset, 'artifactFolder' | 'sealedFolder'>> {
  const artifactUri = textAt(await client.get(`/runs/get?run_id=${runId}`), 'run.info.artifact_uri');
  const artifactFolder = folderOf(artifactUri);
  for (let index = 0; index < 16; index += 1) await put(client, `${artifactFolder}/read/${index}.bin`, randomBytes(smallArtifactBytes));
  const weights = randomBytes(largeArtifactBytes);
  await put(client, `${artifactFolder}/large/weights.bin`, weights);
  await put(
    client,
    `${artifactFolder}/model/MLmodel`,
    Buffer.from('artifact_path: model\nflavors:\n  python_function:\n    loader_module: none\n'),
  );
  await put(client, `${artifactFolder}/model/weights.bin`, weights);
  const source = `${artifactUri}/model`;
  await client.post('/registered-models/create', { name: 'sealed-model' });
  const created = await client.post('/model-versions/create', { name: 'sealed-model', source, run_id: runId });
  const version = textAt(created, 'model_version.version');
  const sealedFolder = doesSeal ? await waitForSealedFolder(client, 'sealed-model', version, source) : folderOf(source);
  return { artifactFolder, sealedFolder };
}

/**
 * Seeds an empty server.
 * @param doesSeal whether get-download-uri is expected to lead elsewhere than the source once the version is sealed
 */
export async function seed(port: number, sizes: DatasetSizes, doesSeal: boolean): Promise<SeededDataset> {
  const client = new WireClient(port, connectionsMax);
  const experimentId = textAt(await client.post('/experiments/create', { name: 'bench' }), 'experiment_id');
  const runIds: string[] = Array.from({ length: sizes.runs }, () => '');
  await forEachInParallel(sizes.runs, async (index) => {
    runIds[index] = await seedRun(client, experimentId, index, sizes);
  });
  await seedHistories(client, runIds, sizes);
  await seedModels(client, sizes);
  const places = await seedArtifacts(client, runIds[0] ?? '', doesSeal);
  client.close();
  const isSealedElsewhere = places.sealedFolder !== `${places.artifactFolder}/model`;
  return { sizes, experimentId, runIds, ...places, isSealedElsewhere };
}
