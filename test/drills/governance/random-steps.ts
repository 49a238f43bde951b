/** One random step of a drill: somebody does something at the doors, allowed or not. */

import { Readable } from 'node:stream';
import { RANK } from '@countersign/contract/levels.ts';
import * as accounts from '@countersign/server/features/accounts/accounts.ts';
import * as artifacts from '@countersign/server/features/artifacts/artifacts.ts';
import * as blocks from '@countersign/server/features/blocks/blocks.ts';
import * as breakGlass from '@countersign/server/features/break-glass/break-glass.ts';
import * as evidence from '@countersign/server/features/evidence/evidence.ts';
import * as groups from '@countersign/server/features/groups/groups.ts';
import * as models from '@countersign/server/features/models/models.ts';
import * as namedPermissions from '@countersign/server/features/named-permissions/named-permissions.ts';
import * as requests from '@countersign/server/features/requests/requests.ts';
import * as runs from '@countersign/server/features/runs/runs.ts';
import * as tokens from '@countersign/server/features/tokens/tokens.ts';
import * as transitions from '@countersign/server/features/transitions/transitions.ts';
import type { Ctx, WorkspaceRef } from '@countersign/server/platform/context.ts';
import { type GovernedModels, logAccuracy, registerFrom } from '../../support/governed-models.ts';
import type { Chance } from './chance.ts';
import { randomPolicy } from './policy-family.ts';
import type { Ledger } from './promise-ledger.ts';
import type { Seen, SeenVersion } from './seen.ts';
import { CHECK, type Member, type Staff } from './staff.ts';

export interface Scene {
  readonly store: GovernedModels;
  readonly staff: Staff;
  readonly ledger: Ledger;
  readonly chance: Chance;
  /** `run` is still without its MLmodel. */
  readonly runs: { readonly id: string; readonly isWhole: boolean }[];
  readonly seen: Seen;
  /** Changes of settings that were refused: made again, where somebody agreed meanwhile. */
  readonly again: { readonly by: Member; readonly workspace: WorkspaceRef; readonly change: (ctx: Ctx) => Promise<unknown> }[];
  /** What is done; all where it is left out. */
  readonly kinds?: ReadonlySet<string>;
  /** Those who broke a glass. */
  readonly hot: Set<Member>;
}

interface Doing {
  readonly scene: Scene;
  readonly by: Member;
  readonly ctx: Ctx;
}

type Step = (doing: Doing) => Promise<unknown>;

const NAMES = ['dev.churn', 'prod.churn', 'prod.other', 'fraud-eu', 'fraud-us', 'prod.new', 'free', 'dev.new'];
const STAGES = ['Production', 'Production', 'Production', 'Staging', 'Archived', 'None'];
const ALIASES = ['champion', 'champion', 'challenger', 'production', 'Production'];
const VALUES = ['low', 'high', 'gold'];

const aliveModels = ({ scene: { seen }, ctx }: Doing): readonly { id: number; name: string }[] =>
  [...seen.models.values()].filter((each) => each.isAlive && each.workspace === ctx.workspace.id);
const nameOf = (doing: Doing): string => doing.scene.chance.maybe(aliveModels(doing))?.name ?? 'free';

/** Newer ones more often. */
function pickVersion(doing: Doing, isAlive = true): { name: string; version: number; row: SeenVersion } | undefined {
  const { seen, chance } = doing.scene;
  const rows = [...seen.versions.values()].filter(
    (each) =>
      each.isAlive === isAlive && seen.models.get(each.model)?.workspace === doing.ctx.workspace.id && seen.models.get(each.model)?.isAlive,
  );
  const row = chance.maybe(chance.is(0.5) ? rows.slice(-4) : rows);
  if (row === undefined) return undefined;
  return { name: seen.models.get(row.model)?.name ?? '', version: numberOf(seen, row), row };
}
/** Its number on the wire: they are given out in order, from 1. */
function numberOf(seen: Seen, row: SeenVersion): number {
  return [...seen.versions.values()].filter((each) => each.model === row.model && each.id <= row.id).length;
}
const onVersion =
  (work: (doing: Doing, at: { name: string; version: number; row: SeenVersion }) => Promise<unknown>, isAlive = true): Step =>
  async (doing) => {
    const at = pickVersion(doing, isAlive);
    if (at !== undefined) await work(doing, at);
  };
