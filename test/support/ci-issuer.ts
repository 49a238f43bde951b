/** A CI system's issuer of tokens for jobs: discovery, keys, and whatever token a test wants signed. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

export interface SignOptions {
  readonly alg?: 'RS256' | 'ES256' | 'HS256' | 'PS256';
  readonly kid?: string;
  /** A key that the issuer doesn't have, under the name of one that it has. */
  readonly forged?: boolean;
}

export interface CiIssuer {
  readonly issuer: string;
  /** How often keys were asked for. */
  readonly asked: () => number;
  /** Signs as given; `iss` is the issuer's unless the claims say another. */
  sign(claims: JWTPayload, options?: SignOptions): Promise<string>;
  /** From now on the issuer signs with another key, and names it beside the old one. */
  rotate(): Promise<void>;
  close(): Promise<void>;
}

export async function startCiIssuer(): Promise<CiIssuer> {
  const keys: { kid: string; alg: string; privateKey: CryptoKey; jwk: object }[] = [];
  const add = async (alg: 'RS256' | 'ES256'): Promise<void> => {
    const { publicKey, privateKey } = await generateKeyPair(alg);
    const kid = `key-${keys.length + 1}`;
    keys.push({ kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, use: 'sig', alg } });
  };
  await add('RS256');
  await add('ES256');
  let count = 0;
  const server = createServer((req, res) => {
    const documents: Record<string, object> = {
      '/.well-known/openid-configuration': { issuer, jwks_uri: `${issuer}/keys`, id_token_signing_alg_values_supported: ['RS256'] },
      '/keys': { keys: keys.map((each) => each.jwk) },
    };
    if (req.url === '/keys') count += 1;
    const document = documents[req.url ?? ''];
    res.writeHead(document ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(document ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on TCP
  const current = (alg = 'RS256') => {
    const key = keys.findLast((each) => each.alg === alg);
    if (key === undefined) throw new TypeError('there is a key from the start');
    return key;
  };
  return {
    issuer,
    asked: () => count,
    sign: async (claims, { alg = 'RS256', kid, forged = false } = {}) => {
      const ours = keys.some((each) => each.alg === alg) && !forged ? current(alg) : undefined;
      const key =
        alg === 'HS256' ? Buffer.from(JSON.stringify(current().jwk)) : (ours?.privateKey ?? (await generateKeyPair(alg)).privateKey);
      return new SignJWT({ iss: issuer, ...claims }).setProtectedHeader({ alg, typ: 'JWT', kid: kid ?? (ours ?? current()).kid }).sign(key);
    },
    rotate: () => add('RS256'),
    close: async () => {
      await new Promise((resolve) => server.close(resolve).closeAllConnections());
    },
  };
}

/** What GitHub says about a job, in full. */
export function githubClaims(audience: string, now: number): JWTPayload {
  const seconds = Math.floor(now / 1000);
  return {
    jti: `jti-${now}-${Math.random()}`,
    sub: 'repo:octo-123456/churn-456789:ref:refs/heads/main',
    aud: audience,
    iat: seconds,
    nbf: seconds - 300,
    exp: seconds + 300,
    ref: 'refs/heads/main',
    sha: '0123456789abcdef0123456789abcdef01234567',
    repository: 'octo/churn',
    repository_owner: 'octo',
    repository_owner_id: '123456',
    repository_id: '456789',
    repository_visibility: 'private',
    run_id: '8100',
    run_number: '12',
    run_attempt: '1',
    actor: 'monalisa',
    actor_id: '583231',
    workflow: 'release',
    workflow_ref: 'octo/churn/.github/workflows/release.yml@refs/heads/main',
    workflow_sha: '0123456789abcdef0123456789abcdef01234567',
    job_workflow_ref: 'octo/shared/.github/workflows/validate.yml@refs/tags/v1',
    job_workflow_sha: 'fedcba9876543210fedcba9876543210fedcba98',
    head_ref: '',
    base_ref: '',
    event_name: 'push',
    ref_type: 'branch',
    ref_protected: 'true',
    environment: 'production',
    runner_environment: 'github-hosted',
    enterprise: 'octo-inc',
    enterprise_id: '77',
  };
}

/** What GitLab says about a job, in full. */
export function gitlabClaims(issuer: string, audience: string, now: number): JWTPayload {
  const seconds = Math.floor(now / 1000);
  return {
    jti: `jti-${now}-${Math.random()}`,
    sub: 'project_path:vision/churn:ref_type:branch:ref:main',
    aud: audience,
    iat: seconds,
    nbf: seconds - 5,
    exp: seconds + 3600,
    namespace_id: '72',
    namespace_path: 'vision',
    project_id: '20',
    project_path: 'vision/churn',
    user_id: '1',
    user_login: 'sample-user',
    user_email: 'sample-user@example.com',
    pipeline_id: '574',
    pipeline_source: 'push',
    job_id: '302',
    ref: 'main',
    ref_type: 'branch',
    ref_path: 'refs/heads/main',
    ref_protected: 'true',
    environment: 'production',
    environment_protected: 'true',
    deployment_tier: 'production',
    runner_id: 1,
    runner_environment: 'self-hosted',
    sha: '714a629c0b401fdce83e847fc9589983fc6f46bc',
    project_visibility: 'private',
    ci_config_ref_uri: `${issuer.replace('http://', '')}/vision/churn//.gitlab-ci.yml@refs/heads/main`,
    ci_config_sha: '714a629c0b401fdce83e847fc9589983fc6f46bc',
  };
}
