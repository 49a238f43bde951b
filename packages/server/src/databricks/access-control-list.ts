/** Who may do what to one experiment or model, or to all models of the workspace, as databricks-sdk lists it. */
import type { ObjectKind } from '@countersign/contract/access.ts';
import * as access from '../features/access/access.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as groups from '../features/groups/groups.ts';
import * as workspaces from '../features/workspaces/workspaces.ts';
import type { Ctx } from '../platform/context.ts';
import { showLevel } from './permission-levels.ts';

/** What permissions are set on. */
export interface Governed {
  readonly kind: ObjectKind;
  /** `NO_OBJECT`: all of the kind. */
  readonly objectId: number;
  readonly name: string;
}

/** Everybody who belongs to the workspace, and who administers the server: groups by these names unless there are some of one's own. */
export const ALL_MEMBERS = 'users';
export const ADMINS = 'admins';

const COLLECTION: Readonly<Record<ObjectKind, string>> = { experiment: 'experiments', 'registered-model': 'registered-models' };

export function isRoot(object: Governed): boolean {
  return object.objectId === access.NO_OBJECT;
}

function idOf(object: Governed): string {
  return `/${COLLECTION[object.kind]}/${isRoot(object) ? 'root' : object.objectId}`;
}

/** Grants on the object itself. */
export async function listDirect(ctx: Ctx, object: Governed): Promise<access.Grant[]> {
  if (isRoot(object)) return (await access.listPatterns(ctx, object.kind)).filter((grant) => isOnAll(ctx, object, grant));
  return access.listOfObject(ctx, object.kind, object.objectId);
}

function isOnAll(ctx: Ctx, object: Governed, grant: access.Grant): boolean {
  return grant.kind === object.kind && grant.prefix === '' && grant.workspaceId === ctx.workspace.id;
}

/** Those that reach it from above. Belonging to the workspace alone says nothing about it. */
async function listInherited(ctx: Ctx, object: Governed): Promise<access.Grant[]> {
  return (await access.listPatterns(ctx, object.kind)).filter((grant) => {
    if (grant.kind === 'workspace') return grant.level !== 'USE';
    return isRoot(object) ? grant.prefix === '' && !isOnAll(ctx, object, grant) : object.name.startsWith(grant.prefix);
  });
}

function sourceOf(ctx: Ctx, object: Governed, grant: access.Grant): string {
  if (grant.kind === 'workspace') return `/workspaces/${ctx.workspace.name}`;
  return `/${COLLECTION[object.kind]}/${grant.prefix === '' ? 'root' : `${grant.prefix}*`}`;
}

interface Permission {
  readonly permission_level: string;
  readonly inherited: boolean;
  readonly inherited_from_object?: readonly string[];
}

interface Row {
  readonly subject: object;
  readonly permissions: Permission[];
}

export async function answerPermissions(ctx: Ctx, object: Governed): Promise<object> {
  const direct = await listDirect(ctx, object);
  const inherited = await listInherited(ctx, object);
  const subjectOf = await nameSubjects(ctx, [...direct, ...inherited]);
  const rows = new Map<string, Row>();
  const add = (key: string, subject: object, permission: Permission): void => {
    const row = rows.get(key) ?? { subject, permissions: [] };
    row.permissions.push(permission);
    rows.set(key, row);
  };
  for (const [grants, from] of [
    [direct, () => undefined],
    [inherited, (grant: access.Grant) => sourceOf(ctx, object, grant)],
  ] as const) {
    for (const grant of grants) {
      const subject = subjectOf(grant);
      if (subject) add(keyOf(grant), subject, toPermission(showLevel(object.kind, grant.level), from(grant)));
    }
  }
  const { member_level: level } = await workspaces.getSettings(ctx);
  const fromWorkspace = `/workspaces/${ctx.workspace.name}`;
  if (level !== 'NONE') add(ALL_MEMBERS, { group_name: ALL_MEMBERS }, toPermission(showLevel(object.kind, level), fromWorkspace));
  add(ADMINS, { group_name: ADMINS }, toPermission('CAN_MANAGE', `/${COLLECTION[object.kind]}/root`));
  return {
    object_id: idOf(object),
    object_type: object.kind === 'experiment' ? 'mlflowExperiment' : 'registered-model',
    access_control_list: [...rows.values()].map(({ subject, permissions }) => ({ ...subject, all_permissions: permissions })),
  };
}

function toPermission(word: string, from: string | undefined): Permission {
  return from === undefined
    ? { permission_level: word, inherited: false }
    : { permission_level: word, inherited: true, inherited_from_object: [from] };
}

export function keyOf(subject: Pick<access.GrantKey, 'subjectKind' | 'subjectId'>): string {
  return `${subject.subjectKind} ${subject.subjectId}`;
}

/** Groups and accounts by their names; undefined for what was deleted meanwhile. */
async function nameSubjects(ctx: Ctx, grants: readonly access.Grant[]): Promise<(grant: access.Grant) => object | undefined> {
  const idsOf = (kind: access.SubjectKind): number[] => [
    ...new Set(grants.filter((grant) => grant.subjectKind === kind).map((grant) => grant.subjectId)),
  ];
  const known = new Map<string, object>();
  for (const account of await accounts.listByIds(ctx, idsOf('principal'))) {
    const name = account.kind === 'user' ? { user_name: account.name } : { service_principal_name: account.name };
    known.set(`principal ${account.id}`, { ...name, display_name: account.displayName ?? account.name });
  }
  for (const group of await groups.listByIds(ctx, idsOf('group'))) known.set(`group ${group.id}`, { group_name: group.name });
  return (grant) => known.get(keyOf(grant));
}