const openRequest = ({ scene: { seen, chance } }: Doing): number =>
  chance.maybe([...seen.requests.values()].filter((each) => each.state === 'open').slice(-8))?.id ?? 0;
/** As the route of administration does it, and remembered. */
function administer({ scene, by, ctx }: Doing, change: (ctx: Ctx) => Promise<unknown>): Promise<unknown> {
  scene.again.push({ by, workspace: ctx.workspace, change });
  if (scene.again.length > AGAIN_MAX) scene.again.shift();
  return requests.asking(ctx, () => change(ctx));
}
const AGAIN_MAX = 6;
const account = (doing: Doing): Promise<accounts.Account> =>
  accounts.getByName(doing.ctx, doing.scene.chance.pick(doing.scene.staff.members.filter((each) => each.kind !== 'ci')).name);

async function newRun({ scene: { store, ledger, runs: known, chance }, ctx }: Doing): Promise<string> {
  const accuracy = chance.pick([0.8, 0.92, 0.95]);
  if (chance.is(0.15)) {
    const run = await runs.create(ctx, { experimentId: 0, name: 'r', userId: '', startTime: 0, tags: [] });
    known.push({ id: run.info.runId, isWhole: false });
    return run.info.runId;
  }
  const id = await store.logRun(ctx, { accuracy, text: `flavors: {} # ${chance.below(1000)}` });
  ledger.noteAccuracy(id, accuracy);
  known.push({ id, isWhole: true });
  return id;
}

