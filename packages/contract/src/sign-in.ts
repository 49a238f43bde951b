/** Identity providers for single sign-on, and which account a person there is: what may be asked. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { closed, Done, Id, Limit, NextPageToken, NO_PARAMS, named, PageToken, PrincipalRef, Time } from './schemas.ts';

const ProviderName = Type.String({ minLength: 1, maxLength: 63, description: 'Lowercase letters, digits and `-`.' });
const Secret = Type.String({
  maxLength: 2000,
  writeOnly: true,
  description: 'Stored encrypted, never shown again. Empty: none, a public client.',
});
const Mapping = Type.Array(
  closed({
    value: Type.String({ minLength: 1, maxLength: 500, description: 'A value of the groups claim.' }),
    group: Type.String({ minLength: 1, maxLength: 250, description: 'Name of the group that it stands for.' }),
  }),
  { maxItems: 1000 },
);

const settings = {
  scopes: Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
    maxItems: 50,
    description: 'What the provider is asked for; `openid profile email` where it is left out.',
  }),
  name_claim: Type.String({
    minLength: 1,
    maxLength: 200,
    description:
      'Claim that a new account is named by: `preferred_username` where it is left out. Without it the mail address, then the subject.',
  }),
  groups_claim: Type.String({ minLength: 1, maxLength: 200, description: '`groups` where it is left out; a path with dots is followed.' }),
  groups: Mapping,
  groups_by_name: Type.Boolean({ description: 'A claim value that is not mapped means the group of the same name. Default: false.' }),
  creates_accounts: Type.Boolean({ description: 'People who are not known get an account. Default: true.' }),
  asks_verified_email: Type.Boolean({ description: 'The provider must say that it verified the mail address. Default: false.' }),
};

export const ProviderSchema = named('IdentityProvider', {
  id: Id,
  name: ProviderName,
  issuer: Type.String(),
  client_id: Type.String(),
  has_client_secret: Type.Boolean(),
  ...settings,
  created_at: Time,
  updated_at: Time,
});

const optional = {
  scopes: Type.Optional(settings.scopes),
  name_claim: Type.Optional(settings.name_claim),
  groups_claim: Type.Optional(settings.groups_claim),
  groups: Type.Optional(settings.groups),
  groups_by_name: Type.Optional(settings.groups_by_name),
  creates_accounts: Type.Optional(settings.creates_accounts),
  asks_verified_email: Type.Optional(settings.asks_verified_email),
};
const ClientId = Type.String({ minLength: 1, maxLength: 500 });
const ByProvider = closed({ provider: ProviderName });
const Subject = Type.String({ minLength: 1, maxLength: 255, description: "The provider's own id of the person, its claim `sub`." });

const IdentitySchema = named('LinkedIdentity', { subject: Subject, account: PrincipalRef, linked_at: Time });

export const signInEndpoints = [
  endpoint({
    id: 'listIdentityProviders',
    noun: 'sign-in',
    method: 'GET',
    path: '/api/v1/identity-providers',
    permission: 'server.admin',
    summary: 'List identity providers, by name; there are at most 100.',
    params: NO_PARAMS,
    output: named('IdentityProviderList', { providers: Type.Array(ProviderSchema) }),
  }),
  endpoint({
    id: 'addIdentityProvider',
    noun: 'sign-in',
    method: 'POST',
    path: '/api/v1/identity-providers',
    permission: 'server.admin',
    summary: 'Add an OpenID Connect provider that people sign in by.',
    description: 'It must answer at its issuer. Register `<public URL>/login/callback` as redirect URI there.',
    params: NO_PARAMS,
    body: closed({
      name: ProviderName,
      issuer: Type.String({ minLength: 1, maxLength: 500, description: 'https, exactly as its discovery document names it.' }),
      client_id: ClientId,
      client_secret: Type.Optional(Secret),
      ...optional,
    }),
    output: ProviderSchema,
    status: 201,
  }),
  endpoint({
    id: 'getIdentityProvider',
    noun: 'sign-in',
    method: 'GET',
    path: '/api/v1/identity-providers/{provider}',
    permission: 'server.admin',
    summary: 'Get an identity provider.',
    params: ByProvider,
    output: ProviderSchema,
  }),
  endpoint({
    id: 'changeIdentityProvider',
    noun: 'sign-in',
    method: 'PATCH',
    path: '/api/v1/identity-providers/{provider}',
    permission: 'server.admin',
    summary: 'Change an identity provider. Its issuer stays.',
    description: 'A mapping is replaced as a whole; it counts from the next sign-in of each person.',
    params: ByProvider,
    body: closed({ client_id: Type.Optional(ClientId), client_secret: Type.Optional(Secret), ...optional }),
    output: ProviderSchema,
  }),
  endpoint({
    id: 'removeIdentityProvider',
    noun: 'sign-in',
    method: 'DELETE',
    path: '/api/v1/identity-providers/{provider}',
    permission: 'server.admin',
    summary: 'Remove an identity provider and its secret.',
    description: 'Memberships that came from its claims end. Accounts stay, with their tokens and links.',
    params: ByProvider,
    output: Done,
  }),
  endpoint({
    id: 'listLinkedIdentities',
    noun: 'sign-in',
    method: 'GET',
    path: '/api/v1/identity-providers/{provider}/identities',
    permission: 'server.admin',
    summary: 'List which accounts are linked to people at a provider.',
    params: ByProvider,
    query: closed({ limit: Limit, page_token: PageToken }),
    output: named('LinkedIdentityPage', { identities: Type.Array(IdentitySchema), next_page_token: NextPageToken }),
  }),
  endpoint({
    id: 'linkIdentity',
    noun: 'sign-in',
    method: 'POST',
    path: '/api/v1/identity-providers/{provider}/identities',
    permission: 'server.admin',
    summary: 'Link an account to a person at a provider.',
    description: 'That person signs in as this account from now on, also where he was linked to another.',
    params: ByProvider,
    body: closed({ user: Type.String({ minLength: 1, maxLength: 250, description: 'Name of the account.' }), subject: Subject }),
    output: IdentitySchema,
    status: 201,
  }),
  endpoint({
    id: 'unlinkIdentity',
    noun: 'sign-in',
    method: 'DELETE',
    path: '/api/v1/identity-providers/{provider}/identities/{subject}',
    permission: 'server.admin',
    summary: 'Take the link of a person at a provider away.',
    description: 'Memberships that came from the claims end. Sessions go on until they end.',
    params: closed({ provider: ProviderName, subject: Subject }),
    output: Done,
  }),
] as const;
