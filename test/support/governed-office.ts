/** A server with accounts for a story about governed models: two administrators, the people of the story, and what they do by HTTP or by commands. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as accounts from '@countersign/server/features/accounts/accounts.ts';
import { openCheckpoints } from '@countersign/server/features/checkpoints/checkpoints.ts';
import * as groups from '@countersign/server/features/groups/groups.ts';
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import { expect } from 'vitest';
import { addToken, addUser, ask, grant, openApp, type RunningApp } from './app.ts';
import { type Ended, sourceCountersign } from './cli.ts';
import { secretBox } from './master-keys.ts';
import type { Answer } from './server.ts';

export interface OfficePerson {
  /** On the workspace: what he may do with every model in it. */
  readonly level?: 'READ' | 'USE' | 'EDIT' | 'MANAGE';
  readonly groups?: readonly string[];
}

export interface Robot {
  readonly owner: string;
  /** Of its token. */
  readonly scopes: readonly string[];
}

export interface NewModel {
  readonly metrics?: Readonly<Record<string, number>>;
  /** Of the file `MLmodel`; without it no file is there, and the version stays unsealed. */
  readonly text?: string | null;
}

export interface Office {
  readonly app: RunningApp;
  /** For files of the story. */
  readonly folder: string;
  /** Of each person and robot; `root` and `second` administer. */
  readonly tokens: Readonly<Record<string, string>>;
  as(who: string, method: string, path: string, body?: unknown): Promise<Answer>;
  /** As `as`, and it must succeed. */
  // biome-ignore lint/suspicious/noExplicitAny: black-box tests look into whatever came back
  must(who: string, method: string, path: string, body?: unknown): Promise<any>;
  /** The command line, as somebody; `undefined`: without a server. */
  command(who: string | undefined, args: readonly string[], input?: string): Promise<Ended>;
  /** By one administrator, and where that is asked for signed by the other. */
  publish(...texts: readonly string[]): Promise<void>;
  /** A run of somebody with a model's file, registered; answers its number. The registered model is made where it isn't there. */
  register(who: string, name: string, wish?: NewModel): Promise<number>;
  /** For scripts: where the server is, and `TOKEN_<NAME>` of everybody. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export async function openOffice(
  databaseUrl: string | undefined,
  people: Readonly<Record<string, OfficePerson>>,
  robots: Readonly<Record<string, Robot>> = {},
): Promise<Office> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-office-'));
  const checkpoints = openCheckpoints({ secrets: secretBox(join(folder, 'master.key')), givenKeys: undefined });
  const app = await openApp({ checkpoints, ...(databaseUrl === undefined ? {} : { db: new PostgresDatabase(databaseUrl) }) });
  const tokens: Record<string, string> = {};
  for (const name of ['root', 'second']) tokens[name] = (await addUser(app.ctx, name, { isAdmin: true })).secret;
  for (const [name, { level, groups: wanted = [] }] of Object.entries(people)) {
    const { account, secret } = await addUser(app.ctx, name);
    tokens[name] = secret;
    if (level !== undefined) await grant(app.ctx, { accountId: account.id }, { kind: 'workspace' }, level);
    for (const group of wanted) {
      const found = (await groups.find(app.ctx, group)) ?? (await groups.create(app.ctx, { name: group, workspaceId: groups.SERVER_WIDE }));
      await groups.addMember(app.ctx, found, account);
    }
  }
  for (const [name, { owner, scopes }] of Object.entries(robots)) {
    const account = await accounts.createServiceAccount(app.ctx, { name, ownerId: (await accounts.getByName(app.ctx, owner)).id });
    tokens[name] = await addToken(app.ctx, account, scopes);
    await grant(app.ctx, { accountId: account.id }, { kind: 'workspace' }, 'READ');
  }

  const as: Office['as'] = (who, method, path, body) => ask(app, method, path, { as: tokens[who], body });
  const must: Office['must'] = async (who, method, path, body) => {
    const answer = await as(who, method, path, body);
    expect(answer.status, `${who}: ${method} ${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(300);
    return answer.body;
  };
  const findExperiment = async (who: string): Promise<string> =>
    (await must(who, 'GET', `/api/2.0/mlflow/experiments/get-by-name?experiment_name=${encodeURIComponent(`of ${who}`)}`)).experiment
      .experiment_id;
  return {
    app,
    folder,
    tokens,
    as,
    must,
    command: (who, args, input) =>
      sourceCountersign(args, {
        cwd: folder,
        env: who === undefined ? {} : { COUNTERSIGN_SERVER: app.url, COUNTERSIGN_TOKEN: tokens[who] ?? '' },
        input,
      }),
    publish: async (...texts) => {
      const apply = () => as('root', 'POST', '/api/v1/policies/apply', { policies: texts.map((text) => ({ text })) });
      const { status, body } = await apply();
      if (status === 200) return;
      const request = /Request (\d+) was opened/.exec(body.message)?.[1];
      expect(request, JSON.stringify(body)).toBeDefined();
      await must('second', 'POST', `/api/v1/requests/${request}/approve`, {});
      expect((await apply()).status).toBe(200);
    },
    register: async (who, name, { metrics = {}, text = 'flavors: {}' } = {}) => {
      const experiment = await as(who, 'POST', '/api/2.0/mlflow/experiments/create', { name: `of ${who}` });
      const found = experiment.status === 200 ? experiment.body : undefined;
      const id = found?.experiment_id ?? (await findExperiment(who));
      const { run } = await must(who, 'POST', '/api/2.0/mlflow/runs/create', { experiment_id: id });
      const { run_id, artifact_uri } = run.info;
      for (const [key, value] of Object.entries(metrics))
        await must(who, 'POST', '/api/2.0/mlflow/runs/log-metric', { run_id, key, value, timestamp: 1 });
      const file = `/api/2.0/mlflow-artifacts/artifacts/${artifact_uri.replace('mlflow-artifacts:/', '')}/model/MLmodel`;
      if (text !== null) {
        const put = await fetch(`${app.url}${file}`, {
          method: 'PUT',
          body: `${text}\n# ${run_id}`,
          headers: { authorization: `Bearer ${tokens[who]}` },
        });
        expect(put.status).toBe(200);
      }
      await as(who, 'POST', '/api/2.0/mlflow/registered-models/create', { name });
      const source = { name, source: `runs:/${run_id}/model`, run_id };
      return Number((await must(who, 'POST', '/api/2.0/mlflow/model-versions/create', source)).model_version.version);
    },
    env: {
      MLFLOW_TRACKING_URI: app.url,
      ...Object.fromEntries(Object.entries(tokens).map(([name, secret]) => [`TOKEN_${name.toUpperCase().replaceAll('-', '_')}`, secret])),
    },
    close: async () => {
      await app.close();
      rmSync(folder, { recursive: true });
    },
  };
}
