/**
 * The gate: every request passes it before its handler. Who is asking (identify), in which workspace, and whether what the route declares is
 * allowed on what the request names (authorize).
 */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { PERMISSIONS, type Permission } from '@countersign/contract/permissions.ts';
import { notFound, Problem } from '@countersign/contract/problem.ts';
import { fullAccess } from '../features/access/access.ts';
import * as tokens from '../features/tokens/tokens.ts';
import type { Ctx, Principal, WorkspaceRef } from '../platform/context.ts';
import type { Exchange } from '../platform/http/exchange.ts';
import { authorize, type NamedObjects } from './authorize.ts';
import { readCredentials } from './credentials.ts';
import { Directory, type Known, type KnownToken } from './directory.ts';
import { Objects } from './objects.ts';
import { Passwords } from './passwords.ts';
import { checkTokenScope } from './token-limits.ts';

export interface Gate {
  /** Throws UNAUTHENTICATED, PERMISSION_DENIED, or RESOURCE_DOES_NOT_EXIST for a workspace that isn't there for the caller. */
  admit(exchange: Exchange, permission: Permission): Promise<Ctx>;
  /** After the request was read. Throws PERMISSION_DENIED. */
  authorize(ctx: Ctx, permission: Permission, input: NamedObjects): Promise<void> | undefined;
  /** Whether an account signs in with this password; asking is limited as signing in is. */
  isPassword(exchange: Exchange, name: string, password: string): Promise<boolean>;
}

export interface GateOptions {
  /** What every request's context is made of. */
  readonly base: Ctx;
  readonly onError: (error: unknown) => void;
  /** False: everything is in the default workspace, and no request may name another. */
  readonly hasWorkspaces?: boolean;
}

export const WORKSPACE_HEADER = 'x-mlflow-workspace';
const DEFAULT_WORKSPACE: WorkspaceRef = { id: 0, name: 'default' };

interface Caller {
  /** Undefined: the local principal of a server without accounts. */
  readonly known: Known | undefined;
  readonly token: KnownToken | undefined;
}

const LOCAL: Caller = { known: undefined, token: undefined };

/** A request that takes longer to arrive is admitted anew before it is judged: else one begun in time would go on after a revocation. */
const SENT_SLOWLY_MS = 1000;

const ADMITTED = Symbol('admitted');
interface Admitted {
  readonly exchange: Exchange;
  readonly permission: Permission;
  readonly at: number;
}
type AdmittedCtx = Ctx & { readonly [ADMITTED]?: Admitted };

export function createGate({ base, onError, hasWorkspaces = true }: GateOptions): Gate {
  const directory = new Directory(base.db);
  const now = (): number => base.clock.now();
  const passwords = new Passwords(base.db, directory, now);
  const objects = new Objects();

  const findByToken = async (secret: string, kinds: readonly tokens.TokenKind[]): Promise<Caller | undefined> => {
    const token = await directory.findToken(secret, now());
    if (token === undefined || !kinds.includes(token.token.kind)) return undefined;
    const known = await directory.findPrincipal(token.token.principalId);
    if (known === undefined) return undefined;
    noteUse(token);
    return { known, token };
  };

  const noteUse = (token: KnownToken): void => {
    const at = now();
    if (at - token.notedAt < tokens.LAST_USED_LAG_MS) return;
    token.notedAt = at;
    tokens.noteUse(base, token.token.id, at).catch(onError);
  };

  const identify = async (exchange: Exchange): Promise<Caller> => {
    const { authorization, cookie } = exchange.req.headers;
    const credentials = readCredentials({ authorization, cookie });
    switch (credentials.kind) {
      case 'none':
      case 'unreadable':
        return refuse();
      case 'token':
        return (await findByToken(credentials.token, HEADER_TOKENS)) ?? refuse();
      case 'session':
        refuseForeignSite(exchange);
        return (await findByToken(credentials.token, ['session'])) ?? refuse();
      case 'password': {
        const { name, password } = credentials;
        if (tokens.isToken(password)) {
          const caller = await findByToken(password, HEADER_TOKENS);
          const isOwn = caller !== undefined && (name === 'token' || name === caller.known?.account.name);
          return isOwn ? caller : refuse();
        }
        const known = await passwords.find(name, password, exchange.req.socket.remoteAddress ?? '');
        return known ? { known, token: undefined } : refuse();
      }
    }
  };

  const contextOf = async (caller: Caller, workspace: WorkspaceRef, admitted: Admitted): Promise<AdmittedCtx> => {
    const { known, token } = caller;
    const warn = (text: string): void => admitted.exchange.warn(text);
    const principal = known === undefined ? base.principal : principalOf(known, token);
    const origin = { principalId: principal.id, address: addressOf(admitted.exchange), tokenId: token?.token.id };
    const of = { ...base, principal, origin, workspace, warn, [ADMITTED]: admitted };
    if (known === undefined) return { ...of, access: LOCAL_ACCESS, tokenScope: undefined };
    return { ...of, access: await directory.accessOf(known, workspace.id), tokenScope: token?.scope };
  };

  const findWorkspace = async (name: string): Promise<WorkspaceRef> => {
    if (name === '' || name === DEFAULT_WORKSPACE.name) return DEFAULT_WORKSPACE;
    if (!hasWorkspaces) throw workspacesOff();
    const workspace = await directory.findWorkspace(name);
    if (workspace === undefined) throw noWorkspace(name);
    return workspace;
  };

  const admit = async (exchange: Exchange, permission: Permission): Promise<AdmittedCtx> => {
    const at = now();
    await directory.refresh();
    const isOpen = await directory.isOpen();
    if (isOpen) refuseProxied(exchange);
    const caller = isOpen ? LOCAL : await identify(exchange);
    const workspace = await findWorkspace(exchange.header(WORKSPACE_HEADER) ?? '');
    const ctx = await contextOf(caller, workspace, { exchange, permission, at });
    checkPlace(ctx, permission);
    return ctx;
  };

  const judge = (ctx: Ctx, permission: Permission, input: NamedObjects): Promise<void> | undefined => {
    if (ctx.tokenScope === undefined) return authorize(ctx, objects, permission, input);
    const limited = checkTokenScope(ctx, objects, permission, input);
    if (limited === undefined) return authorize(ctx, objects, permission, input);
    return limited.then(() => authorize(ctx, objects, permission, input));
  };

  return {
    admit: async (exchange, permission) => {
      if (PERMISSIONS[permission].on !== 'nobody') return admit(exchange, permission);
      return { ...base, origin: { principalId: undefined, address: addressOf(exchange), tokenId: undefined } };
    },
    authorize: (ctx, permission, input) => {
      const admitted = (ctx as AdmittedCtx)[ADMITTED]; // on each context that `admit` answers, but for nobody's
      if (admitted === undefined || now() - admitted.at < SENT_SLOWLY_MS) return judge(ctx, permission, input);
      return admit(admitted.exchange, admitted.permission).then((anew) => judge(Object.assign(ctx, anew), permission, input));
    },
    isPassword: async ({ req }, name, password) => {
      await directory.refresh();
      return (await passwords.find(name, password, req.socket.remoteAddress ?? '')) !== undefined;
    },
  };
}

