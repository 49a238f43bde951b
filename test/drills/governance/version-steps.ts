/** Steps of a drill on models and versions: they come, go, are copied, renamed, tagged, described, measured. */
import { Readable } from 'node:stream';
import { RANK } from '@countersign/contract/levels.ts';
import * as artifacts from '@countersign/server/features/artifacts/artifacts.ts';
import * as evidence from '@countersign/server/features/evidence/evidence.ts';
import * as requests from '@countersign/server/features/requests/requests.ts';
import * as runs from '@countersign/server/features/runs/runs.ts';
import * as transitions from '@countersign/server/features/transitions/transitions.ts';
import * as versions from '@countersign/server/features/versions/versions.ts';
import type { Ctx } from '@countersign/server/platform/context.ts';
import { logAccuracy, registerFrom } from '../../support/governed-models.ts';
import { DESCRIPTIONS, modelFileOf, SIGNATURES } from './model-files.ts';
import type { SeenVersion } from './seen.ts';
import { CHECK } from './staff.ts';
import { ALIASES, type Doing, type KnownRun, NAMES, nameOf, onVersion, STAGES, type Steps, VALUES } from './step-subjects.ts';

const descriptions = [...DESCRIPTIONS.keys()];

/** `isGood`: with all that a policy may ask of it. */
export async function newRun({ scene, ctx }: Doing, { isGood = false } = {}): Promise<KnownRun> {
  const { ledger, runs: known, chance, experiments } = scene;
  const experimentId = experiments.get(ctx.workspace.id) ?? 0;
  const { info } = await runs.create(ctx, { experimentId, name: 'r', userId: '', startTime: 0, tags: [] });
  const root = `${info.artifactUri.replace('mlflow-artifacts:/', '')}/model`;
  const run = { id: info.runId, root, isWhole: isGood || chance.is(0.85) };
  known.push(run);
  if (!run.isWhole) return run;
  const file = {
    signature: isGood ? chance.pick(['x', 'x and y'] as const) : chance.pick(SIGNATURES),
    hasExample: isGood || chance.is(0.4),
  };
  if (file.hasExample) await put(ctx, `${root}/example.json`, '[]');
  await put(ctx, `${root}/MLmodel`, modelFileOf(file, chance.below(1000)));
  ledger.noteRun(run.id, file);
  const accuracy = isGood ? 0.95 : chance.pick([0.8, 0.92, 0.95]);
  await logAccuracy(ctx, run.id, accuracy);
  ledger.noteAccuracy(run.id, accuracy);
  return run;
}

export async function reportCheck(
  { ctx, by, scene: { store, ledger, chance } }: Doing,
  name: string,
  row: SeenVersion,
  conclusion: 'success' | 'failure',
): Promise<void> {
  const report = { name: CHECK, externalId: `${chance.below(1e9)}`, status: 'completed', conclusion, metrics: {} };
  const isEntitled =
    by.kind === 'user' ? ctx.access.rankOf('registered-model', { id: row.model, name }) >= RANK.MANAGE : by.checks.includes(CHECK);
  await requests.reportCheck(ctx, name, row.number, report as Parameters<typeof requests.reportCheck>[3]);
  const isGreen = conclusion === 'success';
  ledger.noteReport({ version: row.id, name: CHECK, by: by.id, at: store.now(), isEntitled, isGreen, digest: row.digest });
}

function put(ctx: Ctx, path: string, text: string): Promise<void> {
  return artifacts.put(ctx, path, Readable.from([Buffer.from(text)]));
}

