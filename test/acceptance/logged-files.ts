/** Runs with a model's files, and versions of them, made over HTTP as clients make them. */
import { createHash, randomBytes } from 'node:crypto';
import { type Address, call, download, mlflow, upload } from '../support/server.ts';

export interface MadeRun {
  readonly runId: string;
  /** Path of its artifacts below the artifact root: `0/<run id>/artifacts`. */
  readonly root: string;
}

/** Paths below the model's folder. */
export type Files = Readonly<Record<string, string | Uint8Array<ArrayBuffer>>>;

export async function makeRun(server: Address, tags: readonly { key: string; value: string }[] = []): Promise<MadeRun> {
  const { run } = await mlflow(server, 'POST', 'runs/create', { experiment_id: '0', tags });
  return { runId: run.info.run_id, root: run.info.artifact_uri.replace(/^mlflow-artifacts:\/+/, '') };
}

export async function put(server: Address, path: string, bytes: string | Uint8Array<ArrayBuffer>): Promise<void> {
  const answer = await upload(server, path, typeof bytes === 'string' ? new Uint8Array(Buffer.from(bytes)) : bytes);
  if (answer.status !== 200) throw new Error(`PUT ${path} answered ${answer.status}: ${await answer.text()}`);
  await answer.arrayBuffer();
}

/** A run whose folder `model` holds the files; an `MLmodel` is among them whether named or not. */
export async function makeModelRun(server: Address, files: Files = {}): Promise<MadeRun> {
  const run = await makeRun(server);
  for (const [path, bytes] of Object.entries({ MLmodel: 'flavors: {}\n', ...files })) await put(server, `${run.root}/model/${path}`, bytes);
  return run;
}

/** Registers the folder `model` of a run; answers the number. */
export async function register(
  server: Address,
  name: string,
  run: MadeRun,
  tags: readonly { key: string; value: string }[] = [],
): Promise<number> {
  const { model_version } = await mlflow(server, 'POST', 'model-versions/create', {
    name,
    source: `runs:/${run.runId}/model`,
    run_id: run.runId,
    tags,
  });
  return Number(model_version.version);
}

export async function createModel(server: Address, name: string): Promise<void> {
  await mlflow(server, 'POST', 'registered-models/create', { name });
}

export async function move(server: Address, name: string, version: number, stage: string, archive = false): Promise<void> {
  const change = { name, version: String(version), stage, archive_existing_versions: archive };
  await mlflow(server, 'POST', 'model-versions/transition-stage', change);
}

export async function setAlias(server: Address, name: string, alias: string, version: number): Promise<void> {
  await mlflow(server, 'POST', 'registered-models/alias', { name, alias, version: String(version) });
}

/** A call of the native API; throws unless it is answered. */
// biome-ignore lint/suspicious/noExplicitAny: black-box tests look into whatever came back
export async function native(server: Address, method: string, path: string, body?: unknown): Promise<any> {
  const answer = await call(server, method, `/api/v1/${path}`, body);
  if (answer.status >= 300) throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

export async function downloadText(server: Address, path: string): Promise<string> {
  const answer = await download(server, path);
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`GET ${path} answered ${answer.status}: ${text}`);
  return text;
}

/** Where the version is read from, below the artifact root. */
export async function downloadRoot(server: Address, name: string, version: number): Promise<string> {
  const { artifact_uri } = await mlflow(
    server,
    'GET',
    `model-versions/get-download-uri?name=${encodeURIComponent(name)}&version=${version}`,
  );
  return artifact_uri.replace(/^mlflow-artifacts:\/+/, '');
}

export function noise(sizeBytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(randomBytes(sizeBytes));
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
