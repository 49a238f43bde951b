/** Random grants: what searches, lists, counts, gets and downloads show over HTTP agrees with one naive reading of the grants. */
import type { GrantLevel, Rank } from '@countersign/contract/levels.ts';
import { GRANT_LEVELS, RANK } from '@countersign/contract/levels.ts';
import { EVERY_WORKSPACE, NO_OBJECT, setGrant } from '@countersign/server/features/access/access.ts';
import * as groups from '@countersign/server/features/groups/groups.ts';
import * as workspaces from '@countersign/server/features/workspaces/workspaces.ts';
import type { Database } from '@countersign/server/platform/db/database.ts';
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { counts } from '../counts.ts';
import { addUser, ask, openApp, type Person, type RunningApp } from '../support/app.ts';
import { onBothDatabases } from '../support/databases.ts';
import { makeObjects, type Objects } from './permission-requests.ts';

const NAMES = ['net', 'net-a', 'net-ab', 'Net-a', 'other', '%_', 'ä😀', 'ä', 'z'];
const PREFIXES = ['n', 'net', 'net-a', 'N', 'ä', '%', 'z', '😀'];
const API = '/api/2.0/mlflow';

interface RandomGrant {
  /** Two callers, and two groups. */
  readonly to: 0 | 1 | 2 | 3;
  readonly kind: 'experiment' | 'registered-model' | 'workspace' | 'run' | 'logged-model' | 'registered-model-version';
  readonly level: GrantLevel;
  /** Of `NAMES`, where it is about one object. */
  readonly object: number | undefined;
  readonly prefix: string;
  readonly isEverywhere: boolean;
}

const level = fc.oneof({ weight: 3, arbitrary: fc.constantFrom<GrantLevel>('VIEW', 'READ') }, fc.constantFrom(...GRANT_LEVELS));
const onAny = fc.record({ object: fc.constant(undefined), prefix: fc.constant('') });
const onSome = fc.oneof(
  { weight: 4, arbitrary: fc.record({ object: fc.nat({ max: NAMES.length - 1 }), prefix: fc.constant('') }) },
  { weight: 3, arbitrary: fc.record({ object: fc.constant(undefined), prefix: fc.constantFrom(...PREFIXES) }) },
  { weight: 1, arbitrary: onAny },
);
const to = fc.constantFrom<RandomGrant['to']>(0, 0, 1, 1, 2, 3);
const isEverywhere = fc.constantFrom(false, false, false, true);
const grants = fc
  .array(
    fc.oneof(
      {
        weight: 8,
        arbitrary: fc.tuple(
          fc.record({ to, kind: fc.constantFrom('experiment' as const, 'registered-model' as const), level, isEverywhere }),
          onSome,
        ),
      },
      {
        weight: 1,
        arbitrary: fc.tuple(
          fc.record({
            to,
            kind: fc.constantFrom('run' as const, 'logged-model' as const, 'registered-model-version' as const),
            level,
            isEverywhere,
          }),
          onAny,
        ),
      },
      { weight: 1, arbitrary: fc.tuple(fc.record({ to, kind: fc.constant('workspace' as const), level, isEverywhere }), onAny) },
    ),
    { maxLength: 12 },
  )
  .map((pairs) => pairs.map(([one, other]): RandomGrant => ({ ...one, ...other })))
  // The same thing is granted to the same once: a later level takes the place of an earlier one.
  .map((all) => [...new Map(all.map((each) => [JSON.stringify({ ...each, level: undefined }), each])).values()]);
const world = fc.record({
  grants,
  memberLevel: fc.constantFrom('NONE' as const, 'NONE' as const, 'VIEW' as const, 'READ' as const),
  /** Of the callers, in which groups they are. */
  memberships: fc.tuple(fc.subarray([2, 3]), fc.subarray([2, 3])),
});
type World = typeof world extends fc.Arbitrary<infer W> ? W : never;

function reachingGrants({ grants: all, memberships }: World, caller: 0 | 1): RandomGrant[] {
  return all.filter((each) => each.to === caller || memberships[caller].includes(each.to));
}

function isBarred(of: World, caller: 0 | 1): boolean {
  const levels = reachingGrants(of, caller)
    .filter((each) => each.kind === 'workspace')
    .map((each) => each.level);
  return levels.includes('DENY') && !levels.includes('MANAGE');
}

/** The rule in its plainest words: DENY takes all, else the highest; who manages the workspace stands above. */
function rankOf(of: World, caller: 0 | 1, about: 'experiment' | 'registered-model', object: number, name = NAMES[object] ?? ''): Rank {
  const reaching = reachingGrants(of, caller);
  const ofWorkspace = reaching.filter((each) => each.kind === 'workspace').map((each) => each.level);
  if (ofWorkspace.includes('MANAGE')) return RANK.MANAGE;
  if (ofWorkspace.includes('DENY')) return 0;
  const kinds = about === 'experiment' ? ['experiment', 'run', 'logged-model'] : ['registered-model', 'registered-model-version'];
  const ofObject = reaching
    .filter((each) => kinds.includes(each.kind) && (each.object ?? object) === object && name.startsWith(each.prefix))
    .map((each) => each.level);
  if (ofObject.includes('DENY')) return 0;
  const levels = [of.memberLevel, ...ofWorkspace.filter((each) => each !== 'USE'), ...ofObject];
  return Math.max(...levels.map((each) => (each === 'NONE' || each === 'DENY' ? 0 : RANK[each])));
}

