/** Identity providers and CI identities, over the native API. */
import type { ciTrustEndpoints, TrustSchema } from '@countersign/contract/ci-trusts.ts';
import { Problem } from '@countersign/contract/problem.ts';
import { PAGE_SIZE } from '@countersign/contract/schemas.ts';
import type { ProviderSchema, signInEndpoints } from '@countersign/contract/sign-in.ts';
import type { Static } from 'typebox';
import * as ciTrusts from '../features/ci-trusts/ci-trusts.ts';
import * as signIn from '../features/sign-in/sign-in.ts';
import { AddressLimiter } from '../gate/address-limiter.ts';
import { unauthenticated } from '../gate/gate.ts';
import { decodeOffset, encodeOffset } from '../platform/db/page-token.ts';
import type { SecretBox } from '../platform/secrets/secret-box.ts';
import { done } from './answers.ts';
import type { Handlers } from './handlers.ts';

/** What signing in needs of the server's setting up. */
export interface IdentityMeans {
  readonly secrets: SecretBox;
  readonly publicUrl: string | undefined;
  /** A job's token that was refused; whoever sent it isn't told why. */
  readonly onRefusal: (refusal: { readonly reason: string; readonly issuer: string | undefined; readonly address: string }) => void;
}

/** From one address, which may be that of a proxy before all of a company's jobs. */
const CI_FAILURES = { most: 300, windowMs: 60_000 } as const;

function answerProvider(provider: signIn.Provider): Static<typeof ProviderSchema> {
  return {
    id: provider.id,
    name: provider.name,
    issuer: provider.issuer,
    client_id: provider.clientId,
    has_client_secret: provider.hasClientSecret,
    scopes: [...provider.scopes],
    name_claim: provider.nameClaim,
    groups_claim: provider.groupsClaim,
    groups: [...provider.groups],
    groups_by_name: provider.groupsByName,
    creates_accounts: provider.createsAccounts,
    asks_verified_email: provider.asksVerifiedEmail,
    created_at: provider.createdAt,
    updated_at: provider.updatedAt,
  };
}

interface GivenSettings {
  readonly client_secret?: string;
  readonly scopes?: readonly string[];
  readonly name_claim?: string;
  readonly groups_claim?: string;
  readonly groups?: readonly { readonly value: string; readonly group: string }[];
  readonly groups_by_name?: boolean;
  readonly creates_accounts?: boolean;
  readonly asks_verified_email?: boolean;
}

function readChange(given: GivenSettings): signIn.ProviderChange {
  return {
    clientSecret: given.client_secret,
    scopes: given.scopes,
    nameClaim: given.name_claim,
    groupsClaim: given.groups_claim,
    groups: given.groups,
    groupsByName: given.groups_by_name,
    createsAccounts: given.creates_accounts,
    asksVerifiedEmail: given.asks_verified_email,
  };
}

async function pageByOffset<Item>(
  query: { readonly limit?: number; readonly page_token?: string },
  list: (page: { offset: number; limit: number }) => Promise<readonly Item[]>,
): Promise<{ items: readonly Item[]; next: string | null }> {
  const limit = query.limit ?? PAGE_SIZE;
  const offset = decodeOffset(query.page_token);
  const found = await list({ offset, limit: limit + 1 });
  return { items: found.slice(0, limit), next: found.length > limit ? encodeOffset(offset + limit) : null };
}

/** `means` undefined: a server that can keep no secret, as in tests of other things. */
export function signInHandlers(means: IdentityMeans | undefined): Handlers<(typeof signInEndpoints)[number]['id']> {
  const secrets = (): SecretBox => {
    if (means === undefined) throw new Problem('INVALID_STATE', 'This server keeps no secrets: it was started without a master key.');
    return means.secrets;
  };
  return {
    listIdentityProviders: async (ctx) => ({ providers: (await signIn.listProviders(ctx)).map(answerProvider) }),
    addIdentityProvider: async (ctx, { body }) =>
      answerProvider(
        await signIn.addProvider(ctx, secrets(), { name: body.name, issuer: body.issuer, ...readChange(body), clientId: body.client_id }),
      ),
    getIdentityProvider: async (ctx, { params }) => answerProvider(await signIn.getProvider(ctx, params.provider)),
    changeIdentityProvider: async (ctx, { params, body }) =>
      answerProvider(await signIn.changeProvider(ctx, secrets(), params.provider, { ...readChange(body), clientId: body.client_id })),
    removeIdentityProvider: (ctx, { params }) => done(signIn.removeProvider(ctx, params.provider)),
    listLinkedIdentities: async (ctx, { params, query }) => {
      const page = await pageByOffset(query, (part) => signIn.listIdentities(ctx, params.provider, part));
      return {
        identities: page.items.map(({ subject, account, linkedAt }) => ({ subject, account, linked_at: linkedAt })),
        next_page_token: page.next,
      };
    },
    linkIdentity: async (ctx, { params, body }) => {
      const { subject, account, linkedAt } = await signIn.linkIdentity(ctx, params.provider, body);
      return { subject, account, linked_at: linkedAt };
    },
    unlinkIdentity: (ctx, { params }) => done(signIn.unlinkIdentity(ctx, params.provider, params.subject)),
  };
}

function answerTrust(trust: ciTrusts.Trust): Static<typeof TrustSchema> {
  const { principalId: _account, createdAt, scopes, claims, ...rest } = trust;
  return { ...rest, claims: { ...claims }, scopes: [...scopes], account: ciTrusts.accountNameOf(trust.name), created_at: createdAt };
}

export function ciTrustHandlers(means: IdentityMeans | undefined): Handlers<(typeof ciTrustEndpoints)[number]['id']> {
  let failures: AddressLimiter | undefined;
  return {
    listCiTrusts: async (ctx, { query }) => {
      const page = await pageByOffset(query, (part) => ciTrusts.list(ctx, part));
      return { trusts: page.items.map(answerTrust), next_page_token: page.next };
    },
    addCiTrust: async (ctx, { body }) => answerTrust(await ciTrusts.add(ctx, body, means?.publicUrl)),
    getCiTrust: async (ctx, { params }) => answerTrust(await ciTrusts.get(ctx, params.trust)),
    removeCiTrust: (ctx, { params }) => done(ciTrusts.remove(ctx, params.trust)),
    exchangeCiToken: async (ctx, { body }, { address }) => {
      failures ??= new AddressLimiter(ctx.clock.now, CI_FAILURES);
      const answer = failures.isLimited(address)
        ? { refused: 'too many tokens from this address were refused', issuer: undefined }
        : await ciTrusts.exchange(ctx, body.token, body.trust);
      if ('refused' in answer) {
        failures.note(address);
        means?.onRefusal({ reason: answer.refused, issuer: answer.issuer, address });
        throw unauthenticated();
      }
      return { access_token: answer.accessToken, expires_at: answer.expiresAt, scopes: answer.scopes, principal: answer.principal };
    },
  };
}
