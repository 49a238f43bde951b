/** What people see before they are signed in. */
import type { Reply } from '../platform/http/exchange.ts';
import { html, page } from './page.ts';

export interface LoginView {
  readonly root: string;
  readonly providers: readonly string[];
  /** Whether anybody has a password here. */
  readonly asksPassword: boolean;
  readonly isOpen: boolean;
  readonly next: string;
  readonly refused: boolean;
}

export function loginPage({ root, providers, asksPassword, isOpen, next, refused }: LoginView): Reply {
  const links = providers.map(
    (name) =>
      html`<a class="button wide first" href="${root}/login/start?${new URLSearchParams({ provider: name, next }).toString()}">Sign in with ${name}</a>`,
  );
  const form = html`<form method="post" action="${root}/login">
<input type="hidden" name="next" value="${next}">
<label for="name">Name</label><input id="name" name="name" autocomplete="username" required maxlength="250">
<label for="password">Password</label><input id="password" name="password" type="password" autocomplete="current-password" required maxlength="1024">
<p><button class="wide${links.length === 0 ? ' first' : ''}">Sign in</button></p></form>`;
  const nothing = isOpen
    ? html`<p>This server has no accounts yet: whoever reaches it on its own machine administers it, and nobody signs in. The first account is made by <code>countersign user create NAME --admin</code>.</p>`
    : html`<p>Nobody signs in by a browser here: there is no identity provider, and no account has a password.</p>`;
  return page({
    title: 'Sign in',
    status: refused ? 401 : 200,
    isSmall: true,
    body: html`<h1>Sign in</h1>
${refused ? html`<p class="bad" role="alert">This name and password don't let you in.</p>` : undefined}
${links}${links.length > 0 && asksPassword ? html`<h2>With a password</h2>` : undefined}${asksPassword ? form : undefined}
${links.length === 0 && !asksPassword ? nothing : undefined}`,
  });
}

export function refusedPage(root: string, status: number, sentence: string): Reply {
  return page({
    title: 'Not signed in',
    status,
    isSmall: true,
    body: html`<h1>Not signed in</h1><p role="alert">${sentence}${/[.!?]$/.test(sentence) ? '' : '.'}</p><p><a class="button" href="${root}/login">Back to the sign-in</a></p>`,
  });
}