onBothDatabases('access by random grants', (databaseUrl) => {
  let app: RunningApp;
  let db: Database | undefined;
  let objects: readonly Objects[];
  let worlds = 0;

  beforeAll(async () => {
    const url = await databaseUrl();
    db = url === undefined ? undefined : new PostgresDatabase(url);
    app = await openApp(db === undefined ? {} : { db });
    await addUser(app.ctx, 'admin', { isAdmin: true });
    const made: Objects[] = [];
    for (const name of NAMES) made.push(await makeObjects(app.ctx, name));
    objects = made;
  }, 60_000);
  afterAll(() => app.close());

  async function build({ grants: all, memberLevel, memberships }: World): Promise<readonly [Person, Person]> {
    const { ctx } = app;
    worlds += 1;
    await workspaces.changeSettings(ctx, { member_level: memberLevel });
    const people = [await addUser(ctx, `first ${worlds}`), await addUser(ctx, `second ${worlds}`)] as const;
    const made = [
      await groups.create(ctx, { name: `A ${worlds}`, workspaceId: groups.SERVER_WIDE }),
      await groups.create(ctx, { name: `B ${worlds}`, workspaceId: groups.SERVER_WIDE }),
    ] as const;
    for (const [i, person] of people.entries()) {
      for (const group of memberships[i] ?? []) await groups.addMember(ctx, made[group - 2] ?? made[0], person.account);
    }
    for (const each of all) {
      const object = each.object === undefined ? undefined : objects[each.object];
      const isGroup = each.to > 1;
      await setGrant(
        ctx,
        {
          workspaceId: each.isEverywhere ? EVERY_WORKSPACE : 0,
          subjectKind: isGroup ? 'group' : 'principal',
          subjectId: isGroup ? (made[each.to - 2]?.id ?? -1) : people[each.to === 0 ? 0 : 1].account.id,
          kind: each.kind,
          objectId: object === undefined ? NO_OBJECT : each.kind === 'experiment' ? Number(object.experimentId) : object.modelId,
          prefix: each.prefix,
        },
        each.level,
      );
    }
    return people;
  }

  /** All pages of a search, three rows each, every one full but the last. */
  async function pages<Row>(
    path: string,
    as: string,
    read: (body: { [name: string]: unknown }) => readonly Row[] | undefined,
    body?: object,
  ): Promise<Row[]> {
    const found: Row[] = [];
    let token = '';
    for (let page = 0; page < 30; page += 1) {
      const isPost = body !== undefined;
      const sized = { ...body, max_results: 3, ...(token === '' ? {} : { page_token: token }) };
      const query = new URLSearchParams({
        [path.startsWith('/api/v1') ? 'limit' : 'max_results']: '3',
        ...(token === '' ? {} : { page_token: token }),
      });
      const answer = await ask(app, isPost ? 'POST' : 'GET', isPost ? path : `${path}${path.includes('?') ? '&' : '?'}${query}`, {
        as,
        ...(isPost ? { body: sized } : {}),
      });
      expect(answer.status, `${path}: ${JSON.stringify(answer.body)}`).toBe(200);
      const rows = read(answer.body) ?? [];
      found.push(...rows);
      token = answer.body.next_page_token ?? '';
      if (token === '') return found;
      expect(rows.length, `a page of ${path} that is followed by another`).toBe(3);
    }
    throw new Error(`${path} has no last page`);
  }

  async function status(path: string, as: string): Promise<number> {
    return (await ask(app, 'GET', path, { as })).status;
  }

  async function checkSearches(caller: 0 | 1, as: string, of: World): Promise<void> {
    if (isBarred(of, caller)) {
      for (const path of [`${API}/registered-models/search`, `${API}/experiments/list`]) expect(await status(path, as)).toBe(403);
      return;
    }
    const visible = (about: 'experiment' | 'registered-model'): Objects[] => objects.filter((_each, i) => rankOf(of, caller, about, i) > 0);
    const seenModels = visible('registered-model')
      .map((each) => each.model)
      .sort();
    const seenExperiments = visible('experiment');
    const names = (list: string, key: string) => (body: { [name: string]: unknown }) =>
      (body[list] as { [name: string]: string }[] | undefined)?.map((row) => String(row[key]));
    const sorted = async (found: Promise<string[]>): Promise<string[]> => (await found).sort();
    for (const path of [`${API}/registered-models/search`, `${API}/registered-models/list`])
      expect(await sorted(pages(path, as, names('registered_models', 'name'))), path).toEqual(seenModels);
    expect(await sorted(pages('/api/v1/models', as, names('models', 'name')))).toEqual(seenModels);
    expect(
      await sorted(
        pages(`${API}/registered-models/search?filter=${encodeURIComponent("name LIKE 'net%'")}`, as, names('registered_models', 'name')),
      ),
    ).toEqual(seenModels.filter((name) => name.startsWith('net')));
    expect(await sorted(pages(`${API}/model-versions/search`, as, names('model_versions', 'name')))).toEqual(seenModels);
    expect(await sorted(pages('/api/v1/model-versions', as, names('versions', 'name')))).toEqual(seenModels);
    const seenDeleted = NAMES.map((name) => `${name}-deleted`).filter((name) => rankOf(of, caller, 'registered-model', -1, name) > 0);
    const deleted = await ask(app, 'GET', '/api/v1/deleted-models', { as });
    expect(names('models', 'name')(deleted.body)?.sort()).toEqual(seenDeleted.sort());
    const seenIds = seenExperiments.map((each) => each.experimentId).sort();
    for (const [path, body] of [
      [`${API}/experiments/list`, undefined],
      [`${API}/experiments/search`, undefined],
      [`${API}/experiments/search`, {}],
    ] as const) {
      const found = await sorted(pages(path, as, names('experiments', 'experiment_id'), body));
      expect(
        found.filter((id) => id !== '0'),
        path,
      ).toEqual(seenIds);
    }
    const all = objects.map((each) => each.experimentId);
    const runs = pages(
      `${API}/runs/search`,
      as,
      (body) => (body.runs as { info: { run_id: string } }[] | undefined)?.map((run) => run.info.run_id),
      { experiment_ids: all },
    );
    expect(await sorted(runs)).toEqual(seenExperiments.map((each) => each.runId).sort());
    const logged = pages(
      `${API}/logged-models/search`,
      as,
      (body) => (body.models as { info: { model_id: string } }[] | undefined)?.map((model) => model.info.model_id),
      { experiment_ids: all },
    );
    expect(await sorted(logged)).toEqual(seenExperiments.map((each) => each.loggedModelId).sort());
  }

  async function checkObject(caller: 0 | 1, as: string, of: World, i: number): Promise<void> {
    const each = objects[i];
    if (each === undefined) return;
    const name = encodeURIComponent(each.model);
    const ofModel = rankOf(of, caller, 'registered-model', i);
    const ofExperiment = rankOf(of, caller, 'experiment', i);
    const wanted = (rank: Rank, least: Rank): number => (rank >= least ? 200 : 403);
    const served = '/api/2.0/mlflow-artifacts/artifacts';
    const paths: [string, number][] = [
      [`${API}/registered-models/get?name=${name}`, wanted(ofModel, RANK.VIEW)],
      [`/api/v1/models/${name}/versions/1`, wanted(ofModel, RANK.VIEW)],
      [`${API}/model-versions/get-download-uri?name=${name}&version=1`, wanted(ofModel, RANK.READ)],
      [`/model-versions/get-artifact?name=${name}&version=1&path=MLmodel`, wanted(ofModel, RANK.READ)],
      [`${served}/${each.sealedPath}/MLmodel`, wanted(ofModel, RANK.READ)],
      [`${served}?path=${each.sealedPath}`, wanted(ofModel, RANK.VIEW)],
      [`${API}/experiments/get?experiment_id=${each.experimentId}`, wanted(ofExperiment, RANK.VIEW)],
      [`${API}/experiments/get-by-name?experiment_name=${name}`, wanted(ofExperiment, RANK.VIEW)],
      [`${API}/runs/get?run_id=${each.runId}`, wanted(ofExperiment, RANK.VIEW)],
      [`${API}/logged-models/${each.loggedModelId}`, wanted(ofExperiment, RANK.VIEW)],
      [`/get-artifact?run_id=${each.runId}&path=model/MLmodel`, wanted(ofExperiment, RANK.READ)],
      [`${served}/${each.runPath}/model/MLmodel`, wanted(ofExperiment, RANK.READ)],
      [
        `/ajax-api/2.0/mlflow/logged-models/${each.loggedModelId}/artifacts/files?artifact_file_path=MLmodel`,
        wanted(ofExperiment, RANK.READ),
      ],
    ];
    const answers = await Promise.all(paths.map(async ([path]) => [path, await status(path, as)] as [string, number]));
    expect(answers).toEqual(paths);
  }

  test('each caller is shown and given what the grants say, and pages are full', async () => {
    await fc.assert(
      fc.asyncProperty(world, async (of) => {
        const people = await build(of);
        for (const caller of [0, 1] as const) {
          const as = people[caller].secret;
          await checkSearches(caller, as, of);
          for (const i of objects.keys()) await checkObject(caller, as, of, i);
        }
      }),
      { numRuns: db === undefined ? counts.accessWorlds : counts.accessWorldsOnPostgres, endOnFailure: true },
    );
  }, 120_000);
});