const STEPS: Readonly<Record<string, readonly [number, Step]>> = {
  register: [
    9,
    async (doing) => {
      const { runs: known, chance } = doing.scene;
      const run = chance.is(0.6) ? (chance.maybe(known)?.id ?? (await newRun(doing))) : await newRun(doing);
      const tags = chance.is(0.2) ? [{ key: chance.pick(['risk', 'note']), value: chance.pick(VALUES) }] : [];
      const name = nameOf(doing);
      // Somebody else's numbers are a claim.
      if (chance.is(0.15))
        return requests.registerVersion(doing.ctx, {
          ...{ name, source: `runs:/${run}/model`, loggedModelId: undefined, runLink: '', description: undefined, tags },
          runId: chance.pick(known).id,
        });
      return registerFrom(doing.ctx, name, `runs:/${run}/model`, tags);
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
    14,
    onVersion(({ ctx, scene: { chance } }, { name, version }) => {
      const stage = chance.pick(STAGES);
      return requests.moveStage(ctx, { name, version, stage, archiveExisting: stage !== 'None' && stage !== 'Archived' && chance.is(0.5) });
    }),
  ],
  alias: [10, onVersion(({ ctx, scene: { chance } }, { name, version }) => requests.setAlias(ctx, name, chance.pick(ALIASES), version))],
  'alias-removal': [4, (doing) => requests.deleteAlias(doing.ctx, nameOf(doing), doing.scene.chance.pick(ALIASES))],
  tag: [
    5,
    onVersion(({ ctx, scene: { chance } }, { name, version }) =>
      requests.setVersionTag(ctx, name, version, chance.pick(['risk', 'note']), chance.pick([...VALUES, null])),
    ),
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
  'version-restoration': [3, onVersion(({ ctx }, { name, version }) => requests.restoreVersion(ctx, name, version), false)],
  'model-deletion': [1, (doing) => requests.deleteModel(doing.ctx, nameOf(doing))],
  'model-restoration': [
    1.5,
    async ({ ctx, scene: { seen, chance } }) => {
      const model = chance.maybe([...seen.models.values()].filter((each) => !each.isAlive && each.workspace === ctx.workspace.id));
      if (model !== undefined) await transitions.restoreModel(ctx, model.id, chance.is(0.5) ? chance.pick(NAMES) : undefined);
    },
  ],
  'model-creation': [
    2,
    ({ ctx, scene: { chance } }) =>
      requests.createModel(ctx, {
        name: chance.pick(NAMES),
        tags: chance.is(0.3) ? [{ key: chance.pick(['risk', 'tier']), value: chance.pick(VALUES) }] : [],
      }),
  ],
  move: [
    0.3,
    async ({ ctx, scene: { staff } }) => {
      const to = otherThan(ctx, staff);
      // As the removal of a workspace asks it, before anything moves.
      if (ctx.access.isAdmin && (await models.listNamesInBoth(ctx, to)).length === 0) await transitions.moveModels(ctx, to);
    },
  ],
  ask: [
    9,
    onVersion(({ ctx, scene: { chance } }, { name, version }) => {
      const target = chance.pick([
        { kind: 'stage', stage: chance.pick(STAGES) },
        { kind: 'alias', alias: chance.pick(ALIASES) },
        { kind: 'tag', key: 'risk', value: 'low' },
        { kind: 'entry' },
        { kind: 'rename', newName: chance.pick(NAMES) },
      ] as const);
      return requests.create(ctx, name, { target, version, change: target.kind === 'entry' || chance.is(0.1) ? 'leave' : 'enter' });
    }),
  ],
  reject: [1, (doing) => requests.reject(doing.ctx, openRequest(doing))],
  cancel: [1, (doing) => requests.cancel(doing.ctx, openRequest(doing))],
  apply: [4, (doing) => requests.apply(doing.ctx, openRequest(doing))],
  rollback: [
    7,
    async ({ ctx, scene: { chance, seen } }) => {
      const target = chance.pick(['stage:Production', 'stage:Production', 'alias:champion']);
      const rows = await ctx.db.all<{ id: number }>(
        "SELECT version_id AS id FROM events WHERE type IN ('model-version.stage-entered', 'alias.set') AND target = ? AND body LIKE ? ORDER BY seq DESC LIMIT 10",
        target,
        '%"admission":"policy"%',
      );
      const row = seen.versions.get(chance.maybe(rows)?.id ?? -1);
      const name = row && seen.models.get(row.model)?.name;
      if (row === undefined || name === undefined) return;
      await requests.rollback(ctx, name, numberOf(seen, row), target, 'worse than before');
    },
  ],
  publish: [
    4,
    (doing) => {
      const { chance, seen } = doing.scene;
      const inForce = (seen.policies.get(doing.ctx.workspace.id) ?? []).map(({ name }) => name);
      const changes = chance.is(0.75)
        ? { published: [{ text: randomPolicy(chance), listedDigests: [] }], withdrawn: [] }
        : { published: [], withdrawn: [chance.maybe(inForce) ?? 'none'] };
      return administer(doing, (ctx) => transitions.replacePolicies(ctx, changes));
    },
  ],
  membership: [
    4,
    async (doing) => {
      const { chance } = doing.scene;
      const group = await groups.getByName(doing.ctx, chance.pick(['risk', 'legal']));
      const someone = await account(doing);
      const isJoining = chance.is(0.5);
      return administer(doing, (ctx) => (isJoining ? groups.addMember(ctx, group, someone) : groups.removeMember(ctx, group, someone.id)));
    },
  ],
  administration: [
    3,
    async (doing) => {
      const { chance, staff } = doing.scene;
      const someone = await account(doing);
      const robot = await accounts.getByName(doing.ctx, 'bobs-robot');
      const owner = staff.byName(chance.pick(['bob', 'root', 'alice'])).id;
      const token = { kind: 'personal', name: 't', scopes: ['read'], expiresAt: null } as const;
      const isAdmin = chance.is(0.5);
      const state = chance.is(0.8) ? 'active' : 'disabled';
      const acts: ((ctx: Ctx) => Promise<unknown>)[] = [
        (ctx) => accounts.setAdmin(ctx, someone, isAdmin),
        (ctx) => accounts.setState(ctx, someone, state),
        (ctx) => accounts.setOwner(ctx, robot, owner),
        (ctx) => tokens.mint(ctx, someone, token as Parameters<typeof tokens.mint>[2]),
        (ctx) => namedPermissions.give(ctx, 'break-glass', { kind: 'user', id: someone.id, name: someone.name }),
      ];
      return administer(doing, chance.pick(acts));
    },
  ],
  'break-glass': [
    4,
    async ({ ctx, by, scene }) => {
      const { ledger, store, chance, seen } = scene;
      const closed = (seen.policies.get(ctx.workspace.id) ?? []).filter(({ document }) => document.break_glass !== undefined);
      const policyName = chance.maybe(closed)?.name ?? 'none';
      const { id } = await transitions.openBreakGlass(ctx, { policyName, reason: 'it burns', ticket: 'T-1' });
      ledger.noteOpening({ id, policy: `${ctx.workspace.id} ${policyName}`, by: by.id, at: store.now() });
      scene.hot.add(by);
    },
  ],
  review: [
    3,
    async ({ ctx, by, scene: { ledger, chance } }) => {
      const opening = chance.maybe(await breakGlass.list(ctx, { limit: 10 }));
      if (opening === undefined) return;
      await breakGlass.review(ctx, opening.id, 'seen');
      ledger.noteReview(opening.id, by.id);
    },
  ],
  block: [1, onVersion(({ ctx }, { row }) => (row.digest === null ? Promise.resolve() : blocks.block(ctx, row.digest, 'bad')))],
  lift: [
    2,
    async (doing) => {
      const digest = doing.scene.chance.maybe([...doing.scene.seen.blocks])?.split(' ')[1];
      if (digest !== undefined) await administer(doing, (ctx) => transitions.liftBlock(ctx, digest, 'good again'));
    },
  ],
  check: [
    7,
    onVersion(async ({ ctx, by, scene: { ledger, chance } }, { name, version, row }) => {
      const conclusion = chance.pick(['success', 'success', 'success', 'failure'] as const);
      const report = { name: CHECK, externalId: `${chance.below(1e9)}`, status: 'completed', conclusion, metrics: {} };
      const isEntitled =
        by.kind === 'user' ? ctx.access.rankOf('registered-model', { id: row.model, name }) >= RANK.MANAGE : by.checks.includes(CHECK);
      await requests.reportCheck(ctx, name, version, report as Parameters<typeof requests.reportCheck>[3]);
      ledger.noteReport({ version: row.id, name: CHECK, by: by.id, isEntitled, isGreen: conclusion === 'success', digest: row.digest });
    }),
  ],
  evidence: [
    3,
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
      const path = `0/${run.id}/artifacts/model/MLmodel`;
      await artifacts.put(ctx, path, Readable.from([Buffer.from('flavors: {}')]));
      known[at] = { ...run, isWhole: true };
      await transitions.sealVersion(ctx, name, version);
    }),
  ],
  sweep: [1, ({ scene: { store } }) => requests.sweep(store.ctx)],
  wait: [3, async ({ scene: { store, chance } }) => store.wait(chance.pick([60_000, 700_000, 4_000_000, 90_000_000]))],
};

