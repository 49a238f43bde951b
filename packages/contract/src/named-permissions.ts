/** Permissions that policies ask for by name: what may be asked. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { closed, Done, Id, NO_PARAMS, named, oneOf, Time } from './schemas.ts';

export const HOLDER_KINDS = ['user', 'group'] as const;
export type HolderKind = (typeof HOLDER_KINDS)[number];

const PermissionName = Type.String({
  minLength: 1,
  maxLength: 100,
  description: "As a policy names it: the `permission` of its `break_glass`. In a path percent-encode a '/' as %2F.",
});
const ByHolder = closed({
  permission: PermissionName,
  kind: oneOf(HOLDER_KINDS),
  holder: Type.String({
    minLength: 1,
    maxLength: 250,
    description: "Name of the user, or of the group: the server's, or the workspace's where the server has none of the name.",
  }),
});

export const HoldingSchema = named('PermissionHolding', {
  permission: PermissionName,
  holder: closed({ kind: oneOf(HOLDER_KINDS), id: Id, name: Type.String() }),
  given_at: Time,
});
const HoldingList = named('PermissionHoldings', { holdings: Type.Array(HoldingSchema, { description: 'At most 10,000.' }) });

export const namedPermissionEndpoints = [
  endpoint({
    id: 'listNamedPermissions',
    noun: 'grants',
    method: 'GET',
    path: '/api/v1/named-permissions',
    permission: 'workspace.manage',
    summary: 'List who holds the permissions of the workspace that policies ask for by name.',
    params: NO_PARAMS,
    output: HoldingList,
  }),
  endpoint({
    id: 'listPermissionHolders',
    noun: 'grants',
    method: 'GET',
    path: '/api/v1/named-permissions/{permission}/holders',
    permission: 'workspace.manage',
    summary: 'List who holds a named permission.',
    params: closed({ permission: PermissionName }),
    output: HoldingList,
  }),
  endpoint({
    id: 'giveNamedPermission',
    noun: 'grants',
    method: 'PUT',
    path: '/api/v1/named-permissions/{permission}/holders/{kind}/{holder}',
    permission: 'workspace.manage',
    summary: 'Give a user, or the users in a group, a named permission.',
    description: 'Giving it once more changes nothing. Service accounts and CI jobs never hold one, whatever group they are in.',
    params: ByHolder,
    body: closed({}),
    output: Done,
  }),
  endpoint({
    id: 'takeNamedPermission',
    noun: 'grants',
    method: 'DELETE',
    path: '/api/v1/named-permissions/{permission}/holders/{kind}/{holder}',
    permission: 'workspace.manage',
    summary: 'Take a named permission from a user or a group.',
    description: 'RESOURCE_DOES_NOT_EXIST where it was not given to it.',
    params: ByHolder,
    output: Done,
  }),
] as const;
