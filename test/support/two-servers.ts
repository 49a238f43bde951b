/** Two real server processes on one real PostgreSQL and one blob folder, with people who have tokens; and the database, to look into. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as groups from '@countersign/server/features/groups/groups.ts';
import type { Ctx } from '@countersign/server/platform/context.ts';
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import { addUser, ask, grant } from './app.ts';
import { openContext } from './context.ts';
import type { OfficePerson } from './governed-office.ts';
import { createDatabase } from './postgres.ts';
import { type Answer, type RunningServer, startServer } from './server.ts';

export interface TwoServers {
  readonly urls: readonly [string, string];
  /** For looking into what is there, and for what needs no server. */
  readonly ctx: Ctx;
  readonly tokens: Readonly<Record<string, string>>;
  /** `server` counts on and on: even ones are the first. */
  as(server: number, who: string, method: string, path: string, body?: unknown): Promise<Answer>;
  /** As `as`, and it must succeed. */
  // biome-ignore lint/suspicious/noExplicitAny: black-box tests look into whatever came back
  must(server: number, who: string, method: string, path: string, body?: unknown): Promise<any>;
  close(): Promise<void>;
}

/** `root` and `second` administer, and are there beside the people. */
export async function openTwoServers(people: Readonly<Record<string, OfficePerson>>): Promise<TwoServers> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-two-servers-'));
  const databaseUrl = await createDatabase();
  const ctx = await openContext({ db: new PostgresDatabase(databaseUrl) });
  const tokens: Record<string, string> = {};
  for (const name of ['root', 'second']) tokens[name] = (await addUser(ctx, name, { isAdmin: true })).secret;
  for (const [name, { level, groups: wanted = [] }] of Object.entries(people)) {
    const { account, secret } = await addUser(ctx, name);
    tokens[name] = secret;
    if (level !== undefined) await grant(ctx, { accountId: account.id }, { kind: 'workspace' }, level);
    for (const group of wanted) {
      const found = (await groups.find(ctx, group)) ?? (await groups.create(ctx, { name: group, workspaceId: groups.SERVER_WIDE }));
      await groups.addMember(ctx, found, account);
    }
  }
  const args = ['--blob-store', join(folder, 'blobs'), '--master-key-file', join(folder, 'master.key')];
  const running: [RunningServer, RunningServer] = [
    await startServer({ databaseUrl, args, dataDir: join(folder, 'first') }),
    await startServer({ databaseUrl, args, dataDir: join(folder, 'second') }),
  ];
  const urls = [running[0].url, running[1].url] as const;
  const as: TwoServers['as'] = (server, who, method, path, body) =>
    ask({ url: urls[server % 2 === 0 ? 0 : 1] }, method, path, { as: tokens[who], body });
  return {
    urls,
    ctx,
    tokens,
    as,
    must: async (server, who, method, path, body) => {
      const { status, body: answered } = await as(server, who, method, path, body);
      if (status < 300) return answered;
      throw new Error(`${who}: ${method} ${path} answered ${status}: ${JSON.stringify(answered)}`);
    },
    close: async () => {
      for (const server of running) await server.stop();
      await ctx.db.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A run of somebody's whose folder `model` holds a model, with its accuracy. */
export async function logModelRun(servers: TwoServers, server: number, who: string, accuracy: number): Promise<string> {
  const api = '/api/2.0/mlflow';
  const name = `of ${who}`;
  const made = await servers.as(server, who, 'POST', `${api}/experiments/create`, { name });
  const id =
    made.status === 200
      ? made.body.experiment_id
      : (await servers.must(server, who, 'GET', `${api}/experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`)).experiment
          .experiment_id;
  const { run } = await servers.must(server, who, 'POST', `${api}/runs/create`, { experiment_id: id });
  const { run_id, artifact_uri } = run.info;
  const file = `/api/2.0/mlflow-artifacts/artifacts/${artifact_uri.replace('mlflow-artifacts:/', '')}/model/MLmodel`;
  const put = await fetch(`${servers.urls[0]}${file}`, {
    method: 'PUT',
    body: `flavors: {}\n# ${run_id}`,
    headers: { authorization: `Bearer ${servers.tokens[who]}` },
  });
  if (put.status !== 200) throw new Error(`the model's file was answered ${put.status}: ${await put.text()}`);
  await servers.must(server, who, 'POST', `${api}/runs/log-metric`, { run_id, key: 'accuracy', value: accuracy, timestamp: 1 });
  return run_id;
}
