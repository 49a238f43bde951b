/** Pages of HTML for signing in: no script, nothing from elsewhere, light and dark, narrow and wide. */
import { createHash } from 'node:crypto';
import type { Reply } from '../platform/http/exchange.ts';

/** Text that is HTML already; everything else is escaped on its way into a page. */
export interface Html {
  readonly html: string;
}

type Part = string | number | Html | readonly Html[] | undefined;

export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { html: texts.map((text, at) => text + htmlOf(parts[at])).join('') };
}

function htmlOf(part: Part): string {
  if (part === undefined) return '';
  if (typeof part === 'string' || typeof part === 'number') return escapeHtml(String(part));
  return 'html' in part ? part.html : part.map((each) => each.html).join('');
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}

const STYLE = `
:root{color-scheme:light dark;--ink:#1c2430;--soft:#566273;--paper:#fff;--edge:#c9d1db;--tint:#f3f6f9;--link:#0b57b0;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--ink:#e3e8ee;--soft:#9aa7b6;--paper:#12161c;--edge:#3a4552;--tint:#1a2029;--link:#7db4ff;--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
main{max-width:46rem;margin:0 auto;padding:2rem clamp(1rem,4vw,2rem)}
main.small{max-width:25rem}
h1{margin:0 0 1rem;font-size:1.5rem}h2{margin:2rem 0 .5rem;font-size:1.1rem}
p{margin:.5rem 0}.note{color:var(--soft);font-size:.9rem}.bad{color:var(--bad)}
a{color:var(--link)}
form{margin:0}label{display:block;margin:.6rem 0 .2rem;font-size:.9rem}
input,select{width:100%;min-height:2.7rem;padding:.5rem;font:inherit;color:inherit;background:var(--paper);border:1px solid var(--edge);border-radius:.4rem}
button,.button{display:inline-block;padding:.5rem 1rem;font:inherit;color:inherit;background:var(--tint);border:1px solid var(--edge);border-radius:.4rem;cursor:pointer;text-decoration:none}
.wide{display:block;width:100%;margin:.5rem 0;text-align:center}
.first{color:var(--paper);background:var(--link);border-color:var(--link)}
button:focus-visible,.button:focus-visible,input:focus-visible,select:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.row{display:grid;grid-template-columns:2fr 1fr 1fr;gap:0 .8rem}.row+button{margin-top:.8rem}
code,pre{font:.88em ui-monospace,monospace;background:var(--tint);border-radius:.25em}code{padding:.08em .3em;overflow-wrap:anywhere}
pre{padding:.8rem;white-space:pre-wrap;overflow-wrap:anywhere;user-select:all}
.table{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92rem}th,td{text-align:left;padding:.4rem .6rem .4rem 0;border-top:1px solid var(--edge);vertical-align:middle}
.top{display:flex;justify-content:space-between;align-items:center;gap:1rem;flex-wrap:wrap}
@media (max-width:36rem){.row{grid-template-columns:1fr}}
`;

const POLICY =
  `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; ` +
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

export interface Page {
  readonly title: string;
  readonly body: Html;
  readonly status?: number;
  readonly isSmall?: boolean;
}

export function page({ title, body, status = 200, isSmall = false }: Page): Reply {
  const document = html`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title} – Countersign</title><style>${{ html: STYLE }}</style></head><body><main${isSmall ? html` class="small"` : undefined}>${body}</main></body></html>`;
  return {
    status,
    type: 'text/html; charset=utf-8',
    headers: {
      'Content-Security-Policy': POLICY,
      'Cache-Control': 'no-store',
      // Not no-referrer: forms would come from the origin `null`.
      'Referrer-Policy': 'same-origin',
      'X-Frame-Options': 'DENY',
    },
    body: document.html,
  };
}