export const versionSteps: Steps = {
  register: [
    9,
    async (doing) => {
      const { runs: known, chance } = doing.scene;
      const run = chance.is(0.6) ? (chance.maybe(known) ?? (await newRun(doing))) : await newRun(doing);
      const tags = chance.is(0.3) ? [{ key: chance.pick(['risk', 'note', 'note']), value: chance.pick(VALUES) }] : [];
      return requests.registerVersion(doing.ctx, {
        ...{ name: nameOf(doing), source: `runs:/${run.id}/model`, loggedModelId: undefined, runLink: '', tags },
        // Somebody else's numbers are a claim.
        runId: chance.is(0.1) ? chance.pick(known).id : run.id,
        description: chance.maybe(descriptions),
      });
    },
  ],
  copy: [
    8,
    onVersion(({ ctx, scene: { chance, seen } }, { name, version, row }) => {
      const tags = [...row.tags].map(([key, value]) => ({ key, value }));
      const to = chance.pick([...seen.models.values()].filter((each) => each.isAlive)).name;
      return registerFrom(ctx, to, `models:/${name}/${version}`, tags);
    }),
  ],
  retry: [
    4,
    // What was asked for and approved is asked for again by the client.
    async ({ ctx, by, scene: { seen, chance } }) => {
      const candidate = chance.maybe([...seen.candidates.values()].filter((each) => each.by === by.id));
      const row = candidate && (await ctx.db.one<{ claim: string }>('SELECT claim FROM candidates WHERE id = ?', candidate.id));
      if (row === undefined) return undefined;
      const { input } = JSON.parse(row.claim) as { input: Parameters<typeof requests.registerVersion>[1] };
      return requests.registerVersion(ctx, { ...input, runId: input.runId ?? '' });
    },
  ],
  stage: [
    15,
    onVersion(({ ctx, scene: { chance } }, { name, version }) => {
      const stage = chance.pick(STAGES);
      return requests.moveStage(ctx, { name, version, stage, archiveExisting: stage !== 'None' && stage !== 'Archived' && chance.is(0.5) });
    }),
  ],
  alias: [10, onVersion(({ ctx, scene: { chance } }, { name, version }) => requests.setAlias(ctx, name, chance.pick(ALIASES), version))],
  'alias-removal': [4, (doing) => requests.deleteAlias(doing.ctx, nameOf(doing), doing.scene.chance.pick(ALIASES))],
  tag: [
    6,
    onVersion(({ ctx, scene: { chance } }, { name, version }) =>
      requests.setVersionTag(ctx, name, version, chance.pick(['risk', 'note', 'note']), chance.pick([...VALUES, null])),
    ),
  ],
  describe: [
    3,
    onVersion(({ ctx, scene: { chance } }, { name, version }) => versions.setDescription(ctx, name, version, chance.maybe(descriptions))),
  ],
  'model-tag': [
    4,
    (doing) => {
      const { chance } = doing.scene;
      return requests.setModelTag(doing.ctx, nameOf(doing), chance.pick(['risk', 'tier', 'tier']), chance.pick([...VALUES, null]));
    },
  ],
  rename: [3, (doing) => requests.renameModel(doing.ctx, nameOf(doing), doing.scene.chance.pick(NAMES))],
  'version-deletion': [2, onVersion(({ ctx }, { name, version }) => requests.deleteVersion(ctx, name, version))],
  'version-restoration': [
    3,
    onVersion(
      ({ ctx }, { name, version }) => requests.restoreVersion(ctx, name, version),
      (row) => !row.isAlive,
    ),
  ],
  'model-deletion': [1.5, (doing) => requests.deleteModel(doing.ctx, nameOf(doing))],
  'model-restoration': [1, (doing) => restore(doing, undefined)],
  'model-restoration-elsewhere': [1.5, (doing) => restore(doing, doing.scene.chance.pick(NAMES))],
  'model-creation': [
    2,
    ({ ctx, scene: { chance } }) =>
      requests.createModel(ctx, {
        name: chance.pick(NAMES),
        tags: chance.is(0.3) ? [{ key: chance.pick(['risk', 'tier']), value: chance.pick(VALUES) }] : [],
      }),
  ],
  check: [
    7,
    onVersion((doing, { name, row }) =>
      reportCheck(doing, name, row, doing.scene.chance.pick(['success', 'success', 'success', 'failure'])),
    ),
  ],
  evidence: [
    4,
    onVersion(async ({ ctx, scene: { chance, ledger } }, { name, version, row }) => {
      if (row.runId !== '' && chance.is(0.5)) {
        const value = 0.95 + chance.below(100) / 10_000;
        await logAccuracy(ctx, row.runId, value);
        ledger.noteAccuracy(row.runId, value);
      }
      await evidence.renew(ctx, name, version);
    }),
  ],
  seal: [
    3,
    onVersion(async ({ ctx, scene: { runs: known } }, { name, version, row }) => {
      const at = known.findIndex((each) => !each.isWhole && row.source === `runs:/${each.id}/model`);
      const run = known[at];
      if (run === undefined) return;
      await put(ctx, `${run.root}/MLmodel`, 'flavors: {}');
      known[at] = { ...run, isWhole: true };
      await transitions.sealVersion(ctx, name, version);
    }),
  ],
};

async function restore({ ctx, scene: { seen, chance } }: Doing, newName: string | undefined): Promise<void> {
  const model = chance.maybe([...seen.models.values()].filter((each) => !each.isAlive && each.workspace === ctx.workspace.id));
  if (model !== undefined) await transitions.restoreModel(ctx, model.id, newName);
}
