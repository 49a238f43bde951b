/** What a change of a whole model asks: where another policy comes to apply to a version, a tag, or to whatever comes into it later. */
import type { GovernedTarget } from '@countersign/contract/permit.ts';
import type { PolicyTarget } from '@countersign/contract/policies.ts';
import { Problem } from '@countersign/contract/problem.ts';
import type { Ctx, WorkspaceRef } from '../../platform/context.ts';
import type { PoliciesInForce, PublishedPolicy } from '../policies/policies.ts';
import type { ModelVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import { placesOf } from './operation-rules.ts';
import { choose, chooseEach, type GovernedModel, kindsOf, type OtherChange } from './permits.ts';

export interface Situation {
  readonly inForce: PoliciesInForce;
  /** Where that is, if elsewhere: an alias is a stage where one is called so. */
  readonly workspace?: WorkspaceRef;
  readonly model: GovernedModel;
  /** What is read by the name is other bytes than before: also the policy that held before must let them in. */
  readonly isElsewhere?: boolean;
}

/** More versions than this in a governed model are not judged one by one. */
const RECHOSEN_MAX = 500;

/** For every version in a place where another policy comes to apply: the old one lets it leave, the new one lets it enter. */
export async function rechosen(ctx: Ctx, before: Situation, after: Situation): Promise<readonly OtherChange[]> {
  const entry: GovernedTarget = { kind: 'entry' };
  // Of versions of either kind: both at once would hide that the model itself changes its kind.
  const isRechosenFor = async (isPrompt: boolean): Promise<boolean> => (await differing(ctx, entry, [isPrompt], before, after)).length > 0;
  const isEntryRechosen = (await isRechosenFor(false)) || (await isRechosenFor(true));
  const standing = isEntryRechosen ? await listFew(ctx, before.model) : await versions.listPlaced(ctx, before.model);
  const found: OtherChange[] = [];
  for (const version of standing) {
    for (const target of placesOf(version)) {
      for (const change of await differing(ctx, target, kindsOf(version), before, after)) found.push({ ...change, version });
    }
  }
  return found;
}

async function listFew(ctx: Ctx, model: GovernedModel): Promise<readonly ModelVersion[]> {
  const found = await versions.listOfModel(ctx, model, { limit: RECHOSEN_MAX + 1 });
  if (found.length <= RECHOSEN_MAX) return found;
  throw new Problem(
    'INVALID_STATE',
    `'${model.name}' has more than ${RECHOSEN_MAX} versions, and a policy asks about each. Copy those that matter to another model, one by one; or delete versions.`,
  );
}

async function differing(
  ctx: Ctx,
  target: GovernedTarget,
  kinds: readonly boolean[],
  before: Situation,
  after: Situation,
): Promise<readonly Omit<OtherChange, 'version'>[]> {
  const old = await chooseEach(insideOf(ctx, before), before.inForce, target, before.model, kinds);
  const next = await chooseEach(insideOf(ctx, after), after.inForce, target, after.model, kinds);
  const without = (all: typeof old, others: typeof old): typeof old => all.filter(({ hash }) => others.every((each) => each.hash !== hash));
  const entering = after.isElsewhere === true ? next : without(next, old);
  return [
    ...without(old, next).map((policy) => ({ change: { target, change: 'leave' } as const, policy })),
    ...entering.map((policy) => ({ change: { target, change: 'enter' } as const, policy })),
  ];
}

function insideOf(ctx: Ctx, { workspace }: Situation): Ctx {
  return workspace === undefined ? ctx : { ...ctx, workspace };
}

/** What makes room may be read as of another kind than what comes: then policies that are about it alone must let it go. */
export async function displaced(
  ctx: Ctx,
  { inForce, model }: { readonly inForce: PoliciesInForce; readonly model: GovernedModel | undefined },
  target: GovernedTarget,
  came: ModelVersion,
  listHolders: () => Promise<readonly ModelVersion[]>,
): Promise<readonly OtherChange[]> {
  const asked = await chooseEach(ctx, inForce, target, model, kindsOf(came));
  const isNew = (policy: PublishedPolicy): boolean => !asked.includes(policy);
  if (!(await chooseEach(ctx, inForce, target, model, [true, false])).some(isNew)) return [];
  const found: OtherChange[] = [];
  for (const version of await listHolders()) {
    if (version.id === came.id) continue;
    const chosen = (await chooseEach(ctx, inForce, target, model, kindsOf(version))).filter(isNew);
    found.push(...chosen.map((policy): OtherChange => ({ version, change: { target, change: 'leave' }, policy })));
  }
  return found;
}

function hasTagPolicy({ inForce }: Situation): boolean {
  return inForce.policies.some(({ document }) => document.match.target.tag !== undefined);
}

/** A governed tag that was set where nobody asked doesn't become one of a governed model by what happens to the model. */
export async function rechosenTags(ctx: Ctx, before: Situation, after: Situation): Promise<readonly OtherChange[]> {
  if (!hasTagPolicy(before) && !hasTagPolicy(after)) return [];
  // A tag says the same wherever it is: only another policy has a say.
  const then = { ...after, isElsewhere: false };
  const found: OtherChange[] = [];
  for (const { key } of after.model.tags.filter((tag) => before.model.tags.some((each) => each.key === tag.key)))
    found.push(...(await differing(ctx, { kind: 'tag', key }, [], before, then)));
  for (const version of await listFew(ctx, before.model)) {
    for (const { key } of version.tags)
      for (const change of await differing(ctx, { kind: 'tag', key }, kindsOf(version), before, then)) found.push({ ...change, version });
  }
  return found;
}

/**
 * Tags of a model say which policies apply to what comes into it later, so they are asked for before anything stands there: by the policy that would apply
 * without them, and by the one that applies with them.
 */
export async function rechosenByTags(ctx: Ctx, before: Situation, after: Situation): Promise<readonly OtherChange[]> {
  const found = new Map<string, OtherChange>();
  const byTags = [...before.inForce.policies, ...after.inForce.policies].filter(
    ({ document }) => Object.keys(document.match.tags).length > 0,
  );
  for (const { document } of byTags) {
    const [key = ''] = Object.keys(document.match.tags);
    const { target, isPrompt } = placeOf(document.match.target);
    const chosenIn = (situation: Situation): Promise<PublishedPolicy | undefined> =>
      choose(insideOf(ctx, situation), situation.inForce, target, { ...situation.model, isPrompt });
    const [old, next] = [await chosenIn(before), await chosenIn(after)];
    // Under another name, or in another workspace, other policies apply anyway: the tags have a say only where they make a difference there.
    const bare = after.isElsewhere === true ? await chosenIn({ ...after, model: { ...after.model, tags: [] } }) : old;
    if (next?.hash === old?.hash || next?.hash === bare?.hash) continue;
    for (const [policy, change] of [
      [bare, 'leave'],
      [next, 'enter'],
    ] as const)
      if (policy !== undefined) found.set(`${change} ${policy.hash}`, { change: { target: { kind: 'tag', key }, change }, policy });
  }
  return [...found.values()];
}

/** A pattern stands for the places that it is about. */
function placeOf({ prompt, ...own }: PolicyTarget): { readonly target: GovernedTarget; readonly isPrompt: boolean } {
  const { stage, alias } = prompt ?? own;
  const isPrompt = prompt !== undefined;
  if (stage !== undefined) return { target: { kind: 'stage', stage }, isPrompt };
  if (alias !== undefined) return { target: { kind: 'alias', alias }, isPrompt };
  return { target: own.tag === undefined ? { kind: 'entry' } : { kind: 'tag', key: own.tag }, isPrompt };
}
