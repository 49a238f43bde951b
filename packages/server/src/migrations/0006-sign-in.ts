import { type Migration, script } from '../platform/db/migrate.ts';

/**
 * Who vouches for people and for jobs. A removed provider or trust stays as a row, since events and accounts name its id. An attempt to sign in
 * lives for minutes and is taken once; so is a job's token, by (issuer, jti).
 */
const SQL = `
CREATE TABLE identity_providers (
  id {id}, provider_key {text} NOT NULL UNIQUE, name {text} NOT NULL, issuer {text} NOT NULL, client_id {text} NOT NULL, client_secret {blob},
  scopes {text} NOT NULL, name_claim {text} NOT NULL, groups_claim {text} NOT NULL, group_ids {text} NOT NULL, groups_by_name {int} NOT NULL,
  creates_accounts {int} NOT NULL, asks_verified_email {int} NOT NULL, created_at {int} NOT NULL, updated_at {int} NOT NULL, removed_at {int}, written_by {int} NOT NULL
);
CREATE UNIQUE INDEX identity_providers_by_name ON identity_providers (name) WHERE removed_at IS NULL;

CREATE TABLE external_identities (
  issuer {text} NOT NULL, subject {text} NOT NULL, provider_id {int} NOT NULL, principal_id {int} NOT NULL, linked_at {int} NOT NULL, written_by {int} NOT NULL,
  PRIMARY KEY (issuer, subject)
) {clustered};
CREATE INDEX external_identities_by_provider ON external_identities (provider_id, principal_id);
CREATE INDEX external_identities_by_principal ON external_identities (principal_id);

CREATE TABLE sign_in_attempts (
  state_digest {blob} PRIMARY KEY, browser_digest {blob} NOT NULL, provider_id {int} NOT NULL, code_verifier {text} NOT NULL, nonce {text} NOT NULL,
  redirect_uri {text} NOT NULL, return_to {text} NOT NULL, expires_at {int} NOT NULL
);
CREATE INDEX sign_in_attempts_by_end ON sign_in_attempts (expires_at);

CREATE TABLE ci_trusts (
  id {id}, name {text} NOT NULL, kind {text} NOT NULL, issuer {text} NOT NULL, audience {text} NOT NULL, claims {text} NOT NULL, scopes {text} NOT NULL,
  principal_id {int} NOT NULL, created_at {int} NOT NULL, removed_at {int}, written_by {int} NOT NULL
);
CREATE UNIQUE INDEX ci_trusts_by_name ON ci_trusts (name) WHERE removed_at IS NULL;
CREATE INDEX ci_trusts_by_issuer ON ci_trusts (issuer, id);

CREATE TABLE ci_exchanges (issuer {text} NOT NULL, jti {text} NOT NULL, forget_at {int} NOT NULL, PRIMARY KEY (issuer, jti)) {clustered};
CREATE INDEX ci_exchanges_by_end ON ci_exchanges (forget_at);
`;

export const signIn: Migration = { id: 6, name: 'sign-in', sql: (dialect) => script(dialect, SQL) };
