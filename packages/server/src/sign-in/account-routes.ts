/** The page of whoever is signed in: tokens are made, listed and revoked there, by forms of this server's own pages. */

import type { Permission } from '@countersign/contract/permissions.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as groups from '../features/groups/groups.ts';
import * as tokens from '../features/tokens/tokens.ts';
import { SESSION_COOKIE } from '../gate/credentials.ts';
import { type Gate, refuseForeignSite } from '../gate/gate.ts';
import type { Ctx } from '../platform/context.ts';
import type { Exchange, Reply, Route } from '../platform/http/exchange.ts';
import { accountPage, newTokenPage, TOKEN_DAYS, TOKEN_SCOPES } from './account-pages.ts';
import { cookieOf, findBaseUrl, type Place, readForm, redirect, rootOf, wantsPage } from './browser.ts';
import { refusedPage } from './sign-in-pages.ts';

const DAY_MS = 86_400_000;

/** A field's text; empty where there is none. */
type Form = (name: string) => string;
const NO_FORM: Form = () => '';

export function accountRoutes(gate: Gate, place: Place): Route[] {
  const root = rootOf(place);

  const show = async (ctx: Ctx, exchange: Exchange): Promise<Reply> => {
    const { principal, access } = ctx;
    const now = ctx.clock.now();
    const isPerson = principal.kind === 'user';
    const account = isPerson ? await accounts.findById(ctx, principal.id) : undefined;
    const own = isPerson ? await tokens.list(ctx, principal.id) : undefined;
    return accountPage({
      root,
      name: principal.name,
      displayName: account?.displayName ?? null,
      groups: isPerson ? (await groups.listOf(ctx, principal.id)).map((each) => each.name) : [],
      isAdmin: access.isAdmin,
      isOpen: principal.kind === 'local',
      tokens: own?.filter((each) => each.revokedAt === null && (each.expiresAt === null || each.expiresAt > now)),
      hasSession: cookieOf(exchange, SESSION_COOKIE) !== undefined,
      now,
    });
  };

  const make = async (ctx: Ctx, exchange: Exchange, form: Form): Promise<Reply> => {
    const days = TOKEN_DAYS.find((each) => String(each) === form('days'));
    const scope = TOKEN_SCOPES.find((each) => each === form('scope'));
    const name = form('name').trim();
    if (days === undefined || scope === undefined || name === '') {
      throw invalid(`A token needs a name, a scope (${TOKEN_SCOPES.join(', ')}) and its days (${TOKEN_DAYS.join(', ')}).`);
    }
    const account = ctx.principal.kind === 'user' ? await accounts.findById(ctx, ctx.principal.id) : undefined;
    if (account === undefined) throw invalid('Only people make tokens on this page.');
    const expiresAt = ctx.clock.now() + days * DAY_MS;
    const { token, secret } = await tokens.mint(ctx, account, { kind: 'personal', name, scopes: [scope], expiresAt });
    return newTokenPage({ root, baseUrl: findBaseUrl(exchange, place), token, secret });
  };

  const revoke = async (ctx: Ctx, _exchange: Exchange, form: Form): Promise<Reply> => {
    const id = Number(form('id'));
    const own = (await tokens.list(ctx, ctx.principal.id)).find((each) => each.id === id);
    if (own === undefined) throw notFound('You have no such token.');
    await tokens.revoke(ctx, own);
    return redirect(`${root}/account`);
  };

  const route = (
    method: 'GET' | 'POST',
    path: string,
    permission: Permission,
    work: (ctx: Ctx, exchange: Exchange, form: Form) => Promise<Reply>,
  ): Route => ({
    method,
    path,
    permission,
    handle: async (exchange) => {
      try {
        const ctx = await gate.admit(exchange, permission);
        // Browsers also send a name and password along that they remember, whatever page asks.
        if (method === 'POST') refuseForeignSite(exchange);
        const form = method === 'POST' ? await readForm(exchange) : NO_FORM;
        await gate.authorize(ctx, permission, {});
        return await work(ctx, exchange, form);
      } catch (error) {
        if (!(error instanceof Problem) || !wantsPage(exchange)) throw error;
        if (error.code === 'UNAUTHENTICATED') return redirect(`${root}/login?next=/account`);
        return refusedPage(root, error.status, error.message);
      }
    },
  });

  return [
    route('GET', '/account', 'account', show),
    route('POST', '/account/tokens', 'account.edit', make),
    route('POST', '/account/tokens/revoke', 'account.edit', revoke),
  ];
}
