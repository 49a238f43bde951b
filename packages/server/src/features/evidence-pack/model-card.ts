/**
 * The page of a pack that people read: the shipped template, filled in. One file without scripts or anything from elsewhere, readable in light and dark,
 * and on paper. Whatever people wrote is text here, never markup.
 */
import type { SignedCheckpoint } from '../checkpoints/checkpoints.ts';
import { checkpointLine } from '../checkpoints/checkpoints.ts';
import type { LineageGraph, LineageNode } from '../lineage/lineage.ts';
import { html, type Markup, page, type Rows, table } from './card-template.ts';
import type { Approvals, EventFacts } from './pack-event-rules.ts';
import { isObject } from './pack-rules.ts';

type Members = Readonly<Record<string, unknown>>;

export interface CardFacts {
  readonly version: Members & {
    readonly name: string;
    readonly version: number;
    readonly description: string | null;
    readonly tags: readonly { readonly key: string; readonly value: string }[];
    readonly blocked: { readonly reason: string; readonly at: number } | null;
    readonly seal: { readonly state: string; readonly reason: string | null; readonly digest: string | null };
  };
  readonly facts: readonly EventFacts[];
  readonly approvals: Approvals;
  readonly checks: readonly Members[];
  readonly lineage: LineageGraph;
  readonly policies: readonly { readonly hash: string; readonly name: string; readonly source: string }[];
  readonly people: readonly { readonly id: number; readonly kind: string; readonly name: string }[];
  readonly checkpoint: SignedCheckpoint;
  /** The content of the newest snapshot; undefined where none was taken. */
  readonly evidence: Members | undefined;
}

export function modelCard(facts: CardFacts): string {
  const { version, checkpoint } = facts;
  const who = (id: unknown): string => {
    const person = facts.people.find((each) => each.id === id);
    return person === undefined || person.name === '' ? `account ${String(id)}` : person.name;
  };
  const title = `${version.name}, version ${version.version}`;
  return page(title, [
    section('The version', summaryOf(facts, who)),
    section('Description', version.description ? html`<div class="prose">${version.description}</div>` : html`<p>None was written.</p>`),
    ...optional('Tags', version.tags.length, () =>
      table(
        ['Key', 'Value'],
        version.tags.map(({ key, value }) => [key, value]),
      ),
    ),
    ...(facts.evidence === undefined ? [] : evidenceSections(facts.evidence)),
    section('Checks', checksOf(facts.checks, who)),
    section('Requests and approvals', approvalsOf(facts, who)),
    section('Why changes were allowed', decisionsOf(facts.approvals.decisions, who)),
    ...optional('Policies', facts.policies.length, () =>
      facts.policies.map(({ name, hash, source }) => html`<h3>${name}</h3><p class="digest">${hash}</p><pre>${source}</pre>`),
    ),
    section('Where it comes from, and where it went', lineageOf(facts.lineage)),
    section(
      'What happened',
      table(
        ['Event', 'Time', 'What', 'Where', 'By'],
        facts.facts.map((event) => [String(event.seq), time(event.at), event.type, event.target ?? '', who(event.by)]),
      ),
    ),
    section(
      'How to check this',
      html`<p>This page is part of an evidence pack. <code>countersign evidence verify FILE --key KEY</code> holds everything in it against the signature of the server ${checkpoint.serverId}; it needs no server. All events above are under this checkpoint of ${time(checkpoint.time)}:</p><p class="digest">${checkpointLine(checkpoint)}</p>`,
    ),
  ]);
}

type Who = (id: unknown) => string;

function section(title: string, body: Markup | readonly Markup[]): Markup {
  return html`<section><h2>${title}</h2>${body}</section>`;
}

function optional(title: string, count: number, body: () => Markup | readonly Markup[]): Markup[] {
  return count === 0 ? [] : [section(title, body())];
}

function summaryOf({ version }: CardFacts, who: Who): Markup {
  const { seal } = version;
  const sealed = seal.digest ?? `not sealed (${seal.reason ?? seal.state}): nothing binds it to bytes`;
  const rows: Rows = [
    ['Sealed with', sealed],
    ['Registered by', `${who(version.registered_by)}, ${time(version.created_at)}`],
    ['Stage now', text(version.stage)],
    ['Aliases now', list(version.aliases) || 'none'],
    ['Run', text(version.run_id)],
    ['Lineage to the run', text(version.lineage)],
    ...(version.blocked === null ? [] : [['Blocked', `since ${time(version.blocked.at)}: ${version.blocked.reason}`]]),
    ...(version.damaged_at === null ? [] : [['Damaged', `stored bytes were found to differ since ${time(version.damaged_at)}`]]),
  ];
  return table([], rows);
}

