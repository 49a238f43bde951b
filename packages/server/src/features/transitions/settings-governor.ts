/**
 * Who may change the settings that approvals rest on: nobody alone, as soon as a policy in force refuses anything. A policy on the setting says who; where
 * none is, another manager must approve.
 */
import { RANK } from '@countersign/contract/levels.ts';
import type { Policy } from '@countersign/contract/policies.ts';
import type { TxCtx } from '../../platform/context.ts';
import { type Grant, listOfSubject } from '../access/access.ts';
import { lockAccess, type SettingChange } from '../accounts/accounts.ts';
import { record } from '../events/events.ts';
import * as namedPermissions from '../named-permissions/named-permissions.ts';
import * as policies from '../policies/policies.ts';
import { DEFAULT_WORKSPACE_ID, getWorkspaceById, within } from '../workspaces/workspaces.ts';
import { settingOperation } from './operations.ts';
import { type Operation, permit } from './permits.ts';
import { demandDeciders } from './settings-deciders.ts';
import { findFallback } from './settings-fallback.ts';

const EVERY_WORKSPACE = -1;

/** Asked before each change of administration; answers the operation that is settled with it. */
export async function governSettingChange(ctx: TxCtx, asked: SettingChange): Promise<Operation | undefined> {
  await lockAccess(ctx);
  if (!(await policies.hasEnforcedAnywhere(ctx))) return undefined;
  const given = await givenByGroup(ctx, asked.names?.groupId);
  // A group of one workspace may have something in others.
  const isBeyond = given.grants.some((grant) => grant.workspaceId !== asked.workspaceId);
  const change = isBeyond ? { ...asked, workspaceId: EVERY_WORKSPACE } : asked;
  const isServerWide = change.workspaceId === EVERY_WORKSPACE;
  const at = within(ctx, await getWorkspaceById(ctx, isServerWide ? DEFAULT_WORKSPACE_ID : change.workspaceId));
  const isGoverned = change.names === undefined || (await isNamed(ctx, change, given));
  // Whoever leaves a group that decides nothing loses nothing.
  if (change.loses !== undefined && (isGoverned || change.names?.group === undefined))
    await demandDeciders(at, change.loses === 'group' ? { group: change.names?.group } : { account: change.loses });
  if (!isGoverned) return undefined;
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

interface Given {
  readonly grants: readonly Grant[];
  readonly permissions: readonly string[];
}

/** What members of a group have by it. */
async function givenByGroup(ctx: TxCtx, groupId: number | undefined): Promise<Given> {
  if (groupId === undefined) return { grants: [], permissions: [] };
  return { grants: await listOfSubject(ctx, 'group', groupId), permissions: await namedPermissions.listOfGroup(ctx, groupId) };
}

/** Whether a policy in force, of the workspace or, for what holds in all of them, of any, names the group, level, permission or check. */
async function isNamed(ctx: TxCtx, { names = {}, workspaceId }: SettingChange, given: Given): Promise<boolean> {
  // Who manages a workspace decides its settings.
  if (given.grants.some(({ kind, level }) => kind === 'workspace' && level === 'MANAGE')) return true;
  const inForce =
    workspaceId === EVERY_WORKSPACE
      ? await policies.listInForceEverywhere(ctx)
      : (await policies.getInForce(within(ctx, { id: workspaceId, name: '' }))).policies;
  return inForce.some(({ document }) => {
    const { requirements, rollback, break_glass } = document;
    const roles = [...requirements.approvals, ...(rollback?.roles ?? [])];
    const groups = [...roles.map((role) => role.group), requirements.breaking_signature_needs?.group];
    const { group, level, permission, checks, reporters } = names;
    // Who leaves a group that is denied something has what he is granted elsewhere.
    const byGroup = given.grants.map((grant) => (grant.level === 'DENY' ? 'MANAGE' : grant.level));
    const levels = [level, ...byGroup].filter((each) => each !== undefined);
    const permissions = [permission, ...given.permissions].filter((each) => each !== undefined);
    return (
      (group !== undefined && groups.includes(group)) ||
      levels.some((each) => roles.some((role) => role.level !== undefined && RANK[each] >= RANK[role.level])) ||
      permissions.some((each) => break_glass?.permission === each) ||
      (reporters ?? []).some((name) => namesAccount(requirements, name)) ||
      (checks ?? []).some((check) => asksFor(requirements, check)) ||
      // An expression may speak of any.
      ((checks ?? []).length > 0 && policies.speakOf(requirements, 'checks'))
    );
  });
}

/** Itself, or a metric that it, or whatever check, reports. */
function asksFor({ checks, metrics }: Policy['requirements'], check: string): boolean {
  const names = [
    ...checks.map(({ name }) => name),
    ...metrics.flatMap((rule) => (rule.reported_by === 'check' ? [rule.check ?? '*'] : [])),
  ];
  return names.length > 0 && (check === '*' || names.includes('*') || names.includes(check));
}

/** As a reporter, or as a text in an expression. */
function namesAccount({ checks, expressions }: Policy['requirements'], name: string): boolean {
  const words = [`"${name}"`, `'${name}'`];
  return (
    checks.some(({ reporter }) => reporter === name) || (expressions ?? []).some(({ that }) => words.some((each) => that.includes(each)))
  );
}
