/**
 * Who may change the settings that approvals rest on: nobody alone, as soon as a policy in force refuses anything. A policy on the setting says who; where
 * none is, another manager must approve.
 */
import { RANK } from '@countersign/contract/levels.ts';
import { Problem } from '@countersign/contract/problem.ts';
import type { TxCtx } from '../../platform/context.ts';
import { listManagerIds } from '../access/access.ts';
import type { SettingChange } from '../accounts/accounts.ts';
import { record } from '../events/events.ts';
import * as people from '../people/people.ts';
import * as policies from '../policies/policies.ts';
import { DEFAULT_WORKSPACE_ID, getWorkspaceById, within } from '../workspaces/workspaces.ts';
import { settingOperation } from './operations.ts';
import { choose, type Operation, permit } from './permits.ts';
import { fallbackPolicy, findFallback } from './settings-fallback.ts';

const EVERY_WORKSPACE = -1;

/** Asked before each change of administration; answers the operation that is settled with it. */
export async function governSettingChange(ctx: TxCtx, change: SettingChange): Promise<Operation | undefined> {
  const isServerWide = change.workspaceId === EVERY_WORKSPACE;
  if (!(await policies.hasEnforcedAnywhere(ctx))) return undefined;
  const at = within(ctx, await getWorkspaceById(ctx, isServerWide ? DEFAULT_WORKSPACE_ID : change.workspaceId));
  if (change.loses !== undefined) await demandDeciders(at, change.loses);
  if (change.names !== undefined && !(await isNamed(ctx, change))) return undefined;
  if ((await findFallback(at)) === undefined) return undefined;
  if (ctx.principal.kind === 'local') {
    // Whoever owns the host needs no approval, and leaves a mark.
    record(at, {
      type: 'setting.changed-on-host',
      target: `setting:${change.setting}`,
      data: { setting: change.setting },
      texts: { words: change.words },
    });
    return undefined;
  }
  const operation = await settingOperation(at, change.setting, change.words);
  await permit(at, operation);
  return operation;
}

/** Whether a policy in force, of the workspace or, for what holds in all of them, of any, names the group, level, permission or check. */
async function isNamed(ctx: TxCtx, { names = {}, workspaceId }: SettingChange): Promise<boolean> {
  const inForce =
    workspaceId === EVERY_WORKSPACE
      ? await policies.listInForceEverywhere(ctx)
      : (await policies.getInForce(within(ctx, { id: workspaceId, name: '' }))).policies;
  return inForce.some(({ document }) => {
    const { requirements, rollback, break_glass } = document;
    const roles = [...requirements.approvals, ...(rollback?.roles ?? [])];
    const groups = [...roles.map((role) => role.group), requirements.breaking_signature_needs?.group];
    const { group, level, permission, checks } = names;
    return (
      (group !== undefined && groups.includes(group)) ||
      (level !== undefined && roles.some((role) => role.level !== undefined && RANK[level] >= RANK[role.level])) ||
      (permission !== undefined && break_glass?.permission === permission) ||
      (checks ?? []).some((check) => requirements.checks.some(({ name }) => check === '*' || name === check))
    );
  });
}

const DECIDERS_MIN = 2;

/** INVALID_STATE unless two persons can decide settings, without the one that is to go. */
export async function demandDeciders(ctx: TxCtx, without?: number): Promise<void> {
  const inForce = await policies.holdInForce(ctx);
  const chosen = await choose(ctx, inForce, { kind: 'setting', setting: 'policies' }, undefined);
  const policy = chosen?.document.mode === 'enforce' ? chosen : await fallbackPolicy();
  const roles = policy.document.requirements.approvals;
  const groups = roles.flatMap((role) => role.group ?? []);
  const ids = await listManagerIds(ctx);
  const { principals } = await people.readPeople(ctx, { ids, groups, model: undefined, changedSince: ctx.clock.now() });
  const deciders = principals.filter(
    (each) =>
      each.kind === 'user' &&
      each.isActive &&
      each.id !== without &&
      roles.some((role) => (role.group === undefined ? each.level === 'MANAGE' : each.groups.includes(role.group))),
  );
  if (deciders.length >= DECIDERS_MIN) return;
  const names = deciders.map((each) => each.name).join(', ') || 'nobody';
  throw new Problem(
    'INVALID_STATE',
    `A policy that refuses changes needs two persons with active accounts who can decide settings, or nobody could change it again; ${
      without === undefined ? 'there is' : 'without this account there would be'
    } ${names}. Make another administrator first: countersign user create NAME --admin.`,
  );
}
