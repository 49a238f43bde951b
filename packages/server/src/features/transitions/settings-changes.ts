/** Changes of what approvals rest on: which policies are in force, what is blocked, and whose glass may be broken. */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { notFound, Problem } from '@countersign/contract/problem.ts';
import type { TxCtx } from '../../platform/context.ts';
import { type Governor, lockAccess } from '../accounts/accounts.ts';
import * as blocks from '../blocks/blocks.ts';
import * as breakGlass from '../break-glass/break-glass.ts';
import * as people from '../people/people.ts';
import * as policies from '../policies/policies.ts';
import { DEFAULT_WORKSPACE_ID, getWorkspaceById, within } from '../workspaces/workspaces.ts';
import { settingOperation } from './operations.ts';
import { AS_CALLER, permit, unasked } from './permits.ts';
import { whyLocked } from './satisfiability.ts';
import { demandDeciders } from './settings-deciders.ts';
import { governSettingChange } from './settings-governor.ts';
import { settle } from './settlement.ts';
import { stagesOf } from './workspace-stages.ts';

export interface PolicyChanges {
  /** YAML or JSON, each with digests that a rollback may bring back although they stood there before. */
  readonly published: readonly { readonly text: string; readonly listedDigests: readonly string[] }[];
  /** Names. */
  readonly withdrawn: readonly string[];
}

/** The documents with their names; before the transaction, since the parser is loaded when the first policy comes. */
export function readPolicies({ published }: PolicyChanges): Promise<policies.NewPolicy[]> {
  return Promise.all(
    published.map(async ({ text, listedDigests }) => ({ ...(await policies.readPolicy(text)), source: text, listedDigests })),
  );
}

/** Governed as the setting 'policies'. Answers those that were published, as they are in force then. */
export async function putPolicies(
  ctx: TxCtx,
  published: readonly policies.NewPolicy[],
  withdrawn: readonly string[],
): Promise<readonly policies.PublishedPolicy[]> {
  await lockAccess(ctx);
  const stages = await stagesOf(ctx);
  const changed = await policies.effectOf(ctx, { published, withdrawn }, stages);
  const words = [
    ...changed.published.map(({ document, hash, listedDigests }) => ['publish', document.name, hash, ...listedDigests].join(' ')),
    ...changed.withdrawn.map((name) => `withdraw ${name}`),
  ];
  if (words.length > 0) {
    const operation = await settingOperation(ctx, 'policies', words.join(', '));
    const allowed = await permit(ctx, operation);
    await policies.replace(ctx, allowed, changed, stages);
    if ((await policies.getInForce(ctx)).isEnforced) {
      await demandDeciders(ctx);
      const why = await whyLocked(ctx);
      if (why !== undefined) throw new Problem('INVALID_STATE', why);
    }
    await settle(ctx, operation, allowed, AS_CALLER);
  }
  // One after another: a transaction has one connection.
  const inForce: policies.PublishedPolicy[] = [];
  for (const { document } of published) inForce.push(await policies.get(ctx, document.name));
  return inForce;
}

/** For `setGovernor`: each change of administration comes by here. */
export const governSetting: Governor = async (ctx, change) => {
  const operation = await governSettingChange(ctx, change);
  if (operation?.workspace !== undefined)
    await settle(within(ctx, operation.workspace), operation, unasked(), { by: 'caller', isAnswer: true });
};

/** A block holds until somebody else agrees that it ends. */
export async function endBlock(ctx: TxCtx, digest: string, reason: string, reach: blocks.Reach): Promise<void> {
  await lockAccess(ctx);
  const id = await blocks.getIdForLift(ctx, digest, reach);
  // One of all workspaces ends by the policies of the default one, wherever the caller is.
  const at = reach.isServerWide ? within(ctx, await getWorkspaceById(ctx, DEFAULT_WORKSPACE_ID)) : ctx;
  const operation = await settingOperation(at, 'blocks', `lift block ${id} of ${digest}`);
  const allowed = await permit(at, operation);
  await blocks.lift(ctx, allowed, digest, reason, reach);
  await settle(at, operation, allowed, AS_CALLER);
}

export interface BreakGlassWish {
  readonly policyName: string;
  readonly reason: string;
  readonly ticket: string;
}

/**
 * A way past a policy in force, by a person whom it lets, for as long as it says. RESOURCE_DOES_NOT_EXIST without such a policy, INVALID_STATE where it
 * has no break-glass.
 */
export async function breakOpen(ctx: TxCtx, wish: BreakGlassWish): Promise<breakGlass.Opening> {
  const { policies: inForce } = await policies.getInForce(ctx);
  const policy = inForce.find(({ document }) => document.name === wish.policyName);
  if (policy === undefined) throw notFound(`No policy named '${clip(wish.policyName)}' is in force.`);
  const rule = policy.document.break_glass;
  if (rule === undefined) throw new Problem('INVALID_STATE', `Policy '${wish.policyName}' has no break-glass. Open a request.`);
  await demandNamedPermission(ctx, rule.permission);
  return breakGlass.open(ctx, { ...wish, minutes: rule.minutes });
}

async function demandNamedPermission(ctx: TxCtx, permission: string): Promise<void> {
  const { id, name } = ctx.principal;
  const { principals } = await people.readPeople(ctx, { ids: [id], groups: [], model: undefined, changedSince: ctx.clock.now() });
  if (principals.some((each) => each.id === id && each.kind === 'user' && each.isActive && each.permissions.includes(permission))) return;
  throw new Problem(
    'PERMISSION_DENIED',
    `Permission denied: '${clip(name)}' is no person with the permission '${permission}'. Somebody who has it opens it and makes the change.`,
  );
}
