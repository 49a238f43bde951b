/** Markup that can't be broken by what is put into it, and the frame of the page. */

/** Only `html` makes it, so whatever isn't it is escaped. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Value = string | Markup | readonly Markup[];

/** What is put in is escaped, unless it is markup itself. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Markup {
  return new Markup(parts.map((part, at) => part + shown(values[at])).join(''));
}

function shown(value: Value | undefined): string {
  if (value === undefined) return '';
  if (value instanceof Markup) return value.text;
  return typeof value === 'string' ? escaped(value) : value.map((each) => each.text).join('');
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escaped(text: string): string {
  return (
    text
      .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
      // Nor does it turn the line around, or move anything.
      .replace(/(?![\n\t])\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
  );
}

export type Rows = readonly (readonly string[])[];

/** Without titles the first column names the second. */
export function table(titles: readonly string[], rows: Rows): Markup {
  const head = titles.length === 0 ? [] : [html`<thead><tr>${titles.map((title) => html`<th scope="col">${title}</th>`)}</tr></thead>`];
  const body = rows.map(
    (cells) =>
      html`<tr>${cells.map((cell, at) => (titles.length === 0 && at === 0 ? html`<th scope="row">${cell}</th>` : html`<td>${cell}</td>`))}</tr>`,
  );
  return html`<div class="wide"><table>${head}<tbody>${body}</tbody></table></div>`;
}

const STYLE = new Markup(`
:root { color-scheme: light dark; --line: #d0d7de; --quiet: #57606a; --page: #ffffff; --text: #1f2328; --soft: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --line: #3d444d; --quiet: #9198a1; --page: #0d1117; --text: #f0f6fc; --soft: #151b23; } }
body { margin: 0 auto; max-width: 70rem; padding: 2rem 1rem; font: 16px/1.5 system-ui, sans-serif; background: var(--page); color: var(--text); }
h1 { font-size: 1.75rem; overflow-wrap: anywhere; } h2 { font-size: 1.25rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; margin-top: 2rem; } h3 { font-size: 1rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .875rem; }
th, td { text-align: start; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; min-width: 4rem; }
th { color: var(--quiet); font-weight: 600; overflow-wrap: normal; } thead th { white-space: nowrap; }
pre, .digest, code { font: .8125rem/1.45 ui-monospace, monospace; } pre { background: var(--soft); border: 1px solid var(--line); padding: .75rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.digest { color: var(--quiet); overflow-wrap: anywhere; } .prose { white-space: pre-wrap; overflow-wrap: anywhere; }
@media print { body { max-width: none; padding: 0; font-size: 11pt; } .wide { overflow: visible; } h2, h3 { break-after: avoid; } tr { break-inside: avoid; } }
`);

/** One file: no script runs in it, and nothing is loaded from anywhere. */
export function page(title: string, sections: readonly Markup[]): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${sections}
</main>
</body>
</html>
`.text;
}
