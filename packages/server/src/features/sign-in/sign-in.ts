/**
 * Single sign-on: which identity providers there are, and what becomes of a person one of them vouches for. An account is found by (issuer,
 * subject) alone; names and addresses are what a provider says today, and never lead to somebody else's account.
 */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { notFound, Problem } from '@countersign/contract/problem.ts';
import { type Ctx, reading, type TxCtx, transaction } from '../../platform/context.ts';
import { checkIssuer } from '../../platform/http/issuer-fetch.ts';
import type { SecretBox } from '../../platform/secrets/secret-box.ts';
import * as accounts from '../accounts/accounts.ts';
import * as groups from '../groups/groups.ts';
import * as tokens from '../tokens/tokens.ts';
import { authorizationUrl, checkProviderAnswers, type FlowSecrets, type OidcSettings, redeem, SignInRefused } from './oidc-client.ts';
import * as rules from './provider-rules.ts';
import * as providers from './provider-store.ts';
import * as store from './sign-in-store.ts';

export { SignInRefused } from './oidc-client.ts';
export { localPath } from './provider-rules.ts';
export { SECRETS } from './provider-store.ts';

export const PROVIDERS_MAX = 100;
/** How long a person may take at the provider. */
export const ATTEMPT_MS = 10 * 60_000;
/** Anybody may begin to sign in. */
const ATTEMPTS_MAX = 10_000;
/** After this a person signs in again, and groups are read anew. */
export const SESSION_MS = 12 * 3_600_000;

