/** Which person started a CI job: what may be asked. */
import { Type } from 'typebox';
import { ByAccount } from './accounts.ts';
import { endpoint } from './endpoint.ts';
import { closed, Done, named, Time } from './schemas.ts';

const Issuer = Type.String({
  minLength: 1,
  maxLength: 500,
  description: "Of the job's token, exactly as it names itself: https://token.actions.githubusercontent.com, https://gitlab.com.",
});
const ActorId = Type.String({
  minLength: 1,
  maxLength: 20,
  description: "The number that the CI system gave the person: GitHub's `actor_id`, GitLab's `user_id`. Never a name.",
});

export const CiIdentitySchema = named('CiIdentity', { issuer: Issuer, actor_id: ActorId, linked_at: Time });

export const ciIdentityEndpoints = [
  endpoint({
    id: 'listCiIdentities',
    noun: 'accounts',
    method: 'GET',
    path: '/api/v1/users/{name}/ci-identities',
    permission: 'server.admin',
    summary: 'List by what numbers CI systems know a user.',
    params: ByAccount,
    output: named('CiIdentityList', { identities: Type.Array(CiIdentitySchema) }),
  }),
  endpoint({
    id: 'linkCiIdentity',
    noun: 'accounts',
    method: 'PUT',
    path: '/api/v1/users/{name}/ci-identities',
    permission: 'server.admin',
    summary: 'Say that whoever a CI system knows by this number is the user.',
    description:
      'Policies then know who started a job, also those that ran before: that person neither approves what the job asked for nor what it registered. Once more ' +
      'changes nothing. RESOURCE_ALREADY_EXISTS where the number is linked to another account.',
    params: ByAccount,
    body: closed({ issuer: Issuer, actor_id: ActorId }),
    output: CiIdentitySchema,
  }),
  endpoint({
    id: 'unlinkCiIdentity',
    noun: 'accounts',
    method: 'DELETE',
    path: '/api/v1/users/{name}/ci-identities',
    permission: 'server.admin',
    summary: 'Take such a number from a user.',
    description: 'Nobody is known then to have started those jobs, and policies refuse what depends on it.',
    params: ByAccount,
    query: closed({ issuer: Issuer, actor_id: ActorId }),
    output: Done,
  }),
] as const;
