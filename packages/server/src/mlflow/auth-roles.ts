/** Roles as upstream shows them: groups, and for each account a private one in each workspace where something was granted to it directly. */
import { notFound } from '@countersign/contract/problem.ts';
import * as access from '../features/access/access.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as groups from '../features/groups/groups.ts';
import { type Ctx, reading } from '../platform/context.ts';
import { workspaceNames } from './auth-callers.ts';
import { toWire, type WireGrant } from './auth-grants.ts';

export interface Role {
  readonly id: number;
  readonly name: string;
  /** -1: in every workspace. */
  readonly workspaceId: number;
  readonly description: string | null;
  readonly subjectKind: access.SubjectKind;
  readonly subjectId: number;
  /** Undefined: the private role of an account. */
  readonly group: groups.Group | undefined;
}

export interface WireRole {
  readonly id: number;
  readonly name: string;
  readonly workspace: string;
  readonly description: string | null;
  readonly permissions: readonly (WireGrant & { readonly role_id: number })[];
}

/** A role with its grants; whom it is shown to is told by the workspace. */
export interface ShownRole {
  readonly role: Role;
  readonly grants: readonly access.Grant[];
  readonly wire: WireRole;
}

/** Ids of groups stay below; private roles hold workspace and account in theirs, which a JSON number takes exactly. */
const PRIVATE = 2 ** 32;

function privateRole(workspaceId: number, accountId: number): Role {
  return {
    id: (workspaceId + 2) * PRIVATE + accountId,
    name: `__user_${accountId}__`,
    workspaceId,
    description: null,
    subjectKind: 'principal',
    subjectId: accountId,
    group: undefined,
  };
}

export function roleOfGroup(group: groups.Group): Role {
  const { id, name, workspaceId, description } = group;
  return { id, name, workspaceId, description, subjectKind: 'group', subjectId: id, group };
}

export async function findRole(ctx: Ctx, id: number): Promise<Role | undefined> {
  if (id < PRIVATE) {
    const group = Number.isSafeInteger(id) && id > 0 ? await groups.findById(ctx, id) : undefined;
    return group && roleOfGroup(group);
  }
  const account = await accounts.findAccount(reading(ctx), id % PRIVATE);
  if (account === undefined || account.kind === 'local' || account.state === 'deleted') return undefined;
  return privateRole(Math.floor(id / PRIVATE) - 2, account.id);
}

export function absentRole(id: number | bigint): Error {
  return notFound(`Role with id=${id} not found`);
}

/** The role that a grant belongs to. */
export async function roleOfGrant(ctx: Ctx, grant: access.Grant): Promise<Role | undefined> {
  return grant.subjectKind === 'group' ? findRole(ctx, grant.subjectId) : privateRole(grant.workspaceId, grant.subjectId);
}

/** In the order of the roles. */
export async function showRoles(ctx: Ctx, roles: readonly Role[]): Promise<ShownRole[]> {
  const of = (kind: access.SubjectKind): number[] => roles.filter((role) => role.subjectKind === kind).map((role) => role.subjectId);
  const grants = [
    ...(await access.listOfSubjects(ctx, 'group', of('group'))),
    ...(await access.listOfSubjects(ctx, 'principal', of('principal'))),
  ];
  return assemble(ctx, roles, grants);
}

async function assemble(ctx: Ctx, roles: readonly Role[], grants: readonly access.Grant[]): Promise<ShownRole[]> {
  const names = await workspaceNames(ctx);
  const byRole = Map.groupBy(await toWire(ctx, grants), ({ grant }) =>
    grant.subjectKind === 'group' ? grant.subjectId : privateRole(grant.workspaceId, grant.subjectId).id,
  );
  return roles.map((role) => {
    const own = byRole.get(role.id) ?? [];
    return {
      role,
      grants: own.map((each) => each.grant),
      wire: {
        id: role.id,
        name: role.name,
        workspace: names.get(role.workspaceId) ?? String(role.workspaceId),
        description: role.description,
        permissions: own.map(({ wire }) => ({ ...wire, role_id: role.id })),
      },
    };
  });
}

/** The roles of accounts, by account: groups first, then private ones where something was granted. */
export async function listRolesOf(ctx: Ctx, accountIds: readonly number[]): Promise<ReadonlyMap<number, readonly ShownRole[]>> {
  const memberships = await groups.listOfAccounts(ctx, accountIds);
  const direct = Map.groupBy(await access.listOfSubjects(ctx, 'principal', accountIds), (grant) => grant.subjectId);
  const ofGroups = new Map([...memberships.values()].flat().map((group) => [group.id, roleOfGroup(group)]));
  const privates = [...direct].flatMap(([id, grants]) =>
    [...new Set(grants.map((grant) => grant.workspaceId))].map((workspaceId) => privateRole(workspaceId, id)),
  );
  const grants = [...(await access.listOfSubjects(ctx, 'group', [...ofGroups.keys()])), ...[...direct.values()].flat()];
  const shown = await assemble(ctx, [...ofGroups.values(), ...privates], grants);
  const byId = new Map(shown.map((each) => [each.role.id, each]));
  return new Map(
    accountIds.map((id) => [
      id,
      [
        ...(memberships.get(id) ?? []).flatMap((group) => byId.get(group.id) ?? []),
        ...privates.filter((role) => role.subjectId === id).flatMap((role) => byId.get(role.id) ?? []),
      ],
    ]),
  );
}