/** Without the client secret, which is never shown again. */
export interface Provider {
  readonly id: number;
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly hasClientSecret: boolean;
  readonly scopes: readonly string[];
  readonly nameClaim: string;
  readonly groupsClaim: string;
  /** Values of the groups claim and the groups they stand for, by their names now. */
  readonly groups: readonly { readonly value: string; readonly group: string }[];
  readonly groupsByName: boolean;
  readonly createsAccounts: boolean;
  readonly asksVerifiedEmail: boolean;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface ProviderChange {
  readonly clientId?: string | undefined;
  /** Empty: none, a public client. */
  readonly clientSecret?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly nameClaim?: string | undefined;
  readonly groupsClaim?: string | undefined;
  readonly groups?: readonly { readonly value: string; readonly group: string }[] | undefined;
  readonly groupsByName?: boolean | undefined;
  readonly createsAccounts?: boolean | undefined;
  readonly asksVerifiedEmail?: boolean | undefined;
}

export interface NewProvider extends ProviderChange {
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
}

const DEFAULTS = { scopes: ['openid', 'profile', 'email'], nameClaim: 'preferred_username', groupsClaim: 'groups' } as const;

/** RESOURCE_ALREADY_EXISTS for a taken name; INVALID_PARAMETER_VALUE where nobody answers at the issuer. */
export async function addProvider(ctx: Ctx, secrets: SecretBox, input: NewProvider): Promise<Provider> {
  rules.checkProviderName(input.name);
  checkIssuer(input.issuer);
  checkChange(input);
  await checkProviderAnswers({
    ...DEFAULTS,
    issuer: input.issuer,
    clientId: input.clientId,
    clientSecret: input.clientSecret || undefined,
    claims: [],
  });
  return transaction(ctx, async (inner) => {
    const at = inner.clock.now();
    const key = inner.clock.randomBytes(16).toString('hex');
    if ((await providers.list(inner.tx, PROVIDERS_MAX)).length >= PROVIDERS_MAX) {
      throw new Problem('INVALID_STATE', `There are ${PROVIDERS_MAX} identity providers, and no more than that. Remove one first.`);
    }
    const row = await changed(inner, secrets, input, {
      id: 0,
      key,
      name: input.name,
      issuer: input.issuer,
      clientId: input.clientId,
      clientSecret: null,
      ...DEFAULTS,
      groups: [],
      groupsByName: false,
      createsAccounts: true,
      asksVerifiedEmail: false,
      createdAt: at,
      updatedAt: at,
    });
    await governed(inner, `add provider ${words(row)}`);
    const id = await providers.insert(inner.tx, row, inner.principal.id);
    if (id === undefined) {
      throw new Problem('RESOURCE_ALREADY_EXISTS', `There is an identity provider named '${input.name}' already. Choose another name.`);
    }
    recordProvider(inner, 'provider.added', { ...row, id }, input);
    return shown(inner, { ...row, id });
  });
}

function checkChange(change: ProviderChange): void {
  if (change.clientId !== undefined) rules.checkClientId(change.clientId);
  if (change.nameClaim !== undefined) rules.checkClaimName(change.nameClaim);
  if (change.groupsClaim !== undefined) rules.checkClaimName(change.groupsClaim);
  if (change.groups !== undefined) rules.checkGroupValues(change.groups.map((each) => each.value));
}

async function changed(ctx: TxCtx, secrets: SecretBox, change: ProviderChange, row: providers.ProviderRow): Promise<providers.ProviderRow> {
  const mapped: providers.MappedGroup[] = [];
  for (const { value, group } of change.groups ?? []) mapped.push([value, (await groups.getByName(ctx, group)).id]);
  const { clientSecret: secret } = change;
  return {
    ...row,
    clientId: change.clientId ?? row.clientId,
    clientSecret: secret === undefined ? row.clientSecret : secret === '' ? null : secrets.seal(secret, row.key),
    scopes: change.scopes === undefined ? row.scopes : rules.checkSignInScopes(change.scopes),
    nameClaim: change.nameClaim ?? row.nameClaim,
    groupsClaim: change.groupsClaim ?? row.groupsClaim,
    groups: change.groups === undefined ? row.groups : mapped,
    groupsByName: change.groupsByName ?? row.groupsByName,
    createsAccounts: change.createsAccounts ?? row.createsAccounts,
    asksVerifiedEmail: change.asksVerifiedEmail ?? row.asksVerifiedEmail,
  };
}

/** The issuer stays: identities belong to it. */
export function changeProvider(ctx: Ctx, secrets: SecretBox, name: string, change: ProviderChange): Promise<Provider> {
  checkChange(change);
  return transaction(ctx, async (inner) => {
    const before = await getRow(inner, name);
    const row = { ...(await changed(inner, secrets, change, before)), updatedAt: Math.max(inner.clock.now(), before.updatedAt + 1) };
    await governed(inner, `change provider ${words(row)}`);
    await providers.update(inner.tx, row, inner.principal.id);
    recordProvider(inner, 'provider.changed', row, change);
    return shown(inner, row);
  });
}

/** Who is whom, and who is in which group, is what a provider says. */
function governed(ctx: TxCtx, what: string): Promise<void> {
  return accounts.governSetting(ctx, { setting: 'identity-providers', words: what, workspaceId: -1 });
}

/** All that it may be approved for; a secret is none of it. */
function words({
  name,
  issuer,
  clientId,
  scopes,
  nameClaim,
  groupsClaim,
  groups: mapped,
  ...row
}: Omit<providers.ProviderRow, 'id'>): string {
  const { groupsByName, createsAccounts, asksVerifiedEmail } = row;
  return `${name} ${JSON.stringify([issuer, clientId, scopes, nameClaim, groupsClaim, mapped, groupsByName, createsAccounts, asksVerifiedEmail])}`;
}

function recordProvider(ctx: TxCtx, type: string, row: providers.ProviderRow, change: ProviderChange): void {
  accounts.recordAccess(ctx, {
    type,
    data: {
      provider_id: row.id,
      name: row.name,
      issuer: row.issuer,
      client_id: row.clientId,
      has_client_secret: row.clientSecret !== null,
      secret_set: change.clientSecret !== undefined,
      scopes: row.scopes,
      name_claim: row.nameClaim,
      groups_claim: row.groupsClaim,
      groups: row.groups.map(([value, group_id]) => ({ value, group_id })),
      groups_by_name: row.groupsByName,
      creates_accounts: row.createsAccounts,
      asks_verified_email: row.asksVerifiedEmail,
    },
  });
}

const IDENTITIES_PAGE = 500;

/** Its secret is erased, and memberships that came from its claims end; accounts and their links stay. */
export function removeProvider(ctx: Ctx, name: string): Promise<void> {
  return transaction(ctx, async (inner) => {
    const row = await getRow(inner, name);
    const members: accounts.Account[] = [];
    for (let offset = 0; ; offset += IDENTITIES_PAGE) {
      const page = await store.listIdentities(inner.tx, row.id, { offset, limit: IDENTITIES_PAGE });
      members.push(...(await accounts.listByIds(inner, [...new Set(page.map((each) => each.principalId))])));
      if (page.length < IDENTITIES_PAGE) break;
    }
    const end = async (): Promise<void> => {
      for (const account of members) await groups.setMembershipsFrom(inner, account, sourceOf(row), []);
      await providers.remove(inner.tx, row.id, inner.clock.now(), inner.principal.id);
      accounts.recordAccess(inner, { type: 'provider.removed', data: { provider_id: row.id, name: row.name } });
    };
    await accounts.takingAway(inner, end, { accounts: await shutOut(inner, members, row.id) });
  });
}

/** Which of them sign in by this provider alone. A token may last, but whoever has nothing else is on his way out. */
async function shutOut(ctx: TxCtx, members: readonly accounts.Account[], providerId: number): Promise<number[]> {
  const without = members.filter(({ kind, hasPassword }) => kind === 'user' && !hasPassword).map(({ id }) => id);
  const elsewhere = new Set(await store.listSigningInElsewhere(ctx.tx, without, providerId));
  return without.filter((id) => !elsewhere.has(id));
}

/** Where a membership by claims says that it comes from. */
function sourceOf(row: { readonly id: number }): string {
  return `provider:${row.id}`;
}

async function getRow(ctx: Ctx, name: string): Promise<providers.ProviderRow> {
  const row = await providers.findByName(reading(ctx), name);
  if (row === undefined) throw notFound(`There is no identity provider named '${clip(name)}'.`);
  return row;
}

/** RESOURCE_DOES_NOT_EXIST. */
export async function getProvider(ctx: Ctx, name: string): Promise<Provider> {
  return shown(ctx, await getRow(ctx, name));
}

/** By name. */
export async function listProviders(ctx: Ctx): Promise<Provider[]> {
  const rows = await providers.list(reading(ctx), PROVIDERS_MAX);
  return Promise.all(rows.map((row) => shown(ctx, row)));
}

/** What whoever isn't signed in may know of them. */
export async function listProviderNames(ctx: Ctx): Promise<string[]> {
  return (await providers.list(reading(ctx), PROVIDERS_MAX)).map((row) => row.name);
}

async function shown(ctx: Ctx, row: providers.ProviderRow): Promise<Provider> {
  const { key: _key, clientSecret, groups: mapped, ...rest } = row;
  const named: { value: string; group: string }[] = [];
  for (const [value, groupId] of mapped) {
    const group = await groups.findById(ctx, groupId);
    if (group) named.push({ value, group: group.name });
  }
  return { ...rest, hasClientSecret: clientSecret !== null, groups: named };
}

/** For erasing a person: who signs in by a provider is a newcomer then. In the caller's transaction. */
export async function forgetIdentities(ctx: TxCtx, account: Pick<accounts.Account, 'id' | 'name'>): Promise<void> {
  if (!(await store.hasIdentities(ctx.tx, account.id))) return;
  await governIdentity(ctx, `forget who signs in as ${accounts.accountWords(account)}`);
  await store.removeIdentitiesOf(ctx.tx, account.id);
}

/** Whoever signs in without an account gets one, and would be another person for the policies than before. */
function governIdentity(ctx: TxCtx, what: string): Promise<void> {
  return accounts.governSetting(ctx, { setting: 'credentials', words: what, workspaceId: -1 });
}

/** The person with this subject at the provider is this account from now on. One that was another's changes hands. */
export function linkIdentity(ctx: Ctx, providerName: string, link: { user: string; subject: string }): Promise<LinkedIdentity> {
  return transaction(ctx, async (inner) => {
    const provider = await getRow(inner, providerName);
    const account = await accounts.getByName(inner, link.user);
    if (account.kind !== 'user')
      throw new Problem('INVALID_PARAMETER_VALUE', `'${account.name}' is no person: it signs in with tokens alone.`);
    const before = await store.findIdentity(inner.tx, provider.issuer, link.subject);
    await governIdentity(inner, `link ${accounts.accountWords(account)} to ${link.subject} at ${providerName}`);
    const isSame = before?.principalId === account.id && before.providerId === provider.id;
    const row = isSame ? before : await putLink(inner, provider, { ...link, accountId: account.id, before: before?.principalId });
    return { subject: row.subject, account: { id: account.id, kind: account.kind, name: account.name }, linkedAt: row.linkedAt };
  });
}

async function putLink(
  ctx: TxCtx,
  provider: providers.ProviderRow,
  link: { subject: string; accountId: number; before: number | undefined },
): Promise<store.Identity> {
  const { issuer, id: providerId } = provider;
  const row: store.Identity = { issuer, subject: link.subject, providerId, principalId: link.accountId, linkedAt: ctx.clock.now() };
  await store.putIdentity(ctx.tx, row, ctx.principal.id);
  accounts.recordAccess(ctx, {
    type: 'account.identity-linked',
    data: { account_id: link.accountId, provider_id: providerId, issuer, before_account_id: link.before ?? null },
    texts: { subject: link.subject },
  });
  await accounts.noteCredentialChange(ctx, link.accountId);
  if (link.before !== undefined && link.before !== link.accountId) await accounts.noteCredentialChange(ctx, link.before);
  return row;
}

/** RESOURCE_DOES_NOT_EXIST for one that isn't linked. Sessions go on until they end. */
export function unlinkIdentity(ctx: Ctx, providerName: string, subject: string): Promise<void> {
  return transaction(ctx, async (inner) => {
    const provider = await getRow(inner, providerName);
    const identity = await store.findIdentity(inner.tx, provider.issuer, subject);
    if (identity === undefined) throw notFound(`No account is linked to the subject '${clip(subject)}' at '${provider.name}'.`);
    await governIdentity(inner, `unlink account ${identity.principalId} from ${subject} at ${providerName}`);
    const account = await accounts.findById(inner, identity.principalId);
    const unlink = async (): Promise<void> => {
      await store.removeIdentity(inner.tx, provider.issuer, subject);
      accounts.recordAccess(inner, {
        type: 'account.identity-unlinked',
        data: { account_id: identity.principalId, provider_id: provider.id, issuer: provider.issuer },
        texts: { subject },
      });
      await accounts.noteCredentialChange(inner, identity.principalId);
      if (account) await groups.setMembershipsFrom(inner, account, sourceOf(provider), []);
    };
    await accounts.takingAway(inner, unlink, { accounts: account ? await shutOut(inner, [account], provider.id) : [] });
  });
}

export interface LinkedIdentity {
  readonly subject: string;
  readonly account: { readonly id: number; readonly kind: string; readonly name: string };
  readonly linkedAt: number;
}

/** By account, then subject. */
export async function listIdentities(ctx: Ctx, providerName: string, page: { offset: number; limit: number }): Promise<LinkedIdentity[]> {
  const provider = await getRow(ctx, providerName);
  const rows = await store.listIdentities(reading(ctx), provider.id, page);
  const people = await accounts.listPrincipals(
    ctx,
    rows.map((row) => row.principalId),
  );
  return rows.map(({ subject, principalId, linkedAt }) => ({
    subject,
    account: people.get(principalId) ?? { id: principalId, kind: 'user', name: '' },
    linkedAt,
  }));
}

export interface Beginning {
  /** Where the browser goes. */
  readonly url: string;
  /** What its cookie must hold when it comes back. */
  readonly browserSecret: string;
}

/** `browserSecret`: what the cookie holds already, for several attempts in one browser. */
export async function begin(
  ctx: Ctx,
  secrets: SecretBox,
  input: { provider: string; redirectUri: string; returnTo: string; browserSecret: string | undefined },
): Promise<Beginning> {
  const provider = await getRow(ctx, input.provider);
  const random = (): string => ctx.clock.randomBytes(32).toString('base64url');
  const isFit = input.browserSecret !== undefined && /^[\w-]{43}$/.test(input.browserSecret);
  const browserSecret = isFit && input.browserSecret ? input.browserSecret : random();
  const flow: FlowSecrets = { state: random(), nonce: random(), codeVerifier: random(), redirectUri: input.redirectUri };
  const now = ctx.clock.now();
  const url = await authorizationUrl(oidcSettings(provider, secrets), flow, now);
  await transaction(ctx, (inner) =>
    store.insertAttempt(
      inner.tx,
      {
        stateDigest: rules.digestOfSecret(flow.state),
        browserDigest: rules.digestOfSecret(browserSecret),
        providerId: provider.id,
        codeVerifier: flow.codeVerifier,
        nonce: flow.nonce,
        redirectUri: flow.redirectUri,
        returnTo: input.returnTo,
        expiresAt: now + ATTEMPT_MS,
      },
      now,
      ATTEMPTS_MAX,
    ),
  );
  return { url: url.href, browserSecret };
}

function oidcSettings(row: providers.ProviderRow, secrets: SecretBox): OidcSettings {
  return {
    issuer: row.issuer,
    clientId: row.clientId,
    clientSecret: row.clientSecret === null ? undefined : secrets.open(row.clientSecret, row.key),
    scopes: row.scopes,
    claims: [row.nameClaim, row.groupsClaim, ...(row.asksVerifiedEmail ? ['email', 'email_verified'] : [])],
  };
}

export interface SignedIn {
  readonly account: accounts.Account;
  readonly session: tokens.MintedToken;
  readonly returnTo: string;
}

/**
 * The browser is back. `query` is what the provider sent it with. Throws SignInRefused with a sentence for the person; an attempt that is unknown,
 * of another browser, too old or taken already is refused alike.
 */
export async function finish(ctx: Ctx, secrets: SecretBox, input: { query: string; browserSecret: string | undefined }): Promise<SignedIn> {
  const state = new URLSearchParams(input.query).get('state') ?? '';
  const digests = [rules.digestOfSecret(state), rules.digestOfSecret(input.browserSecret ?? '')] as const;
  const attempt = await transaction(ctx, (inner) => store.takeAttempt(inner.tx, ...digests));
  const now = ctx.clock.now();
  const provider = attempt && (await providers.findById(reading(ctx), attempt.providerId));
  if (attempt === undefined || provider === undefined || attempt.expiresAt < now) {
    throw new SignInRefused('This attempt to sign in is not known here: it took too long, was used already, or began in another browser');
  }
  const { subject, claims } = await redeem(oidcSettings(provider, secrets), { ...attempt, state }, input.query, now);
  const { account, session } = await transaction(ctx, (inner) => admit(inner, provider, subject, claims));
  return { account, session, returnTo: attempt.returnTo };
}

async function admit(ctx: TxCtx, provider: providers.ProviderRow, subject: string, claims: rules.Claims) {
  if (provider.asksVerifiedEmail && !rules.isEmailVerified(claims)) {
    throw new SignInRefused(
      `'${provider.name}' doesn't say that it verified your mail address, which is asked here. Verify it there first`,
    );
  }
  const values = rules.groupValuesOf(claims, provider.groupsClaim);
  if (values === undefined) {
    throw new SignInRefused(
      `You are in more groups than '${provider.name}' says in a token. Its administrator can have it send only the groups of this application`,
    );
  }
  const identity = await store.findIdentity(ctx.tx, provider.issuer, subject);
  const account = identity ? await known(ctx, provider, identity, claims) : await newcomer(ctx, provider, subject, claims);
  const asThemselves: TxCtx = { ...ctx, principal: { id: account.id, kind: 'user', name: account.name } };
  const names = await groupNamesOf(ctx, provider, values);
  await accounts.takingAway(asThemselves, () => groups.setMembershipsFrom(asThemselves, account, sourceOf(provider), names), {
    isClaimed: true,
  });
  return { account, session: await startSession(asThemselves, account, `sign-in by ${provider.name}`) };
}

async function known(ctx: TxCtx, provider: providers.ProviderRow, identity: store.Identity, claims: rules.Claims) {
  const account = await accounts.findById(ctx, identity.principalId);
  if (account === undefined || account.state !== 'active') {
    throw new SignInRefused(`Your account here is ${account?.state ?? 'deleted'}. An administrator of this server can help`);
  }
  const displayName = rules.textOf(claims.name) ?? account.displayName;
  const email = rules.textOf(claims.email) ?? account.email;
  if (displayName !== account.displayName || email !== account.email) {
    await accounts.setProfile(ctx, account, { name: account.name, displayName, email });
  }
  // With several providers at one issuer, the memberships are those of the last one.
  if (identity.providerId !== provider.id) {
    await putLink(ctx, provider, { subject: identity.subject, accountId: account.id, before: account.id });
    await accounts.takingAway(ctx, () => groups.setMembershipsFrom(ctx, account, sourceOf({ id: identity.providerId }), []), {
      isClaimed: true,
    });
  }
  return account;
}

async function newcomer(ctx: TxCtx, provider: providers.ProviderRow, subject: string, claims: rules.Claims) {
  const name = rules.accountNameOf(claims, provider.nameClaim, subject);
  const howToLink = `countersign provider link ${provider.name} --user NAME --subject '${subject}'`;
  if (!provider.createsAccounts) {
    throw new SignInRefused(`You have no account here. An administrator makes one and links it: ${howToLink}`);
  }
  const taken = await accounts.findByName(ctx, name);
  if (taken !== undefined) {
    throw new SignInRefused(
      `An account named '${clip(name)}' exists here already, and is not linked to your identity at '${provider.name}'. ` +
        `If it is yours, an administrator links it: ${howToLink}`,
    );
  }
  const account = await accounts.createUser(ctx, { name, displayName: rules.textOf(claims.name), email: rules.textOf(claims.email) });
  await putLink(ctx, provider, { subject, accountId: account.id, before: undefined });
  return account;
}

async function groupNamesOf(ctx: TxCtx, provider: providers.ProviderRow, values: readonly string[]): Promise<string[]> {
  const mapped = new Map(provider.groups);
  const names: string[] = [];
  for (const value of new Set(values)) {
    const groupId = mapped.get(value);
    const group = groupId === undefined ? undefined : await groups.findById(ctx, groupId);
    if (group) names.push(group.name);
    else if (groupId === undefined && provider.groupsByName) names.push(value);
  }
  return names;
}

/** What the cookie of a signed-in browser holds. */
export function startSession(ctx: Ctx, account: accounts.Account, name: string): Promise<tokens.MintedToken> {
  return tokens.mint(ctx, account, { kind: 'session', name, scopes: ['admin'], expiresAt: ctx.clock.now() + SESSION_MS });
}

/** Once more changes nothing. */
export async function endSession(ctx: Ctx, secret: string): Promise<void> {
  const token = await tokens.findBySecret(reading(ctx), secret);
  if (token?.kind === 'session') await tokens.revoke(ctx, token);
}
