/** People and service accounts: what may be asked. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { LEVELS } from './levels.ts';
import { closed, Done, Id, Limit, NextPageToken, NO_PARAMS, named, nullable, oneOf, PageToken, PrincipalRef, Time } from './schemas.ts';

export const AccountName = Type.String({
  minLength: 1,
  maxLength: 250,
  description: "Name of the account; in a path percent-encode a '/' as %2F.",
});
const DisplayName = Type.String({ maxLength: 250 });
const Email = Type.String({ maxLength: 320 });
const Password = Type.String({ minLength: 1, maxLength: 1024, writeOnly: true, description: 'At least 12 characters. Never shown again.' });

/** Of an account that is there. */
const State = oneOf(['active', 'disabled', 'deleted']);

const accountMembers = {
  id: Id,
  name: Type.String(),
  display_name: nullable(Type.String()),
  state: State,
  created_at: Time,
};

export const UserSchema = named('User', {
  ...accountMembers,
  email: nullable(Type.String()),
  is_admin: Type.Boolean({ description: 'Administers the whole server.' }),
  has_password: Type.Boolean({ description: 'Without one, single sign-on or a token is the way in.' }),
});

export const ServiceAccountSchema = named('ServiceAccount', {
  ...accountMembers,
  owner: nullable(PrincipalRef, 'Who answers for it, and makes its tokens.'),
});

const LevelOnAll = nullable(oneOf(LEVELS), 'What the caller has on every one of them at least; null for nothing.');

export const ByAccount = closed({ name: AccountName });
const RevokeTokens = Type.Optional(
  Type.Boolean({ description: 'Revoke all tokens for good, too. Without it they live on; browsers are signed out anyway.' }),
);
const Paged = closed({ limit: Limit, page_token: PageToken });

