/** The native API as one page of HTML for people: no script, nothing from elsewhere, light and dark, narrow and wide. */
import { createHash } from 'node:crypto';
import { DOCUMENTATION_STYLE } from './documentation-style.ts';
import type { JsonSchema, OpenApiDocument, Operation, Parameter } from './openapi.ts';

/** What a Content-Security-Policy allows by its digest alone. */
export const STYLE_SOURCE = `'sha256-${createHash('sha256').update(DOCUMENTATION_STYLE).digest('base64')}'`;

export function documentationPage(document: OpenApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const groups = document.tags.map(({ name }) => ({ name, calls: operations.filter(({ operation }) => operation.tags.includes(name)) }));
  const contents = groups
    .map(({ name, calls }) => {
      const links = calls.map(({ operation }) => `<li><a href="#${operation.operationId}">${escapeHtml(operation.summary)}</a></li>`);
      return `<li><a href="#${slug(name)}">${escapeHtml(capital(name))}</a><ul>${links.join('')}</ul></li>`;
    })
    .join('');
  const sections = groups
    .map(
      ({ name, calls }) => `<section><h2 id="${slug(name)}">${escapeHtml(capital(name))}</h2>${calls.map(callSection).join('')}</section>`,
    )
    .join('');
  const schemas = Object.entries(document.components.schemas)
    .map(([name, schema]) => `<article id="schema-${name}"><h3>${name}</h3>${describe(schema)}${members(schema)}</article>`)
    .join('');
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">` +
    `<title>${escapeHtml(document.info.title)} API</title><style>${DOCUMENTATION_STYLE}</style></head><body>` +
    `<a class="skip" href="#content">Skip to the content</a><nav aria-label="Contents"><ul>${contents}<li><a href="#schemas">Schemas</a></li></ul></nav>` +
    `<main id="content"><h1>${escapeHtml(document.info.title)} API</h1>${paragraph(document.info.description)}` +
    `<p>The same for machines: <a href="openapi.json">openapi.json</a> (OpenAPI ${document.openapi}).</p>` +
    `${sections}<section><h2 id="schemas">Schemas</h2>${schemas}</section></main></body></html>`
  );
}

function callSection({ path, method, operation }: { path: string; method: string; operation: Operation }): string {
  const body = operation.requestBody?.content['application/json'].schema;
  const answers = Object.entries(operation.responses)
    .map(
      ([status, { content }]) =>
        `<li><b>${status === 'default' ? 'Refused' : status}</b> ${Object.entries(content).map(answerType).join(' ')}</li>`,
    )
    .join('');
  return (
    `<article id="${operation.operationId}"><h3>${escapeHtml(operation.summary)}</h3>` +
    `<p class="call"><span class="method ${method}">${method.toUpperCase()}</span> <code>${breakable(path)}</code></p>` +
    `${paragraph(operation.description)}<p class="note">Permission <code>${escapeHtml(operation['x-permission'])}</code></p>` +
    parameterTable(operation.parameters ?? []) +
    (body === undefined ? '' : `<h4>Body</h4>${members(body)}`) +
    `<h4>Answer</h4><ul>${answers}</ul></article>`
  );
}

function answerType([media, { schema }]: [string, { readonly schema: JsonSchema }]): string {
  return media === 'application/json' ? typeOf(schema) : `<code>${escapeHtml(media)}</code>`;
}

function parameterTable(parameters: readonly Parameter[]): string {
  const rows = parameters.map(({ name, in: where, required, description, schema }) =>
    row(name, `${where}${required ? '' : ', optional'}`, typeOf(schema), description),
  );
  return rows.length === 0 ? '' : `<h4>Parameters</h4>${table(rows)}`;
}

function members(schema: JsonSchema): string {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>);
  const required = (schema.required ?? []) as readonly string[];
  if (properties.length === 0) return '<p class="note">No members.</p>';
  const rows = properties.map(([name, each]) =>
    row(name, required.includes(name) ? '' : 'optional', typeOf(each), typeof each.description === 'string' ? each.description : undefined),
  );
  return table(rows);
}

function table(rows: readonly string[]): string {
  return `<div class="table"><table><tbody>${rows.join('')}</tbody></table></div>`;
}

function row(name: string, note: string, type: string, description: string | undefined): string {
  const under = note === '' ? '' : `<br><span class="note">${escapeHtml(note)}</span>`;
  return `<tr><th scope="row"><code>${breakable(name)}</code>${under}</th><td>${type}${paragraph(description)}</td></tr>`;
}

function describe(schema: JsonSchema): string {
  return paragraph(typeof schema.description === 'string' ? schema.description : undefined);
}

/** In words: `list of Tag`, `"a" or "b"`, `integer or null`. */
function typeOf(schema: JsonSchema): string {
  if (typeof schema.$ref === 'string') {
    const name = schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1);
    return `<a href="#schema-${name}">${name}</a>`;
  }
  if (Array.isArray(schema.anyOf)) return (schema.anyOf as JsonSchema[]).map(typeOf).join(' or ');
  if (Array.isArray(schema.enum)) return schema.enum.map((word) => `<code>${escapeHtml(JSON.stringify(word))}</code>`).join(' or ');
  if (schema.type === 'array') return `list of ${typeOf(schema.items as JsonSchema)}`;
  if (schema.type === 'object' && schema.properties !== undefined) {
    const inner = Object.entries(schema.properties as Record<string, JsonSchema>).map(
      ([name, each]) => `<code>${escapeHtml(name)}</code>: ${typeOf(each)}`,
    );
    return `{ ${inner.join(', ')} }`;
  }
  return typeof schema.type === 'string' ? schema.type : 'any JSON';
}

function paragraph(text: string | undefined): string {
  if (text === undefined) return '';
  return `<p>${escapeHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>')}</p>`;
}

/** Long paths break after a slash or an underscore, not off the screen. */
function breakable(text: string): string {
  return escapeHtml(text).replace(/([/_])/g, '$1<wbr>');
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function slug(text: string): string {
  return text.replaceAll(' ', '-');
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
