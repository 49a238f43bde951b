/** Whether anybody could ever satisfy a policy: said before it surprises, and refused where nobody could take it back. */
import type { GovernedTarget } from '@countersign/contract/permit.ts';
import type { Policy } from '@countersign/contract/policies.ts';
import type { Ctx, TxCtx } from '../../platform/context.ts';
import { listManagerIds } from '../access/access.ts';
import * as people from '../people/people.ts';
import * as policies from '../policies/policies.ts';
import { groupsIn } from './fact-reader.ts';
import { choose } from './permits.ts';

/** With today's members nobody could ever satisfy it. */
export interface Unsatisfiable {
  readonly policyName: string;
  /** A sentence that says what to do. */
  readonly what: string;
}

/** Of these policies. Members come and go, so that is a warning. */
export async function listUnsatisfiable(ctx: Ctx, asked: readonly policies.NamedPolicy[]): Promise<readonly Unsatisfiable[]> {
  const found: Unsatisfiable[] = [];
  for (const policy of asked) {
    const missing = await missingOf(ctx, policy, targetOf(policy.document));
    if (missing.length > 0) found.push({ policyName: policy.document.name, what: sentenceOf(policy.document, missing) });
  }
  return found;
}

/** Why nobody could ever change the policies again: a sentence. Undefined where somebody could. `lost`: who can't sign in any more. */
export async function whyLocked(ctx: TxCtx, lost: readonly number[] = []): Promise<string | undefined> {
  const target = { kind: 'setting', setting: 'policies' } as const;
  const chosen = await choose(ctx, await policies.getInForce(ctx), target, undefined);
  if (chosen?.document.mode !== 'enforce') return undefined;
  const missing = await missingOf(ctx, chosen, target, lost);
  return missing.length === 0 ? undefined : `${sentenceOf(chosen.document, missing)} It would lock the policies for ever.`;
}

/** Any of its kind: which model it is about makes no difference to groups. */
function targetOf({ match: { target } }: Policy): GovernedTarget {
  return target.setting === undefined ? { kind: 'entry' } : { kind: 'setting', setting: target.setting };
}

/** For whoever asks in the best case: from outside, or of a setting one of those who manage the workspace. Empty: it can be satisfied. */
async function missingOf(
  ctx: Ctx,
  policy: policies.NamedPolicy,
  target: GovernedTarget,
  lost: readonly number[] = [],
): Promise<readonly string[]> {
  const isSetting = target.kind === 'setting';
  const managers = isSetting ? await listManagerIds(ctx) : [];
  const question = { ids: managers, groups: groupsIn(policy), model: undefined, changedSince: ctx.clock.now() };
  const principals = (await people.readPeople(ctx, question)).principals.filter(({ id }) => !lost.includes(id));
  if (!isSetting) return policies.unreachable(policy, principals, target);
  const cases = principals
    .filter(({ id, isActive }) => isActive && managers.includes(id))
    .map((requester) => policies.unreachable(policy, principals, target, requester));
  return cases.find((each) => each.length === 0) ?? cases.at(0) ?? [];
}

function sentenceOf({ name, match }: Policy, missing: readonly string[]): string {
  const own = match.target.setting === undefined ? '' : ", as the requester's own doesn't count";
  return `With today's members nobody could ever satisfy '${name}': at most ${missing.join('; ')} can be given${own}. Put more people into the group, or ask for fewer.`;
}