/** IPv4 as people write it, also where the server listens on both. */
function addressOf({ req }: Exchange): string {
  return (req.socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
}

/** A job is told from the others of its account by its token, which has its name too. */
function principalOf({ account, principal }: Known, known: KnownToken | undefined): Principal {
  if (known === undefined || known.token.jobId === null) return principal;
  return { id: known.token.jobId, kind: 'ci', name: known.token.name, accountId: account.id };
}

const HEADER_TOKENS: readonly tokens.TokenKind[] = ['personal', 'service', 'ci'];
const LOCAL_ACCESS = fullAccess(true);

/** What needs no object to be judged. */
function checkPlace(ctx: Ctx, permission: Permission): void {
  const { on } = PERMISSIONS[permission];
  const { access } = ctx;
  if (on === 'nobody') return;
  // Before anything else is said, or a call that needs no workspace would tell which names are taken.
  if (!access.isMember && ctx.workspace.id !== DEFAULT_WORKSPACE.id) throw noWorkspace(ctx.workspace.name);
  // The own account, and what is above workspaces, is everybody's who is signed in.
  if (on === 'account') return;
  if (on === 'server') {
    if (!access.isAdmin) throw deniedPlace(ctx, 'an administrator of the server');
    return;
  }
  if (!access.isMember) throw deniedPlace(ctx, 'a member of the workspace');
  if (on === 'workspace-manager' && !access.isManager) throw deniedPlace(ctx, 'an administrator of the workspace');
  if (on === 'creator' && !access.mayCreate) throw deniedPlace(ctx, 'a member of the workspace with USE');
}

function deniedPlace(ctx: Ctx, who: string): Problem {
  return new Problem(
    'PERMISSION_DENIED',
    `Permission denied: only ${who} may do this, and '${clip(ctx.principal.name)}' is not one in workspace '${ctx.workspace.name}'.`,
  );
}

function workspacesOff(): Problem {
  return new Problem(
    'INVALID_STATE',
    `FEATURE_DISABLED: workspaces are switched off on this server (--disable-workspaces). Leave the header X-MLFLOW-WORKSPACE out.`,
  );
}

/** Whoever isn't a member doesn't learn that it exists. */
function noWorkspace(name: string): Problem {
  return notFound(`Workspace '${clip(name)}' not found`);
}

function refuse(): never {
  throw unauthenticated();
}

/** The same words for everything, so that nobody learns which part was wrong. */
export function unauthenticated(): Problem {
  return new Problem(
    'UNAUTHENTICATED',
    'You are not authenticated. Set MLFLOW_TRACKING_TOKEN to a token, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD; ' +
      'both are checked, and neither says which part was wrong.',
  );
}

/** Behind a proxy, whoever is on the internet looks local. */
function refuseProxied({ req }: Exchange): void {
  for (const name in req.headers) {
    if (name !== 'via' && name !== 'forwarded' && !name.startsWith('x-forwarded-')) continue;
    throw new Problem(
      'PERMISSION_DENIED',
      `This request came through a proxy (it has the header '${name}'), and the server has no accounts yet: it answers callers on its own machine only. ` +
        'Connect to it directly, or make the first account: countersign user create NAME --admin.',
    );
  }
}

/**
 * A browser sends its cookie along whatever page asks: it counts for the server's own pages alone. Whoever looks from another page names it as
 * the origin, a link doesn't; a change says where it comes from.
 */
export function refuseForeignSite({ req }: Exchange): void {
  const { origin, host } = req.headers;
  if (req.headers['sec-fetch-site'] === 'same-origin') return;
  if (origin !== undefined && host !== undefined && URL.canParse(origin) && new URL(origin).host === host) return;
  if (origin === undefined && (req.method === 'GET' || req.method === 'HEAD')) return;
  throw new Problem('PERMISSION_DENIED', 'A signed-in browser is answered, and may change something, only on the pages of this server.');
}
