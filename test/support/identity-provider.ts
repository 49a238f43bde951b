/** A real OpenID Connect provider, in this process. Whoever comes is signed in as the person that the test names. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

/** Without a secret. */
export const PUBLIC_CLIENT = 'countersign-public';
export const CLIENT = { id: 'countersign', secret: 'a secret that the provider gave' } as const;

export interface TestIdentityProvider {
  readonly issuer: string;
  /** Who signs in next. */
  subject: string;
  /** What the provider says about people, by subject. */
  readonly people: Map<string, Readonly<Record<string, unknown>>>;
  close(): Promise<void>;
}

export interface IdentityProviderOptions {
  readonly redirectUri: string;
  /** Claims stand in the ID token; else only the userinfo endpoint has them. */
  readonly claimsInToken?: boolean;
}

export async function startIdentityProvider({
  redirectUri,
  claimsInToken = false,
}: IdentityProviderOptions): Promise<TestIdentityProvider> {
  let answer: ReturnType<Provider['callback']> | undefined;
  const server = createServer((req, res) => {
    if (req.url?.startsWith('/interaction/')) {
      void provider.interactionFinished(req, res, { login: { accountId: running.subject } });
      return;
    }
    answer?.(req, res);
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}`; // it listens on TCP
  const running: TestIdentityProvider = {
    issuer,
    subject: '',
    people: new Map(),
    close: async () => {
      await new Promise((resolve) => server.close(resolve).closeAllConnections());
    },
  };
  const provider = new Provider(issuer, {
    clients: [
      { client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: [redirectUri] },
      { client_id: PUBLIC_CLIENT, token_endpoint_auth_method: 'none', redirect_uris: [redirectUri] },
    ],
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
    },
    scopes: ['openid', 'profile', 'email', 'groups'],
    conformIdTokenClaims: !claimsInToken,
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_ctx: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    cookies: { keys: ['for tests'] },
    ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600 },
    findAccount: (_ctx: unknown, accountId: string) => ({
      accountId,
      claims: () => ({ ...running.people.get(accountId), sub: accountId }),
    }),
    // Nobody is asked what the client may know.
    loadExistingGrant: async ({ oidc }: { oidc: { client: { clientId: string }; session: { accountId: string } } }) => {
      const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope('openid profile email groups');
      await grant.save();
      return grant;
    },
  });
  answer = provider.callback();
  return running;
}
