/** Tokens: what may be asked. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { closed, Done, Id, NO_PARAMS, named, nullable, oneOf, PrincipalRef, Time } from './schemas.ts';

export const TOKEN_SCOPES_MAX = 50;

export const TokenSchema = named('Token', {
  id: Id,
  account: PrincipalRef,
  kind: oneOf(['personal', 'service', 'session', 'ci']),
  name: Type.String(),
  hint: Type.String({ description: 'How it begins.' }),
  scopes: Type.Array(Type.String()),
  created_at: Time,
  expires_at: nullable(Time, 'null: until it is revoked.'),
  last_used_at: nullable(Time, 'May lag a minute behind.'),
  revoked_at: nullable(Time),
});

const Account = Type.Optional(Type.String({ minLength: 1, description: 'Name of the account; the caller where it is left out.' }));

export const tokenEndpoints = [
  endpoint({
    id: 'listTokens',
    noun: 'tokens',
    method: 'GET',
    path: '/api/v1/tokens',
    permission: 'account',
    summary: "List an account's tokens, ended ones included: the caller's own, those of a service account he owns; an administrator any.",
    description: 'In the order in which they were made; at most 1,000. Sessions of browsers are left out.',
    params: NO_PARAMS,
    query: closed({ account: Account }),
    output: named('TokenList', { tokens: Type.Array(TokenSchema) }),
  }),
  endpoint({
    id: 'createToken',
    noun: 'tokens',
    method: 'POST',
    path: '/api/v1/tokens',
    permission: 'account.edit',
    summary: 'Make a token of the caller, or of a service account that he owns.',
    description:
      'Its text is in this answer and nowhere else. Nobody makes a token for another person. A token that makes one gives it no more than it may itself, and no longer life.',
    params: NO_PARAMS,
    body: closed({
      name: Type.String({ minLength: 1, maxLength: 200, description: 'For people: where it is used.' }),
      scopes: Type.Array(Type.String(), {
        minItems: 1,
        maxItems: TOKEN_SCOPES_MAX,
        description:
          '`read`, `write`, `admin` (each holds those before it), `run:<id>`: log to this run alone, `check:<name>`: report this check.',
      }),
      expires_at: nullable(Time, 'null: until it is revoked.'),
      account: Account,
    }),
    output: named('NewToken', {
      token: TokenSchema,
      secret: Type.String({ description: 'The token itself, shown this once.' }),
    }),
    status: 201,
  }),
  endpoint({
    id: 'revokeToken',
    noun: 'tokens',
    method: 'DELETE',
    path: '/api/v1/tokens/{id}',
    permission: 'account.edit',
    summary: "Revoke a token at once: the caller's own, one of a service account he owns; an administrator any.",
    description: 'Revoking it once more changes nothing.',
    params: closed({ id: Id }),
    output: Done,
  }),
] as const;
