/** `get_permissions`, `set_permissions`, `update_permissions` and `get_permission_levels` of databricks-sdk, for models and experiments. */
import type { ObjectKind } from '@countersign/contract/access.ts';
import type { AccessControl } from '@countersign/contract/databricks/workspace-messages.ts';
import * as messages from '@countersign/contract/databricks/workspace-messages.ts';
import { type Level, RANK } from '@countersign/contract/levels.ts';
import { clip, type MessageOf } from '@countersign/contract/mlflow/message.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import * as access from '../features/access/access.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as experiments from '../features/experiments/experiments.ts';
import * as groups from '../features/groups/groups.ts';
import * as models from '../features/models/models.ts';
import { type Rpc, rpc } from '../mlflow/rpc.ts';
import type { Ctx } from '../platform/context.ts';
import { ADMINS, ALL_MEMBERS, answerPermissions, type Governed, isRoot, keyOf, listDirect } from './access-control-list.ts';
import { levelsOf, readLevel, showLevel } from './permission-levels.ts';

const ENTRIES_MAX = 1000;

/** What isn't there is refused as what may not be seen, except to those who see all. */
async function getGoverned(ctx: Ctx, kind: ObjectKind, id: string, level: Level): Promise<Governed> {
  const object = await find(ctx, kind, id);
  if (mayDo(ctx, kind, object, level)) return object ?? refuseUnknown(kind, id);
  throw new Problem(
    'PERMISSION_DENIED',
    `Permission denied: '${clip(ctx.principal.name)}' needs ${level} on the ${kind.replace('-', ' ')} '${clip(id)}' in workspace '${ctx.workspace.name}'.`,
  );
}

function mayDo(ctx: Ctx, kind: ObjectKind, object: Governed | undefined, level: Level): boolean {
  if (object === undefined) return ctx.access.floorOf(kind) >= RANK[level];
  // What holds for all models is the workspace's to give.
  if (isRoot(object)) return level === 'MANAGE' ? ctx.access.isManager : ctx.access.isMember;
  return ctx.access.rankOf(kind, { id: object.objectId, name: object.name }) >= RANK[level];
}

async function find(ctx: Ctx, kind: ObjectKind, id: string): Promise<Governed | undefined> {
  if (id === 'root') return { kind, objectId: access.NO_OBJECT, name: '' };
  const number = /^\d{1,15}$/.test(id) ? Number(id) : -1;
  if (kind === 'experiment') {
    const experiment = await experiments.findExperiment(ctx, number);
    return experiment && { kind, objectId: experiment.id, name: experiment.name };
  }
  const model = await models.findById(ctx, number);
  return model?.deletedAt === null ? { kind, objectId: model.id, name: model.name } : undefined;
}

function refuseUnknown(kind: ObjectKind, id: string): never {
  if (kind === 'experiment') throw notFound(`No Experiment with id=${clip(id)} exists`);
  throw notFound(`No registered model has the id '${clip(id)}'. It is the id that get_model answers, not the name.`);
}

type Entry = MessageOf<typeof AccessControl>;

interface Wanted {
  readonly subjectKind: access.SubjectKind;
  readonly subjectId: number;
  readonly word: string;
  readonly level: Level;
}

/** By subject. What is inherited by everybody may be sent back as it was read, and isn't changed here. */
async function readEntries(ctx: Ctx, object: Governed, entries: readonly Entry[]): Promise<Map<string, Wanted>> {
  if (entries.length > ENTRIES_MAX) throw invalid(`access_control_list may have at most ${ENTRIES_MAX} entries.`);
  const wanted = new Map<string, Wanted>();
  for (const entry of entries) {
    const level = readLevel(object.kind, entry.permission_level);
    const subject = await findSubject(ctx, entry);
    if (subject === undefined) {
      if (entry.group_name === ADMINS && level !== 'MANAGE') {
        throw invalid(`Administrators manage everything: CAN_MANAGE of '${ADMINS}' can't be lowered.`);
      }
      if (entry.group_name === ALL_MEMBERS) {
        throw invalid(
          `What every member of a workspace may do is its setting member_level. Leave '${ALL_MEMBERS}' out, or change the setting.`,
        );
      }
      continue;
    }
    const key = keyOf(subject);
    if (wanted.has(key)) throw invalid(`access_control_list names '${clip(nameIn(entry))}' twice. Say one level for each.`);
    wanted.set(key, { ...subject, word: entry.permission_level, level });
  }
  return wanted;
}

