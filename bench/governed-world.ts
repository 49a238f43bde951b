// Models for governed changes: in each, version 1 stands in Production and version 2 is to follow it. Everything goes over the wire.
import { apiRoute, artifactRoute } from './dataset.ts';
import { checkNames, freeSpace, governedSpace, openOffice, policyText, type Tokens } from './governed-people.ts';
import type { LoadGenerator } from './load-generator.ts';
import { treeCpuMs } from './process-tree.ts';
import { authorized, counterFirst, jsonRequest, type RequestTemplate, withHeader } from './request-template.ts';
import type { RunningServer } from './server-process.ts';
import { textAt, WireClient } from './wire-client.ts';

/** What a number of requests cost, each sent once. */
export type Cost = { readonly count: number; readonly seconds: number; readonly cpuMs: number };

export type GovernedWorld = {
  /** One, or several on one database. */
  readonly servers: readonly RunningServer[];
  readonly generators: readonly LoadGenerator[];
  readonly tokens: Tokens;
};

/** One call, before it is known which server gets it. */
export type Call = { readonly path: string; readonly body: unknown; readonly token: string; readonly space: string };

/** Models of each kind, and where they are. */
export const kinds = {
  free: { prefix: 'free', space: freeSpace },
  neighbour: { prefix: 'neighbour', space: governedSpace },
  governed: { prefix: 'fraud', space: governedSpace },
} as const;
export type Kind = keyof typeof kinds;

const seedingConnections = 32;
const noLimitSeconds = 600;
const pageSize = 1000;
const schema = '[{"name": "x", "type": "double", "required": true}]';
const modelFile = `flavors:\n  sklearn: {}\nsignature:\n  inputs: '${schema}'\n  outputs: '${schema}'\n`;

