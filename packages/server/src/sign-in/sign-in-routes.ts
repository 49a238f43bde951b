/** Signing in by a browser: by an identity provider, or with a password. */
import { Problem } from '@countersign/contract/problem.ts';
import type { IdentityMeans } from '../api/sign-in-handlers.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as signIn from '../features/sign-in/sign-in.ts';
import { AddressLimiter } from '../gate/address-limiter.ts';
import { SESSION_COOKIE } from '../gate/credentials.ts';
import { type Gate, refuseForeignSite } from '../gate/gate.ts';
import type { Ctx } from '../platform/context.ts';
import type { Exchange, Handler, Reply, Route } from '../platform/http/exchange.ts';
import {
  baseUrlOf,
  clearSession,
  cookieOf,
  type Place,
  readForm,
  redirect,
  rootOf,
  SIGN_IN_COOKIE,
  setAttempt,
  setSession,
  wantsPage,
} from './browser.ts';
import { loginPage, refusedPage } from './sign-in-pages.ts';

/** Beginnings and failed ends of sign-ins from one address, which may be that of a proxy before a whole company. */
const ATTEMPTS = { most: 1000, windowMs: 10 * 60_000 } as const;
const ACCOUNT = '/account';

export function signInRoutes(gate: Gate, means: IdentityMeans, place: Place): Route[] {
  let attempts: AddressLimiter | undefined;
  const root = rootOf(place);

  /** Throws where the address has tried too often. */
  const limit = (ctx: Ctx, exchange: Exchange): { note: () => void } => {
    attempts ??= new AddressLimiter(ctx.clock.now, ATTEMPTS);
    const address = exchange.req.socket.remoteAddress ?? '';
    const limiter = attempts;
    if (limiter.isLimited(address)) {
      throw new signIn.SignInRefused('There were too many attempts to sign in from your address. Try again in ten minutes');
    }
    return { note: () => limiter.note(address) };
  };

  const show = async (ctx: Ctx, next: string, refused: boolean): Promise<Reply> =>
    loginPage({
      root,
      providers: await signIn.listProviderNames(ctx),
      asksPassword: await accounts.hasPasswords(ctx.db),
      isOpen: !(await accounts.hasAccounts(ctx.db)),
      next,
      refused,
    });

  const start = async (ctx: Ctx, exchange: Exchange): Promise<Reply> => {
    limit(ctx, exchange).note();
    const { provider, next } = exchange.query();
    const begun = await signIn.begin(ctx, means.secrets, {
      // What no database keeps is not asked of one.
      provider: typeof provider === 'string' ? provider.replaceAll('\0', '') : '',
      redirectUri: `${baseUrlOf(exchange, place)}/login/callback`,
      returnTo: signIn.localPath(typeof next === 'string' ? next : undefined, ACCOUNT),
      browserSecret: cookieOf(exchange, SIGN_IN_COOKIE),
    });
    setAttempt(exchange, place, begun.browserSecret, signIn.ATTEMPT_MS);
    return redirect(begun.url);
  };

  const callback = async (ctx: Ctx, exchange: Exchange): Promise<Reply> => {
    const attempt = limit(ctx, exchange);
    try {
      const query = exchange.rawQuery.slice(0, 8192);
      const { session, returnTo } = await signIn.finish(ctx, means.secrets, { query, browserSecret: cookieOf(exchange, SIGN_IN_COOKIE) });
      setAttempt(exchange, place, '', 0);
      setSession(exchange, place, session.secret, signIn.SESSION_MS);
      return redirect(`${root}${returnTo}`);
    } catch (error) {
      attempt.note();
      throw error;
    }
  };

  const withPassword = async (ctx: Ctx, exchange: Exchange): Promise<Reply> => {
    refuseForeignSite(exchange);
    const form = await readForm(exchange);
    const next = signIn.localPath(form('next'), ACCOUNT);
    const isRight = await gate.isPassword(exchange, form('name'), form('password'));
    const account = isRight ? await accounts.findByName(ctx, form('name')) : undefined;
    if (account?.state !== 'active') return show(ctx, next, true);
    const asThemselves: Ctx = { ...ctx, principal: { id: account.id, kind: 'user', name: account.name } };
    const session = await signIn.startSession(asThemselves, account, 'sign-in by password');
    setSession(exchange, place, session.secret, signIn.SESSION_MS);
    return redirect(`${root}${next}`);
  };

  const leave = async (ctx: Ctx, exchange: Exchange): Promise<Reply> => {
    refuseForeignSite(exchange);
    const secret = cookieOf(exchange, SESSION_COOKIE);
    if (secret !== undefined) await signIn.endSession(ctx, secret);
    clearSession(exchange, place);
    return redirect(`${root}/login`);
  };

  const answer =
    (work: (ctx: Ctx, exchange: Exchange) => Promise<Reply>): Handler =>
    async (exchange) => {
      const ctx = await gate.admit(exchange, 'public');
      try {
        return await work(ctx, exchange);
      } catch (error) {
        return refusalOf(error, exchange);
      }
    };

  /** A sentence for people. Defects and, for programs, Problems go their usual way. */
  const refusalOf = (error: unknown, exchange: Exchange): Reply => {
    if (error instanceof signIn.SignInRefused) {
      note(error, exchange);
      return refusedPage(root, 401, error.message);
    }
    if (!(error instanceof Problem) || !wantsPage(exchange)) throw error;
    if (error.status >= 500) note(error, exchange);
    return refusedPage(root, error.status, error.message);
  };

  const note = (error: Error, exchange: Exchange): void => {
    const reason = error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
    means.onRefusal({ reason, issuer: undefined, address: exchange.req.socket.remoteAddress ?? '' });
  };

  return [
    {
      method: 'GET',
      path: '/login',
      permission: 'public',
      handle: answer((ctx, exchange) => {
        const { next } = exchange.query();
        return show(ctx, signIn.localPath(typeof next === 'string' ? next : undefined, ACCOUNT), false);
      }),
    },
    { method: 'POST', path: '/login', permission: 'public', handle: answer(withPassword) },
    { method: 'GET', path: '/login/start', permission: 'public', handle: answer(start) },
    { method: 'GET', path: '/login/callback', permission: 'public', handle: answer(callback) },
    { method: 'POST', path: '/logout', permission: 'public', handle: answer(leave) },
  ];
}