function nameIn(entry: Entry): string {
  return entry.user_name ?? entry.group_name ?? entry.service_principal_name ?? '';
}

/** Undefined for the groups that only stand for everybody of a sort. */
async function findSubject(ctx: Ctx, entry: Entry): Promise<Pick<Wanted, 'subjectKind' | 'subjectId'> | undefined> {
  const given = [entry.user_name, entry.group_name, entry.service_principal_name].filter((each) => each);
  if (given.length !== 1) throw invalid('Each entry of access_control_list names one of user_name, group_name and service_principal_name.');
  if (entry.group_name) {
    const group = (await groups.find(ctx, entry.group_name)) ?? (await groups.find(ctx, entry.group_name, ctx.workspace.id));
    if (group) return { subjectKind: 'group', subjectId: group.id };
    if (entry.group_name === ADMINS || entry.group_name === ALL_MEMBERS) return undefined;
    throw notFound(`Principal: GroupName(${clip(entry.group_name)}) does not exist`);
  }
  const account = await accounts.findByName(ctx, nameIn(entry));
  const isFitting = account && (entry.user_name ? account.kind === 'user' : account.kind === 'service' || account.kind === 'ci');
  if (isFitting) return { subjectKind: 'principal', subjectId: account.id };
  throw notFound(`Principal: ${entry.user_name ? 'UserName' : 'ServicePrincipalName'}(${clip(nameIn(entry))}) does not exist`);
}

/**
 * A grant that reads as what is asked for stays as it is, since several of ours read alike; so does a DENY that isn't mentioned, which the SDK
 * can't say. `replaces`: grants of those who aren't mentioned go.
 */
async function change(ctx: Ctx, object: Governed, entries: readonly Entry[], replaces: boolean): Promise<object> {
  const wanted = await readEntries(ctx, object, entries);
  const direct = await listDirect(ctx, object);
  const kept = new Set<string>();
  const remove: access.Grant[] = [];
  for (const grant of direct) {
    const want = wanted.get(keyOf(grant));
    if (want && showLevel(object.kind, grant.level) === want.word && !kept.has(keyOf(grant))) kept.add(keyOf(grant));
    else if (want || (replaces && grant.level !== 'DENY')) remove.push(grant);
  }
  const place = { workspaceId: ctx.workspace.id, kind: object.kind, objectId: object.objectId, prefix: '' };
  const set = [...wanted]
    .filter(([key]) => !kept.has(key))
    .map(([, { subjectKind, subjectId, level }]) => ({ key: { ...place, subjectKind, subjectId }, level }));
  await access.changeGrants(ctx, { set, remove });
  return answerPermissions(ctx, object);
}

function permissionRpcs(collection: string, kind: ObjectKind): readonly Rpc[] {
  const path = `/permissions/${collection}/:id`;
  const options = { audience: 'api' } as const;
  const changing = async (ctx: Ctx, input: MessageOf<typeof messages.SetPermissions>, replaces: boolean): Promise<object> =>
    change(ctx, await getGoverned(ctx, kind, input.id, 'MANAGE'), input.access_control_list, replaces);
  return [
    rpc(
      'GET',
      path,
      'access.read',
      messages.GetPermissions,
      async (ctx, { id }) => answerPermissions(ctx, await getGoverned(ctx, kind, id, 'MANAGE')),
      options,
    ),
    rpc('PUT', path, 'access.manage', messages.SetPermissions, (ctx, input) => changing(ctx, input, true), options),
    rpc('PATCH', path, 'access.manage', messages.SetPermissions, (ctx, input) => changing(ctx, input, false), options),
    rpc(
      'GET',
      `${path}/permissionLevels`,
      'access.read',
      messages.GetPermissions,
      async (ctx, { id }) => {
        await getGoverned(ctx, kind, id, 'VIEW');
        return { permission_levels: levelsOf(kind).map(({ word, description }) => ({ permission_level: word, description })) };
      },
      options,
    ),
  ];
}

export const databricksPermissionRpcs: readonly Rpc[] = [
  ...permissionRpcs('registered-models', 'registered-model'),
  ...permissionRpcs('experiments', 'experiment'),
];