export const accountEndpoints = [
  endpoint({
    id: 'getMe',
    noun: 'accounts',
    method: 'GET',
    path: '/api/v1/me',
    permission: 'account.self',
    summary: 'Who the caller is, and what he may do in the workspace.',
    params: NO_PARAMS,
    output: named('Me', {
      principal: PrincipalRef,
      display_name: nullable(Type.String()),
      email: nullable(Type.String()),
      groups: Type.Array(Type.String()),
      workspace: Type.String(),
      access: closed({
        is_admin: Type.Boolean({ description: 'Administers the server.' }),
        is_manager: Type.Boolean({ description: 'Administers the workspace.' }),
        may_create: Type.Boolean({ description: 'May make models and experiments here.' }),
        level_on_models: LevelOnAll,
        level_on_experiments: LevelOnAll,
      }),
      token: nullable(
        closed({ scopes: Type.Array(Type.String(), { description: '`read`, `write`, `admin`, `run:<id>`, `check:<name>`.' }) }),
        'What the token in use is limited to; null where none is in use.',
      ),
    }),
  }),
  endpoint({
    id: 'updateMe',
    noun: 'accounts',
    method: 'PATCH',
    path: '/api/v1/me',
    permission: 'account.edit',
    summary: 'Change how the caller is shown.',
    params: NO_PARAMS,
    body: closed({ display_name: Type.Optional(nullable(DisplayName)), email: Type.Optional(nullable(Email)) }),
    output: UserSchema,
  }),
  endpoint({
    id: 'setMyPassword',
    noun: 'accounts',
    method: 'PUT',
    path: '/api/v1/me/password',
    permission: 'account.edit',
    summary: "Change the caller's password.",
    description: 'UNAUTHENTICATED for a wrong current one; where there is none yet, it is left out. Browsers are signed out.',
    params: NO_PARAMS,
    body: closed({ current_password: Type.Optional(Password), password: Password, revoke_tokens: RevokeTokens }),
    output: Done,
  }),
  endpoint({
    id: 'listUsers',
    noun: 'accounts',
    method: 'GET',
    path: '/api/v1/users',
    permission: 'server.admin',
    summary: 'List users, in the order in which they were made.',
    params: NO_PARAMS,
    query: Paged,
    output: named('UserPage', { users: Type.Array(UserSchema), next_page_token: NextPageToken }),
  }),
  endpoint({
    id: 'createUser',
    noun: 'accounts',
    method: 'POST',
    path: '/api/v1/users',
    permission: 'server.admin',
    summary: 'Create a user.',
    description:
      'The first one must be an administrator: from then on everybody has to sign in. INVALID_STATE else, RESOURCE_ALREADY_EXISTS for a taken name.',
    params: NO_PARAMS,
    body: closed({
      name: AccountName,
      display_name: Type.Optional(DisplayName),
      email: Type.Optional(Email),
      password: Type.Optional(Password),
      is_admin: Type.Optional(Type.Boolean()),
    }),
    output: UserSchema,
    status: 201,
  }),
  endpoint({
    id: 'getUser',
    noun: 'accounts',
    method: 'GET',
    path: '/api/v1/users/{name}',
    permission: 'server.admin',
    summary: 'Get a user.',
    params: ByAccount,
    output: UserSchema,
  }),
  endpoint({
    id: 'updateUser',
    noun: 'accounts',
    method: 'PATCH',
    path: '/api/v1/users/{name}',
    permission: 'server.admin',
    summary: 'Change name, display name or address of a user.',
    description: 'Grants, groups and tokens stay: they belong to the account, not to its name.',
    params: ByAccount,
    body: closed({
      name: Type.Optional(AccountName),
      display_name: Type.Optional(nullable(DisplayName)),
      email: Type.Optional(nullable(Email)),
    }),
    output: UserSchema,
  }),
  endpoint({
    id: 'setUserPassword',
    noun: 'accounts',
    method: 'PUT',
    path: '/api/v1/users/{name}/password',
    permission: 'server.admin',
    summary: 'Give a user another password, or take it away.',
    description: 'Browsers are signed out.',
    params: ByAccount,
    body: closed({ password: nullable(Password, 'null takes it away.'), revoke_tokens: RevokeTokens }),
    output: Done,
  }),
  endpoint({
    id: 'setUserAdmin',
    noun: 'accounts',
    method: 'PUT',
    path: '/api/v1/users/{name}/admin',
    permission: 'server.admin',
    summary: 'Make a user an administrator of the server, or no longer one.',
    description: 'INVALID_STATE for the last active administrator.',
    params: ByAccount,
    body: closed({ is_admin: Type.Boolean() }),
    output: UserSchema,
  }),
  endpoint({
    id: 'disableUser',
    noun: 'accounts',
    method: 'POST',
    path: '/api/v1/users/{name}/disable',
    permission: 'server.admin',
    summary: 'Keep a user out, by whatever password or token.',
    description:
      'Grants and groups stay. Tokens work again after enabling, unless they are revoked. INVALID_STATE for the last active administrator.',
    params: ByAccount,
    body: closed({ revoke_tokens: RevokeTokens }),
    output: UserSchema,
  }),
  endpoint({
    id: 'enableUser',
    noun: 'accounts',
    method: 'POST',
    path: '/api/v1/users/{name}/enable',
    permission: 'server.admin',
    summary: 'Let a disabled user in again.',
    params: ByAccount,
    body: closed({}),
    output: UserSchema,
  }),
  endpoint({
    id: 'deleteUser',
    noun: 'accounts',
    method: 'DELETE',
    path: '/api/v1/users/{name}',
    permission: 'server.admin',
    summary: 'Delete a user with tokens, memberships and grants.',
    description:
      'The name may be given again, to a new account. INVALID_STATE for the last active administrator and for an owner of service accounts.',
    params: ByAccount,
    output: Done,
  }),
  endpoint({
    id: 'eraseUser',
    noun: 'accounts',
    method: 'POST',
    path: '/api/v1/users/{name}/erase',
    permission: 'server.admin',
    summary: 'Erase a person for ever: the account, and what says whose it was.',
    description:
      'Name, display name and address go from the account, which is deleted, and from beside the events about it, which stay: the chain still verifies. ' +
      'A user that was deleted before is found by its old name; where several had it, `id` says which.',
    params: ByAccount,
    body: closed({
      confirm: Type.String({ description: 'The name again, so that nobody is erased by mistake.' }),
      id: Type.Optional(Id),
    }),
    output: named('ErasedUser', {
      id: Id,
      name: Type.String({ description: 'What the account is called now.' }),
      erased_texts: Type.Integer({ description: 'Texts beside events that are gone.' }),
    }),
  }),
  endpoint({
    id: 'listServiceAccounts',
    noun: 'accounts',
    method: 'GET',
    path: '/api/v1/service-accounts',
    permission: 'account',
    summary: 'List service accounts: all for an administrator, his own for anybody else.',
    params: NO_PARAMS,
    query: Paged,
    output: named('ServiceAccountPage', { service_accounts: Type.Array(ServiceAccountSchema), next_page_token: NextPageToken }),
  }),
  endpoint({
    id: 'createServiceAccount',
    noun: 'accounts',
    method: 'POST',
    path: '/api/v1/service-accounts',
    permission: 'server.admin',
    summary: 'Create a service account, for a job or a program. It signs in by tokens.',
    params: NO_PARAMS,
    body: closed({
      name: AccountName,
      display_name: Type.Optional(DisplayName),
      owner: Type.Optional(Type.String({ description: 'Name of the user who answers for it; the caller where it is left out.' })),
    }),
    output: ServiceAccountSchema,
    status: 201,
  }),
  endpoint({
    id: 'getServiceAccount',
    noun: 'accounts',
    method: 'GET',
    path: '/api/v1/service-accounts/{name}',
    permission: 'account',
    summary: 'Get a service account: for administrators and its owner.',
    params: ByAccount,
    output: ServiceAccountSchema,
  }),
  endpoint({
    id: 'updateServiceAccount',
    noun: 'accounts',
    method: 'PATCH',
    path: '/api/v1/service-accounts/{name}',
    permission: 'server.admin',
    summary: 'Change name, display name or owner of a service account.',
    params: ByAccount,
    body: closed({
      name: Type.Optional(AccountName),
      display_name: Type.Optional(nullable(DisplayName)),
      owner: Type.Optional(Type.String({ description: 'Name of a user.' })),
    }),
    output: ServiceAccountSchema,
  }),
  endpoint({
    id: 'disableServiceAccount',
    noun: 'accounts',
    method: 'POST',
    path: '/api/v1/service-accounts/{name}/disable',
    permission: 'server.admin',
    summary: 'Keep a service account out, by whatever token.',
    params: ByAccount,
    body: closed({ revoke_tokens: RevokeTokens }),
    output: ServiceAccountSchema,
  }),
  endpoint({
    id: 'enableServiceAccount',
    noun: 'accounts',
    method: 'POST',
    path: '/api/v1/service-accounts/{name}/enable',
    permission: 'server.admin',
    summary: 'Let a disabled service account in again.',
    params: ByAccount,
    body: closed({}),
    output: ServiceAccountSchema,
  }),
  endpoint({
    id: 'deleteServiceAccount',
    noun: 'accounts',
    method: 'DELETE',
    path: '/api/v1/service-accounts/{name}',
    permission: 'server.admin',
    summary: 'Delete a service account with tokens, memberships and grants.',
    params: ByAccount,
    output: Done,
  }),
] as const;
