/** `countersign provider` and `countersign ci-trust` against a running server: what they print, refuse, and never show. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import * as groups from '@countersign/server/features/groups/groups.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addUser, openApp, type RunningApp } from '../support/app.ts';
import { type CiIssuer, startCiIssuer } from '../support/ci-issuer.ts';
import { CLIENT, startIdentityProvider, type TestIdentityProvider } from '../support/identity-provider.ts';
import { secretBox } from '../support/master-keys.ts';

const COMMAND = resolve(import.meta.dirname, '../../packages/cli/src/main.ts');

describe('commands for identities', () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-identity-commands-'));
  let app: RunningApp;
  let provider: TestIdentityProvider;
  let issuer: CiIssuer;
  let token: string;

  beforeAll(async () => {
    app = await openApp({
      webhooks: {
        secrets: secretBox(join(folder, 'master.key')),
        urls: { schemes: ['https'], allowPrivate: false },
        timeoutMs: 1000,
        retriesMax: 0,
      },
    });
    provider = await startIdentityProvider({ redirectUri: `${app.url}/login/callback` });
    issuer = await startCiIssuer();
    token = (await addUser(app.ctx, 'root', { isAdmin: true })).secret;
    await addUser(app.ctx, 'ada');
    await groups.create(app.ctx, { name: 'engineers', workspaceId: groups.SERVER_WIDE });
  });

  afterAll(async () => {
    await app.close();
    await provider.close();
    await issuer.close();
    rmSync(folder, { recursive: true });
  });

  async function run(args: readonly string[], input = '') {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', COMMAND, ...args], {
      env: { PATH: process.env.PATH, COUNTERSIGN_SERVER: app.url, COUNTERSIGN_TOKEN: token },
    });
    child.stdin.end(input);
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { code: await ended, out, err };
  }

  it('a provider is added with its secret from standard input, shown without it, changed, linked and removed', async () => {
    const add = ['provider', 'add', 'corp', '--issuer', provider.issuer, '--client-id', CLIENT.id, '--group', 'eng=engineers'];
    const silent = await run(add);
    expect([silent.code, silent.err]).toEqual([2, expect.stringContaining('--client-secret-stdin')]);
    const added = await run([...add, '--client-secret-stdin'], CLIENT.secret);
    expect(added).toEqual({ code: 0, out: "Added the identity provider 'corp'.\n", err: '' });
    const shown = await run(['provider', 'show', 'corp', '--json']);
    expect(shown.out).not.toContain(CLIENT.secret);
    expect(JSON.parse(shown.out)).toMatchObject({
      has_client_secret: true,
      groups: [{ value: 'eng', group: 'engineers' }],
      creates_accounts: true,
    });

    const changed = await run(['provider', 'update', 'corp', '--no-new-accounts', '--json']);
    expect(JSON.parse(changed.out)).toMatchObject({ creates_accounts: false, groups: [{ value: 'eng', group: 'engineers' }] });
    const typo = await run(['provider', 'update', 'corp', '--group', 'eng=enginers']);
    expect([typo.code, typo.err]).toEqual([4, expect.stringContaining("no group named 'enginers'")]);

    expect((await run(['provider', 'link', 'corp', '--user', 'ada', '--subject', 's-1'])).out).toBe("'s-1' at 'corp' is 'ada'.\n");
    expect((await run(['provider', 'links', 'corp', '--quiet'])).out).toBe('s-1\n');
    expect((await run(['provider', 'unlink', 'corp', '--subject', 's-1'])).code).toBe(0);
    expect((await run(['provider', 'list'])).out).toContain(provider.issuer);
    expect((await run(['provider', 'remove', 'corp', '--confirm', 'crop'])).code).toBe(2);
    expect((await run(['provider', 'remove', 'corp', '--confirm', 'corp'])).code).toBe(0);
    expect((await run(['provider', 'show', 'corp'])).code).toBe(4);
  });

  it('a trust is added by its flags, listed and removed; one that goes by names is refused', async () => {
    const add = [
      'ci-trust',
      'add',
      'churn',
      '--kind',
      'github',
      '--issuer',
      issuer.issuer,
      '--audience',
      'https://r.example',
      '--scope',
      'read',
    ];
    const named = await run([...add, '--claim', 'repository=octo/churn']);
    expect([named.code, named.err]).toEqual([2, expect.stringContaining("can't go by repository")]);
    const numbers = ['--repository-id', '1', '--owner-id', '2', '--workflow', '.github/workflows/x.yml', '--ref', 'refs/heads/main'];
    const added = await run([...add, 'versions:create', ...numbers, '--claim', 'event_name=push']);
    expect([added.code, added.out]).toEqual([0, expect.stringContaining("act as 'ci:churn'")]);
    const { trusts } = JSON.parse((await run(['ci-trust', 'list', '--json'])).out);
    expect(trusts).toMatchObject([
      {
        name: 'churn',
        scopes: ['read', 'versions:create'],
        claims: {
          repository_id: '1',
          repository_owner_id: '2',
          workflow_ref: '.github/workflows/x.yml',
          ref: 'refs/heads/main',
          event_name: 'push',
        },
      },
    ]);
    expect((await run(['grant', 'set', 'EDIT', '--ci', 'ci:churn', '--model-prefix', 'churn'])).code).toBe(0);
    expect((await run(['ci-trust', 'remove', 'churn', '--confirm', 'churn'])).code).toBe(0);
    expect((await run(['ci-trust', 'list', '--quiet'])).out).toBe('');
  });
});
