/** Groups of accounts: what may be asked. */
import { Type } from 'typebox';
import { AccountName } from './accounts.ts';
import { endpoint } from './endpoint.ts';
import { closed, Done, Id, Limit, NextPageToken, NO_PARAMS, named, nullable, PageToken, PrincipalRef, Time } from './schemas.ts';
import { TimeText } from './time.ts';

const GroupName = Type.String({ minLength: 1, maxLength: 250, description: "Name of the group; in a path percent-encode a '/' as %2F." });
const Description = Type.String({ maxLength: 5000 });
const ByGroup = closed({ name: GroupName });
const ByMember = closed({ name: GroupName, member: AccountName });
const Paged = closed({ limit: Limit, page_token: PageToken });

export const GroupSchema = named('Group', {
  id: Id,
  name: GroupName,
  description: nullable(Type.String()),
  created_at: Time,
});

export const groupEndpoints = [
  endpoint({
    id: 'listGroups',
    noun: 'groups',
    method: 'GET',
    path: '/api/v1/groups',
    permission: 'server.admin',
    summary: 'List groups, in the order in which they were made.',
    params: NO_PARAMS,
    query: Paged,
    output: named('GroupPage', { groups: Type.Array(GroupSchema), next_page_token: NextPageToken }),
  }),
  endpoint({
    id: 'createGroup',
    noun: 'groups',
    method: 'POST',
    path: '/api/v1/groups',
    permission: 'server.admin',
    summary: 'Create a group of accounts.',
    params: NO_PARAMS,
    body: closed({ name: GroupName, description: Type.Optional(Description) }),
    output: GroupSchema,
    status: 201,
  }),
  endpoint({
    id: 'getGroup',
    noun: 'groups',
    method: 'GET',
    path: '/api/v1/groups/{name}',
    permission: 'server.admin',
    summary: 'Get a group.',
    params: ByGroup,
    output: GroupSchema,
  }),
  endpoint({
    id: 'updateGroup',
    noun: 'groups',
    method: 'PATCH',
    path: '/api/v1/groups/{name}',
    permission: 'server.admin',
    summary: 'Change name or description of a group.',
    description: 'Members and grants stay.',
    params: ByGroup,
    body: closed({ name: Type.Optional(GroupName), description: Type.Optional(nullable(Description, 'null takes it away.')) }),
    output: GroupSchema,
  }),
  endpoint({
    id: 'deleteGroup',
    noun: 'groups',
    method: 'DELETE',
    path: '/api/v1/groups/{name}',
    permission: 'server.admin',
    summary: 'Delete a group with its memberships and grants.',
    params: ByGroup,
    output: Done,
  }),
  endpoint({
    id: 'listGroupMembers',
    noun: 'groups',
    method: 'GET',
    path: '/api/v1/groups/{name}/members',
    permission: 'server.admin',
    summary: 'List members of a group, now or at a time.',
    description: 'With `as_of`, as the events up to then tell; of the group that has the name today.',
    params: ByGroup,
    query: closed({ as_of: Type.Optional(TimeText), limit: Limit, page_token: PageToken }),
    output: named('MemberPage', {
      members: Type.Array(
        named('Member', {
          account: PrincipalRef,
          sources: Type.Array(Type.String(), {
            description: '`direct`: a person added it; `provider:<id>`: the identity provider says so at each sign-in.',
          }),
          added_at: Time,
        }),
      ),
      next_page_token: NextPageToken,
    }),
  }),
  endpoint({
    id: 'addGroupMember',
    noun: 'groups',
    method: 'PUT',
    path: '/api/v1/groups/{name}/members/{member}',
    permission: 'server.admin',
    summary: 'Add a user or service account to a group.',
    description: 'Adding it once more changes nothing.',
    params: ByMember,
    body: closed({}),
    output: Done,
  }),
  endpoint({
    id: 'removeGroupMember',
    noun: 'groups',
    method: 'DELETE',
    path: '/api/v1/groups/{name}/members/{member}',
    permission: 'server.admin',
    summary: 'Take a user or service account out of a group.',
    description:
      'RESOURCE_DOES_NOT_EXIST where it is no member. INVALID_STATE where the identity provider says that it is one: it would come back at the next sign-in.',
    params: ByMember,
    output: Done,
  }),
] as const;
