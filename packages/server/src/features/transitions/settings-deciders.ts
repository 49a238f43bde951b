/** Who can decide settings: two persons must remain, or nobody could change anything again without the owner of the host. */
import { Problem } from '@countersign/contract/problem.ts';
import type { TxCtx } from '../../platform/context.ts';
import { listManagerIds } from '../access/access.ts';
import { type Keeper, lockAccess } from '../accounts/accounts.ts';
import { record } from '../events/events.ts';
import * as people from '../people/people.ts';
import * as policies from '../policies/policies.ts';
import { DEFAULT_WORKSPACE_ID, getWorkspaceById, within } from '../workspaces/workspaces.ts';
import { choose } from './permits.ts';
import { whyLocked } from './satisfiability.ts';
import { fallbackPolicy } from './settings-fallback.ts';

const DECIDERS_MIN = 2;

/** Who or what is to go. */
interface Without {
  readonly account?: number;
  readonly group?: string | undefined;
}

interface Deciders {
  readonly policyName: string;
  readonly groups: readonly string[];
  readonly persons: readonly { readonly id: number; readonly name: string }[];
}

/** By the policy on policies; where it refuses nothing, by the rule that holds then. */
async function readDeciders(ctx: TxCtx, without: Without = {}): Promise<Deciders> {
  const inForce = await policies.getInForce(ctx);
  const chosen = await choose(ctx, inForce, { kind: 'setting', setting: 'policies' }, undefined);
  const policy = chosen?.document.mode === 'enforce' ? chosen : await fallbackPolicy();
  const roles = policy.document.requirements.approvals;
  const groups = roles.flatMap((role) => role.group ?? []);
  const ids = await listManagerIds(ctx);
  const { principals } = await people.readPeople(ctx, { ids, groups, model: undefined, changedSince: ctx.clock.now() });
  const persons = principals.filter(
    (each) =>
      each.kind === 'user' &&
      each.isActive &&
      each.id !== without.account &&
      roles.some((role) =>
        role.group === undefined ? each.level === 'MANAGE' : role.group !== without.group && each.groups.includes(role.group),
      ),
  );
  return { policyName: policy.document.name, groups, persons };
}

/** INVALID_STATE unless two persons can decide settings, without whoever is to go. */
export async function demandDeciders(ctx: TxCtx, without: Without = {}): Promise<void> {
  const found = await readDeciders(ctx, without);
  if (found.persons.length >= DECIDERS_MIN) return;
  const there =
    without.account !== undefined
      ? 'without this account there would be'
      : without.group !== undefined
        ? 'without this group there would be'
        : 'there is';
  throw tooFew(found, there);
}

function tooFew({ policyName, groups, persons }: Deciders, there: string): Problem {
  const names = persons.map((each) => each.name).join(', ') || 'nobody';
  const wanted =
    groups.length === 0
      ? 'Make another administrator first: countersign user create NAME --admin.'
      : `'${policyName}' says who decides: put people into group ${groups.map((each) => `'${each}'`).join(' or ')} first.`;
  return new Problem(
    'INVALID_STATE',
    `A policy that refuses changes needs two persons with active accounts who can decide settings, or nobody could change it again; ${there} ${names}. ${wanted}`,
  );
}

/** For `setGovernor`: looks before and after, in every workspace that refuses anything. Where there were too few before, none of them goes. */
export const keepDeciders: Keeper = async (ctx, work, { accounts: lost = [], isClaimed = false }) => {
  await lockAccess(ctx);
  const places = await listPlaces(ctx);
  const before: { readonly count: number; readonly isLocked: boolean }[] = [];
  for (const place of places)
    before.push({ count: (await readDeciders(place)).persons.length, isLocked: (await whyLocked(place)) !== undefined });
  const done = await work();
  for (const [index, place] of places.entries()) {
    const { persons, ...found } = await readDeciders(place);
    const left = { ...found, persons: persons.filter(({ id }) => !lost.includes(id)) };
    const { count = 0, isLocked = true } = before[index] ?? {};
    const why = isLocked ? undefined : await whyLocked(place, lost);
    if (left.persons.length >= Math.min(DECIDERS_MIN, count) && why === undefined) continue;
    if (!isClaimed) throw why === undefined ? tooFew(left, 'after this change there would be') : new Problem('INVALID_STATE', why);
    // Whom the provider let go decides nothing more: the rest is the host's owner's.
    record(place, { type: 'setting.deciders-lost', target: 'setting:policies', data: { left: left.persons.length } });
  }
  return done;
};

/** Settings of the whole server are decided in the default one. */
async function listPlaces(ctx: TxCtx): Promise<readonly TxCtx[]> {
  const ids = await policies.listEnforcedWorkspaceIds(ctx);
  const places: TxCtx[] = [];
  for (const id of ids.length === 0 ? [] : new Set([DEFAULT_WORKSPACE_ID, ...ids])) {
    places.push(within(ctx, await getWorkspaceById(ctx, id)));
  }
  return places;
}