function nameOf(kind: Kind, index: number): string {
  return `${kinds[kind].prefix}-${String(index).padStart(5, '0')}`;
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

function mlflow(kind: Kind, token: string, path: string, body: unknown): Call {
  return { path: apiRoute + path, body, token, space: kinds[kind].space };
}

export function transition({ tokens }: GovernedWorld, kind: Kind, index: number, version = 2): Call {
  const body = { name: nameOf(kind, index), version: String(version), stage: 'Production', archive_existing_versions: false };
  return mlflow(kind, tokens.manager, '/model-versions/transition-stage', body);
}

function template({ path, body, token, space }: Call, port: number): RequestTemplate {
  return withHeader(authorized(jsonRequest(port, path, body), `Bearer ${token}`), 'X-MLFLOW-WORKSPACE', space);
}

/** Sends each call once, dealt out to the servers in turn; throws where one isn't answered well. Several generators share the connections. */
export async function sendAll(world: GovernedWorld, calls: readonly Call[], connections = seedingConnections): Promise<Cost> {
  const used = world.servers.slice(0, Math.min(world.servers.length, connections));
  const cpu = (): number => world.servers.reduce((sum, { pid }) => sum + treeCpuMs(pid), 0);
  const before = cpu();
  const startedAt = performance.now();
  const results = await Promise.all(
    used.map(({ port }, at) => {
      const own = calls.filter((_, index) => index % used.length === at).map((call) => template(call, port));
      const generator = world.generators[at];
      if (generator === undefined) throw new Error('each server needs a generator');
      return generator.run({
        port,
        connections: Math.max(1, Math.floor(connections / used.length)),
        seconds: noLimitSeconds,
        requestsMax: own.length,
        templates: own,
        counterStart: counterFirst,
        fillerBytes: 0,
        expectedBody: 'json',
      });
    }),
  );
  const failed = results.find(({ errors }) => errors > 0);
  if (failed !== undefined) throw new Error(`${calls[0]?.path}: ${failed.errors} wrong answers: ${failed.firstError}`);
  return { count: calls.length, seconds: (performance.now() - startedAt) / 1000, cpuMs: cpu() - before };
}

export function sum(costs: readonly Cost[]): Cost {
  const total = (of: (cost: Cost) => number): number => costs.reduce((so, cost) => so + of(cost), 0);
  return { count: total(({ count }) => count), seconds: total(({ seconds }) => seconds), cpuMs: total(({ cpuMs }) => cpuMs) };
}

async function logRun({ servers, tokens }: GovernedWorld, space: string): Promise<{ source: string; run_id: string }> {
  const headers = { Authorization: `Bearer ${tokens.author}`, 'X-MLFLOW-WORKSPACE': space };
  const client = new WireClient(servers[0]?.port ?? 0, 1, headers);
  const experimentId = textAt(await client.post('/experiments/create', { name: 'bench' }), 'experiment_id');
  const run = await client.post('/runs/create', { experiment_id: experimentId, start_time: 1_700_000_000_000 });
  const runId = textAt(run, 'run.info.run_id');
  await client.post('/runs/log-metric', { run_id: runId, key: 'accuracy', value: 0.95, timestamp: 1_700_000_000_000, step: 0 });
  const folder = textAt(run, 'run.info.artifact_uri').replace(/^mlflow-artifacts:\/+/, '');
  const put = (path: string, text: string): Promise<string> =>
    client.send('PUT', `${artifactRoute}/${folder}/model/${path}`, Buffer.from(text), 'application/octet-stream');
  await put('MLmodel', modelFile);
  await put('weights.bin', 'weights');
  client.close();
  return { source: `runs:/${runId}/model`, run_id: runId };
}

/** So many models of a kind, version 1 in Production. Before any policy is in force. */
async function addModels(world: GovernedWorld, kind: Kind, count: number, source: { source: string; run_id: string }): Promise<void> {
  const { author } = world.tokens;
  const all = range(0, count);
  const version = (index: number): Call =>
    mlflow(kind, author, '/model-versions/create', { name: nameOf(kind, index), ...source, description: `Try of ${index}` });
  await sendAll(
    world,
    all.map((index) => mlflow(kind, author, '/registered-models/create', { name: nameOf(kind, index) })),
  );
  await sendAll(world, all.map(version));
  await sendAll(
    world,
    all.map((index) => transition(world, kind, index, 1)),
  );
  await sendAll(world, all.map(version));
}

/** What it costs to ask, to report and to approve, by name. */
export type Preparing = Readonly<Record<'report' | 'ask' | 'approve', Cost>>;

export type Approved = { readonly preparing: Preparing; readonly requestIds: ReadonlyMap<string, number> };

/** Version 2 of each governed model gets its checks, its request and its approvals. */
async function approveAll(world: GovernedWorld, count: number): Promise<Approved> {
  const { tokens } = world;
  const all = range(0, count);
  const native = (token: string, path: string, body: unknown): Call => ({ path: `/api/v1${path}`, body, token, space: governedSpace });
  const ofModel = (index: number): string => `/models/${nameOf('governed', index)}`;
  const reports: Cost[] = [];
  for (const name of checkNames) {
    const report = { name, external_id: 'run-1', status: 'completed', conclusion: 'success' };
    reports.push(
      await sendAll(
        world,
        all.map((index) => native(tokens.robot, `${ofModel(index)}/versions/2/checks`, report)),
      ),
    );
  }
  const wish = { target: { kind: 'stage', stage: 'Production' } };
  const ask = await sendAll(
    world,
    all.map((index) => native(tokens.author, `${ofModel(index)}/versions/2/requests`, wish)),
  );
  const requestIds = await openRequests(world);
  const approvals: Cost[] = [];
  for (const approver of tokens.approvers) {
    approvals.push(
      await sendAll(
        world,
        [...requestIds.values()].map((id) => native(approver, `/requests/${id}/approve`, {})),
      ),
    );
  }
  return { preparing: { report: sum(reports), ask, approve: sum(approvals) }, requestIds };
}

export function applying({ tokens }: GovernedWorld, { requestIds }: Approved, index: number): Call {
  const path = `/api/v1/requests/${requestIds.get(nameOf('governed', index))}/apply`;
  return { path, body: {}, token: tokens.manager, space: governedSpace };
}

/** By the name of the model. */
export async function openRequests({ servers, tokens }: GovernedWorld): Promise<ReadonlyMap<string, number>> {
  const headers = { Authorization: `Bearer ${tokens.administrator}`, 'X-MLFLOW-WORKSPACE': governedSpace };
  const client = new WireClient(servers[0]?.port ?? 0, 1, headers);
  const found = new Map<string, number>();
  for (let token = ''; ; ) {
    const page = await client.call(
      'GET',
      `/api/v1/requests?state=open&limit=${pageSize}${token && `&page_token=${encodeURIComponent(token)}`}`,
    );
    for (const request of page.requests as readonly { id: number; name: string }[]) found.set(request.name, request.id); // by the API's schema
    token = textAt(page, 'next_page_token');
    if (token === '') break;
  }
  client.close();
  return found;
}

/** Accounts are made first; `start` is called then. */
export async function openWorld(
  folder: string,
  databaseUrl: string | undefined,
  start: () => Promise<Pick<GovernedWorld, 'servers' | 'generators'>>,
): Promise<GovernedWorld> {
  const tokens = await openOffice(folder, databaseUrl);
  return { ...(await start()), tokens };
}

/** `count` models of each of the kinds; the policy comes into force, and version 2 of the governed ones is approved. */
export async function fill(world: GovernedWorld, counts: Readonly<Partial<Record<Kind, number>>>): Promise<Approved> {
  const sources = new Map<string, Promise<{ source: string; run_id: string }>>();
  for (const space of [freeSpace, governedSpace]) sources.set(space, logRun(world, space));
  for (const kind of Object.keys(kinds) as Kind[]) {
    const source = await sources.get(kinds[kind].space);
    const count = counts[kind] ?? 0;
    if (source !== undefined && count > 0) await addModels(world, kind, count, source);
  }
  const headers = { Authorization: `Bearer ${world.tokens.administrator}`, 'X-MLFLOW-WORKSPACE': governedSpace };
  const client = new WireClient(world.servers[0]?.port ?? 0, 1, headers);
  await client.call('POST', '/api/v1/policies/apply', { policies: [{ text: policyText }] });
  client.close();
  return approveAll(world, counts.governed ?? 0);
}
