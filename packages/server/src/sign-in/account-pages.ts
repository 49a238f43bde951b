/** Who is signed in, and tokens for programs. */
import type { Token } from '../features/tokens/tokens.ts';
import type { Reply } from '../platform/http/exchange.ts';
import { type Html, html, page } from './page.ts';

export interface AccountView {
  readonly root: string;
  readonly name: string;
  readonly displayName: string | null;
  readonly groups: readonly string[];
  readonly isAdmin: boolean;
  /** The server has no accounts yet. */
  readonly isOpen: boolean;
  /** Those that are not over. Undefined where the caller can have none. */
  readonly tokens: readonly Token[] | undefined;
  readonly hasSession: boolean;
  readonly now: number;
}

export const TOKEN_DAYS = [7, 30, 90, 365] as const;
const DEFAULT_DAYS = 90;
export const TOKEN_SCOPES = ['write', 'read', 'admin'] as const;
const SCOPE_LABELS = { write: 'read and write', read: 'read only', admin: 'all that I may do' } as const;

export function accountPage(view: AccountView): Reply {
  const { root, name, displayName, groups, isAdmin, tokens } = view;
  return page({
    title: 'Account',
    body: html`<div class="top"><h1>${displayName ?? name}</h1>${
      view.hasSession ? html`<form method="post" action="${root}/logout"><button>Sign out</button></form>` : undefined
    }</div>
<p>Signed in as <code>${name}</code>${isAdmin ? ', an administrator of the server' : ''}.${
      groups.length > 0 ? html` Groups: ${groups.join(', ')}.` : undefined
    }</p>
${
  tokens === undefined
    ? html`<p class="note">${view.isOpen ? html`This server has no accounts yet: programs on its machine need no token. The first account is made by <code>countersign user create NAME --admin</code>.` : 'There are no tokens to make here: this is no account of a person.'}</p>`
    : html`<h2>Tokens</h2><p class="note">For programs: <code>MLFLOW_TRACKING_TOKEN</code>, or as the password of your name.</p>${
        tokens.length > 0 ? tokenTable(view, tokens) : html`<p>You have no tokens.</p>`
      }<h2>Make a token</h2>${tokenForm(root)}`
}`,
  });
}

function tokenTable({ root, now }: AccountView, tokens: readonly Token[]): Html {
  const rows = tokens.map(
    (token) => html`<tr><td>${token.name}<br><span class="note"><code>${token.hint}…</code> ${token.scopes.join(', ')}</span></td>
<td>${token.expiresAt === null ? 'until revoked' : `until ${dayOf(token.expiresAt)}`}<br><span class="note">${lastUse(token, now)}</span></td>
<td><form method="post" action="${root}/account/tokens/revoke"><input type="hidden" name="id" value="${token.id}"><button aria-label="Revoke ${token.name}">Revoke</button></form></td></tr>`,
  );
  return html`<div class="table"><table><thead><tr><th scope="col">Token</th><th scope="col">Lives</th><th scope="col"></th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

function lastUse({ lastUsedAt }: Token, now: number): string {
  if (lastUsedAt === null) return 'never used';
  return now - lastUsedAt < 86_400_000 ? 'used in the last day' : `last used ${dayOf(lastUsedAt)}`;
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

function tokenForm(root: string): Html {
  const days = TOKEN_DAYS.map(
    (each) => html`<option value="${each}"${each === DEFAULT_DAYS ? html` selected` : undefined}>${each} days</option>`,
  );
  const scopes = TOKEN_SCOPES.map((each) => html`<option value="${each}">${SCOPE_LABELS[each]}</option>`);
  return html`<form method="post" action="${root}/account/tokens"><div class="row">
<div><label for="token-name">What it is for</label><input id="token-name" name="name" required maxlength="200" placeholder="my laptop"></div>
<div><label for="token-scope">It may</label><select id="token-scope" name="scope">${scopes}</select></div>
<div><label for="token-days">It lives</label><select id="token-days" name="days">${days}</select></div>
</div><button class="first">Make it</button></form>`;
}

export function newTokenPage(view: { root: string; baseUrl: string | undefined; token: Token; secret: string }): Reply {
  const { root, baseUrl, token, secret } = view;
  return page({
    title: 'New token',
    body: html`<h1>${token.name}</h1><p role="status">This token is shown once. Copy it now.</p><pre>${secret}</pre>
<p>For MLflow's client:</p><pre>${baseUrl === undefined ? undefined : `export MLFLOW_TRACKING_URI=${baseUrl}\n`}export MLFLOW_TRACKING_TOKEN=${secret}</pre>
<p><a class="button" href="${root}/account">Back to the account</a></p>`,
  });
}
