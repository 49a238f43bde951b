/** CI identities: which jobs get in without a stored secret, and the exchange of their token. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { closed, Done, Id, Limit, NextPageToken, NO_PARAMS, named, oneOf, PageToken, Time } from './schemas.ts';

export const TRUST_KINDS = ['github', 'gitlab', 'custom'] as const;

const TrustName = Type.String({ minLength: 1, maxLength: 63, description: 'Lowercase letters, digits and `-`.' });
const Claims = Type.Record(Type.String(), Type.String({ minLength: 1, maxLength: 1000 }), {
  maxProperties: 30,
  description:
    'Exact values that a job must bring. github: repository_id, repository_owner_id, workflow_ref or job_workflow_ref, ref and/or environment; ' +
    'gitlab: project_id, namespace_id, ci_config_ref_uri, ref and/or environment; custom: at least two. A file without `@` is compared up to the `@`. ' +
    'Never sub, never names.',
});
const Scopes = Type.Array(Type.String(), {
  minItems: 1,
  maxItems: 50,
  description: '`read`, `write`, `check:<name>`, `versions:create`, `requests:create`, `deployments:write`.',
});

export const TrustSchema = named('CiTrust', {
  id: Id,
  name: TrustName,
  kind: oneOf(TRUST_KINDS),
  issuer: Type.String(),
  audience: Type.String(),
  claims: Type.Record(Type.String(), Type.String()),
  scopes: Scopes,
  account: Type.String({ description: 'The account that its jobs act as: give it grants like any other.' }),
  created_at: Time,
});

export const ciTrustEndpoints = [
  endpoint({
    id: 'listCiTrusts',
    noun: 'CI identities',
    method: 'GET',
    path: '/api/v1/ci-trusts',
    permission: 'server.admin',
    summary: 'List trusts in CI jobs, by name.',
    params: NO_PARAMS,
    query: closed({ limit: Limit, page_token: PageToken }),
    output: named('CiTrustPage', { trusts: Type.Array(TrustSchema), next_page_token: NextPageToken }),
  }),
  endpoint({
    id: 'addCiTrust',
    noun: 'CI identities',
    method: 'POST',
    path: '/api/v1/ci-trusts',
    permission: 'server.admin',
    summary: 'Trust the jobs of a CI system that bring these claims.',
    description: 'Makes the account `ci:<name>`, which may do nothing until it is granted something. The issuer must answer.',
    params: NO_PARAMS,
    body: closed({
      name: TrustName,
      kind: oneOf(TRUST_KINDS),
      issuer: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 500,
          description: "https; the kind's public service where it is left out. custom needs one.",
        }),
      ),
      audience: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 500,
          description: "For whom jobs ask their token; the server's public URL where it is left out.",
        }),
      ),
      claims: Claims,
      scopes: Scopes,
    }),
    output: TrustSchema,
    status: 201,
  }),
  endpoint({
    id: 'getCiTrust',
    noun: 'CI identities',
    method: 'GET',
    path: '/api/v1/ci-trusts/{trust}',
    permission: 'server.admin',
    summary: 'Get a trust.',
    params: closed({ trust: TrustName }),
    output: TrustSchema,
  }),
  endpoint({
    id: 'removeCiTrust',
    noun: 'CI identities',
    method: 'DELETE',
    path: '/api/v1/ci-trusts/{trust}',
    permission: 'server.admin',
    summary: 'Remove a trust with its account, grants and tokens. Jobs that run are cut off at once.',
    params: closed({ trust: TrustName }),
    output: Done,
  }),
  endpoint({
    id: 'exchangeCiToken',
    noun: 'CI identities',
    method: 'POST',
    path: '/api/v1/ci/token',
    permission: 'public',
    summary: 'Exchange the token of a CI job for one of this server.',
    description:
      'It lives at most 15 minutes, and ends at most 10 minutes after the one it was exchanged for, which is taken once. UNAUTHENTICATED in the same words for ' +
      'everything that is wrong; the log of the server says what it was.',
    params: NO_PARAMS,
    body: closed({
      token: Type.String({
        minLength: 1,
        maxLength: 16_384,
        description: 'The JSON Web Token that the CI system gave the job for this server.',
      }),
      trust: Type.Optional(
        Type.String({ maxLength: 63, description: 'Which trust, where several mean the same jobs; the oldest where it is left out.' }),
      ),
    }),
    output: named('CiToken', {
      access_token: Type.String({ description: 'As MLFLOW_TRACKING_TOKEN, or `Authorization: Bearer …`.' }),
      expires_at: Time,
      scopes: Scopes,
      principal: Type.String({ description: 'How the job is called in the record: `ci:github:owner/repo@workflow#run`.' }),
    }),
  }),
] as const;