function evidenceSections(evidence: Members): Markup[] {
  const rows = (name: string, columns: readonly string[]): Rows =>
    members(evidence[name]).map((each) => columns.map((column) => text(each[column])));
  const [metrics, params, datasets] = [
    rows('metrics', ['name', 'value', 'dataset']),
    rows('params', ['key', 'value']),
    rows('datasets', ['name', 'digest']),
  ];
  return [
    ...optional('Metrics', metrics.length, () => table(['Metric', 'Value', 'Dataset'], metrics)),
    ...optional('Parameters', params.length, () => table(['Parameter', 'Value'], params)),
    ...optional('Data', datasets.length, () => table(['Dataset', 'Digest'], datasets)),
    ...(isObject(evidence.signature) ? [section('Signature', html`<pre>${JSON.stringify(evidence.signature, null, 2)}</pre>`)] : []),
  ];
}

function checksOf(checks: readonly Members[], who: Who): Markup {
  if (checks.length === 0) return html`<p>None was reported.</p>`;
  const rows = checks.map((check) => [
    text(check.name),
    text(check.conclusion ?? check.status),
    short(check.digest),
    who(check.by),
    time(check.at),
    text(check.summary),
  ]);
  return table(['Check', 'Result', 'For the bytes', 'Reported by', 'Time', 'Summary'], rows);
}

function approvalsOf({ approvals: { requests, approvals }, policies }: CardFacts, who: Who): Markup[] {
  const names = (hashes: unknown): string =>
    (Array.isArray(hashes) ? hashes : []).map((hash) => policies.find((each) => each.hash === hash)?.name ?? short(hash)).join(', ');
  if (requests.length === 0) return [html`<p>Nothing was asked for.</p>`];
  const asked = requests.map((request) => [
    text(request.request_id),
    text(request.target),
    request.opened_by === undefined ? '' : `${who(request.opened_by)}, ${time(request.opened_at)}`,
    text(request.state ?? 'open'),
    text(request.comment),
  ]);
  const given = approvals.map((approval) => [
    text(approval.request_id),
    who(approval.by),
    time(approval.at),
    short(approval.digest),
    names(approval.policies),
    text(approval.comment),
  ]);
  return [
    table(['Request', 'For', 'Asked by', 'State', 'Comment'], asked),
    ...(given.length === 0 ? [] : [table(['Request', 'Approved by', 'Time', 'For the bytes', 'Under policies', 'Comment'], given)]),
  ];
}

function decisionsOf(decisions: readonly Members[], who: Who): Markup | Markup[] {
  if (decisions.length === 0) return html`<p>No policy was asked.</p>`;
  return decisions.map((decision) => {
    const reasons = members(decision.decision).flatMap((each) => [
      ...members(each.satisfied).map((item) => html`<li>${text(item.what)}</li>`),
      ...members(each.missing).map((item) => html`<li>Missing: ${text(item.what)}</li>`),
      ...members(each.weaknesses).map((item) => html`<li>Weakness: ${text(item.what)}</li>`),
    ]);
    const named = members(decision.policies).map((policy) => `${text(policy.name)} (${text(policy.mode)})`);
    const title = `${text(decision.target)} ${decision.change === 'leave' ? 'left' : 'entered'}, ${time(decision.at)}, by ${who(decision.by)}`;
    return html`<h3>${title}</h3><p>Let in by: ${text(decision.admission)}. Policies: ${named.join(', ') || 'none'}.</p><ul>${reasons}</ul>`;
  });
}

function lineageOf({ nodes, edges, isTruncated }: LineageGraph): Markup[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const rows = edges.map(({ from, to, kind, isClaimed, since, until }) => [
    nameOf(byId.get(from)),
    kind,
    nameOf(byId.get(to)),
    since === null ? '' : `${time(since)} to ${until === null ? 'now' : time(until)}`,
    isClaimed ? 'claimed' : '',
  ]);
  if (rows.length === 0) return [html`<p>Nothing is known.</p>`];
  return [table(['From', 'How', 'To', 'When', ''], rows), ...(isTruncated ? [html`<p>There is more than is shown here.</p>`] : [])];
}

function nameOf(node: LineageNode | undefined): string {
  return node === undefined ? '' : `${node.kind} ${node.name ?? '(hidden)'}`;
}

function members(value: unknown): readonly Members[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function list(value: unknown): string {
  return Array.isArray(value) ? value.map(text).join(', ') : '';
}

function text(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Enough to tell one digest from the next; the whole one stands in the files. */
function short(digest: unknown): string {
  const whole = text(digest);
  return whole.length > 16 ? `${whole.slice(0, 12)}…` : whole;
}

function time(value: unknown): string {
  return typeof value === 'number' && Number.isSafeInteger(value) ? new Date(value).toISOString().replace(/\.\d+Z$/, 'Z') : '';
}
