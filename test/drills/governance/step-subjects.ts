/** What steps of a drill are of, and by whom: picked by chance from what stands in the tables. */
import * as accounts from '@countersign/server/features/accounts/accounts.ts';
import * as requests from '@countersign/server/features/requests/requests.ts';
import type { Ctx, WorkspaceRef } from '@countersign/server/platform/context.ts';
import type { GovernedModels } from '../../support/governed-models.ts';
import type { Chance } from './chance.ts';
import { isPromptTagged } from './policy-choice.ts';
import type { Ledger } from './promise-ledger.ts';
import type { Seen, SeenModel, SeenVersion } from './seen.ts';
import type { Member, Staff } from './staff.ts';

export interface KnownRun {
  readonly id: string;
  /** False as long as it is without its MLmodel, which is to lie in `root`. */
  readonly isWhole: boolean;
  readonly root: string;
}

export interface Scene {
  readonly store: GovernedModels;
  readonly staff: Staff;
  readonly ledger: Ledger;
  readonly chance: Chance;
  readonly runs: KnownRun[];
  /** Of a workspace, in which runs are made. */
  readonly experiments: Map<number, number>;
  readonly seen: Seen;
  /** Changes of settings that were refused: made again, where somebody agreed meanwhile. */
  readonly again: { readonly by: Member; readonly workspace: WorkspaceRef; readonly change: (ctx: Ctx) => Promise<unknown> }[];
  /** What is done; all where it is left out. */
  readonly kinds?: ReadonlySet<string>;
  /** Those who broke a glass. */
  readonly hot: Set<Member>;
  /** What somebody is about to do, in its order. */
  readonly story: StoryStep[];
}

export interface StoryStep {
  readonly kind: string;
  readonly by: string;
  /** The request that it answers; left out where there is none. */
  readonly answers?: (scene: Scene) => number;
  readonly step: Step;
}

export interface Doing {
  readonly scene: Scene;
  readonly by: Member;
  readonly ctx: Ctx;
}

export type Step = (doing: Doing) => Promise<unknown>;
/** With their weights. */
export type Steps = Readonly<Record<string, readonly [number, Step]>>;

export const NAMES = ['dev.churn', 'prod.churn', 'prod.other', 'fraud-eu', 'fraud-us', 'prod.new', 'free', 'dev.new'];
export const STAGES = ['Production', 'Production', 'Production', 'Staging', 'Staging', 'UAT', 'uat', 'Canary', 'Archived', 'None'];
export const ALIASES = ['champion', 'champion', 'challenger', 'production', 'Production', 'uat'];
export const VALUES = ['low', 'high', 'gold'];

export function aliveModels({ scene: { seen }, ctx }: Doing): readonly SeenModel[] {
  return [...seen.models.values()].filter((each) => each.isAlive && each.workspace === ctx.workspace.id);
}

export function nameOf(doing: Doing): string {
  return doing.scene.chance.maybe(aliveModels(doing))?.name ?? 'free';
}

export interface Picked {
  readonly name: string;
  readonly version: number;
  readonly row: SeenVersion;
}

/** Newer ones more often. */
function pickVersion(doing: Doing, wanted: (row: SeenVersion) => boolean): Picked | undefined {
  const { seen, chance } = doing.scene;
  const here = new Map(aliveModels(doing).map((each) => [each.id, each.name]));
  const rows = [...seen.versions.values()].filter((each) => here.has(each.model) && wanted(each));
  const row = chance.maybe(chance.is(0.5) ? rows.slice(-4) : rows);
  return row && { name: here.get(row.model) ?? '', version: row.number, row };
}

const isAlive = (row: SeenVersion): boolean => row.isAlive;

export function onVersion(work: (doing: Doing, at: Picked) => Promise<unknown>, wanted: (row: SeenVersion) => boolean = isAlive): Step {
  return async (doing) => {
    const at = pickVersion(doing, wanted);
    if (at !== undefined) await work(doing, at);
  };
}

export const isPromptVersion = (row: SeenVersion): boolean => row.isAlive && (row.isPrompt || isPromptTagged(row.tags));

export function openRequest({ scene: { seen, chance } }: Doing): number {
  return chance.maybe([...seen.requests.values()].filter((each) => each.state === 'open').slice(-8))?.id ?? 0;
}

const AGAIN_MAX = 6;

/** As the route of administration does it, and remembered. */
export function administer({ scene, by, ctx }: Doing, change: (ctx: Ctx) => Promise<unknown>): Promise<unknown> {
  scene.again.push({ by, workspace: ctx.workspace, change });
  if (scene.again.length > AGAIN_MAX) scene.again.shift();
  return requests.asking(ctx, () => change(ctx));
}

export function someAccount(doing: Doing): Promise<accounts.Account> {
  return accounts.getByName(doing.ctx, doing.scene.chance.pick(doing.scene.staff.members.filter((each) => each.kind !== 'ci')).name);
}
