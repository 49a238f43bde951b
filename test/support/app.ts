/** The whole application in this process, listening, on a database that the test can look into. Accounts and grants are made through the doors. */
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GrantLevel } from '@countersign/contract/levels.ts';
import { type AppParts, createApp, createRoutes } from '@countersign/server/app.ts';
import { EVERY_WORKSPACE, NO_OBJECT, setGrant } from '@countersign/server/features/access/access.ts';
import * as accounts from '@countersign/server/features/accounts/accounts.ts';
import * as tokens from '@countersign/server/features/tokens/tokens.ts';
import { FileRoots } from '@countersign/server/platform/blobs/file-roots.ts';
import { LocalBlobStore } from '@countersign/server/platform/blobs/local-blob-store.ts';
import type { Ctx } from '@countersign/server/platform/context.ts';
import type { Route } from '@countersign/server/platform/http/exchange.ts';
import { createLog } from '@countersign/server/platform/telemetry/log.ts';
import { type ContextParts, openContext } from './context.ts';
import type { Answer } from './server.ts';

export interface RunningApp {
  /** Of the local administrator, for looking into what is there. */
  readonly ctx: Ctx;
  readonly url: string;
  close(): Promise<void>;
}

/** What an application is made of; the context is the local administrator's. `folder` is for blobs. */
async function assemble(folder: string, parts: ContextParts & Partial<AppParts>): Promise<{ ctx: Ctx; parts: AppParts }> {
  const ctx = await openContext({ blobs: new LocalBlobStore(join(folder, 'blobs')), ...parts });
  const assembled: AppParts = {
    db: ctx.db,
    blobs: ctx.blobs,
    searches: ctx.searches,
    artifactRoot: ctx.artifactRoot,
    fileRoots: new FileRoots([]),
    webhooks: {
      secrets: { seal: () => Buffer.alloc(0), open: () => '' },
      urls: { schemes: ['https'], allowPrivate: false },
      timeoutMs: 1000,
      retriesMax: 0,
    },
    config: {
      guards: { enabled: true, allowedHosts: undefined, allowedOrigins: [], frameOptions: 'SAMEORIGIN' },
      staticPrefix: '',
      serves: 'all',
    },
    tls: undefined,
    log: createLog('error'),
    ...parts,
  };
  return { ctx, parts: assembled };
}

/** The routes of an application that isn't started. */
export async function listRoutes(): Promise<readonly Route[]> {
  const { ctx, parts } = await assemble(tmpdir(), {});
  const routes = createRoutes(parts);
  await ctx.db.close();
  return routes;
}

export async function openApp(parts: ContextParts & Partial<AppParts> = {}): Promise<RunningApp> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-app-'));
  const { ctx, parts: assembled } = await assemble(folder, parts);
  const server = createApp(assembled);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    ctx,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, // it listens on TCP
    close: async () => {
      await new Promise((resolve) => server.close(resolve).closeAllConnections());
      await ctx.db.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface Person {
  readonly account: accounts.Account;
  /** Of a token with the scope `admin`. */
  readonly secret: string;
}

/** The first must be an administrator. */
export async function addUser(ctx: Ctx, name: string, options: { isAdmin?: boolean; password?: string } = {}): Promise<Person> {
  const account = await accounts.createUser(ctx, { name, ...options });
  return { account, secret: await addToken(ctx, account, ['admin']) };
}

export async function addToken(
  ctx: Ctx,
  account: accounts.Account,
  scopes: readonly string[],
  expiresAt: number | null = null,
): Promise<string> {
  return (await tokens.mint(ctx, account, { kind: 'personal', name: 'test', scopes, expiresAt })).secret;
}

export interface GrantTarget {
  readonly kind: 'workspace' | 'experiment' | 'registered-model';
  readonly id?: number;
  readonly prefix?: string;
  readonly everywhere?: boolean;
}

export async function grant(ctx: Ctx, to: { accountId?: number; groupId?: number }, on: GrantTarget, level: GrantLevel): Promise<void> {
  await setGrant(
    ctx,
    {
      workspaceId: on.everywhere ? EVERY_WORKSPACE : ctx.workspace.id,
      subjectKind: to.groupId === undefined ? 'principal' : 'group',
      subjectId: to.groupId ?? to.accountId ?? 0,
      kind: on.kind,
      objectId: on.id ?? NO_OBJECT,
      prefix: on.prefix ?? '',
    },
    level,
  );
}

export interface AskOptions {
  /** A token. */
  readonly as?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** One call; the body is read as JSON where it is. */
export async function ask(app: { readonly url: string }, method: string, path: string, options: AskOptions = {}): Promise<Answer> {
  const response = await fetch(`${app.url}${path}`, {
    method,
    headers: {
      ...(options.as === undefined ? {} : { authorization: `Bearer ${options.as}` }),
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
  return { status: response.status, body: isJson && text !== '' ? JSON.parse(text) : text, headers: response.headers };
}