function otherThan(ctx: Ctx, staff: Staff): WorkspaceRef {
  return ctx.workspace.id === staff.other.id ? { id: 0, name: 'default' } : staff.other;
}

export interface Planned {
  readonly kind: string;
  readonly by: Member;
  readonly approves?: number;
  run(): Promise<unknown>;
}

/** Who does the next step, and what: many are approvals by those who may give them, since without those nothing governed moves. */
export async function planStep(scene: Scene): Promise<Planned | undefined> {
  const { chance, staff } = scene;
  const mind = chance.below(100);
  if (mind < 5) {
    const redo = chance.maybe(scene.again);
    const ctx = redo && (await staff.contextOf(redo.by, redo.workspace));
    if (redo === undefined || ctx === undefined) return undefined;
    return { kind: 'again', by: redo.by, run: () => requests.asking(ctx, () => redo.change(ctx)) };
  }
  const isApproval = mind < 38;
  const isReturn = mind >= 96 && (scene.kinds?.has('rollback') ?? true);
  const isLikely = isApproval || isReturn;
  const by = isLikely ? pickApprover(scene) : ((chance.is(0.15) ? chance.maybe([...scene.hot]) : undefined) ?? chance.pick(staff.members));
  const ctx = await staff.contextOf(by, chance.is(0.1) ? staff.other : undefined);
  if (ctx === undefined) return undefined;
  const doing = { scene, by, ctx };
  if (isApproval) {
    const id = openRequest(doing);
    const archiveExisting = chance.is(0.2) ? true : undefined;
    return { kind: 'approve', by, approves: id, run: () => requests.approve(ctx, id, { archiveExisting }) };
  }
  const steps = Object.entries(STEPS).filter(([kind]) => scene.kinds?.has(kind) ?? true);
  const total = steps.reduce((sum, [, [weight]]) => sum + weight, 0);
  if (isReturn) return { kind: 'rollback', by, run: async () => STEPS.rollback?.[1](doing) };
  let at = (chance.below(1_000_000) / 1_000_000) * total;
  for (const [kind, [weight, step]] of steps) {
    at -= weight;
    if (at < 0) return { kind, by, run: async () => step(doing) };
  }
  return undefined;
}

function pickApprover({ chance, staff }: Scene): Member {
  const likely = ['bob', 'carol', 'erin', 'second', 'root', 'bobs-robot'].map((name) => staff.byName(name));
  return chance.pick(chance.is(0.8) ? likely : staff.members);
}
