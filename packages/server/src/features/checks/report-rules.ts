/** What a report of a check may say, what it changes, and as what it shows later. Pure. */
import type { TokenScope } from '@countersign/contract/access.ts';
import { CHECK_DEADLINE_MINUTES, CHECK_SUMMARY_BYTES_MAX, type CheckStatus } from '@countersign/contract/checks.ts';
import { RANK, type Rank } from '@countersign/contract/levels.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { checkKey, checkLength } from '@countersign/contract/names.ts';
import type { CheckConclusion, MetricValues } from '@countersign/contract/policy-facts.ts';
import { invalid, Problem } from '@countersign/contract/problem.ts';

export interface Annotation {
  readonly title: string;
  readonly message: string;
  readonly level: 'notice' | 'warning' | 'failure';
}

export interface LeftArtifact {
  readonly name: string;
  readonly url: string;
  readonly sha256?: string | undefined;
}

/** What somebody says about a run of a check. */
export interface NewReport {
  readonly name: string;
  readonly externalId: string;
  readonly status: CheckStatus;
  readonly conclusion?: CheckConclusion | undefined;
  readonly detailsUrl?: string | undefined;
  readonly summary?: string | undefined;
  readonly startedAt?: number | undefined;
  readonly completedAt?: number | undefined;
  readonly metrics?: MetricValues | undefined;
  readonly dataset?: string | undefined;
  /** Of the bytes that were checked. */
  readonly digest?: string | undefined;
  readonly annotations?: readonly Annotation[] | undefined;
  readonly artifacts?: readonly LeftArtifact[] | undefined;
}

const METRIC_NAME_MAX = 250;

/** Throws INVALID_PARAMETER_VALUE. */
export function checkReport(report: NewReport): void {
  if (report.status === 'completed' && report.conclusion === undefined)
    throw invalid("A completed check needs its 'conclusion', such as success or failure.");
  if (report.status !== 'completed' && (report.conclusion !== undefined || report.completedAt !== undefined))
    throw invalid(
      `A check that is ${report.status} has no 'conclusion' and no 'completed_at' yet. Report it as completed, or leave them out.`,
    );
  if (report.startedAt !== undefined && report.completedAt !== undefined && report.completedAt < report.startedAt)
    throw invalid(`'completed_at' (${report.completedAt}) is before 'started_at' (${report.startedAt}).`);
  if (report.summary !== undefined && Buffer.byteLength(report.summary) > CHECK_SUMMARY_BYTES_MAX)
    throw invalid(
      `'summary' has ${Buffer.byteLength(report.summary)} bytes, at most ${CHECK_SUMMARY_BYTES_MAX} are kept. Link to the rest by 'details_url'.`,
    );
  for (const name of Object.keys(report.metrics ?? {})) {
    checkKey(name, 'metrics');
    checkLength(name, METRIC_NAME_MAX, 'metrics');
  }
  checkUrl(report.detailsUrl, 'details_url');
  for (const [i, { url }] of (report.artifacts ?? []).entries()) checkUrl(url, `artifacts/${i}/url`);
}

const LOOPBACK = /^(localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** People follow it from a page that they trust. */
function checkUrl(url: string | undefined, member: string): void {
  if (url === undefined) return;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isSafe = parsed?.protocol === 'https:' || (parsed?.protocol === 'http:' && LOOPBACK.test(parsed.hostname));
  if (!isSafe || parsed.username !== '' || parsed.password !== '')
    throw invalid(`'${member}' must be an https URL without name and password in it, got '${clip(url)}'.`);
}

export interface Reporter {
  readonly kind: 'local' | 'user' | 'service' | 'ci';
  readonly tokenScope: TokenScope | undefined;
  /** On the model. */
  readonly rank: Rank;
}

/** By the scope of its token; a person, who could give himself any, by managing the model. */
export function isEntitled(reporter: Reporter, name: string): boolean {
  const { kind, tokenScope, rank } = reporter;
  if (kind === 'ci' || kind === 'service') return carriesCheck(tokenScope, name);
  return rank >= RANK.MANAGE && (tokenScope === undefined || tokenScope.asks.has('admin'));
}

export function carriesCheck(scope: TokenScope | undefined, name: string): boolean {
  return scope?.checks.has(name) ?? false;
}

/** A token that is good for checks alone is good for those alone. Throws PERMISSION_DENIED. */
export function refuseOtherChecks(scope: TokenScope | undefined, name: string): void {
  if (scope === undefined || scope.asks.has('write') || scope.checks.has(name)) return;
  const names = [...scope.checks].map((each) => `'${each}'`).join(', ');
  throw new Problem(
    'PERMISSION_DENIED',
    `Permission denied: this token reports ${names === '' ? 'no check' : `the checks ${clip(names)} only`}, not '${clip(name)}'. Use a token with the scope 'check:${clip(name)}'.`,
  );
}

/** The texts of a report by their fields in its event. */
export type ReportTexts = Readonly<Record<string, string>>;

export function textsOf(report: NewReport): ReportTexts {
  return {
    ...(report.summary ? { summary: report.summary } : {}),
    ...(report.detailsUrl === undefined ? {} : { details_url: report.detailsUrl }),
    ...(report.annotations?.length ? { annotations: JSON.stringify(report.annotations) } : {}),
    ...(report.artifacts?.length ? { artifacts: JSON.stringify(report.artifacts) } : {}),
  };
}

/** What stands of a report in its row. */
export interface ReportState {
  readonly status: CheckStatus;
  readonly conclusion: CheckConclusion | null;
  readonly digest: string | null;
  readonly metrics: MetricValues;
  readonly dataset: string | null;
  readonly startedAt: number | null;
  readonly completedAt: number | null;
  readonly isEntitled: boolean;
  /** When it got its status. */
  readonly statusSince: number;
}

export interface Binding {
  /** Of the version's manifest. */
  readonly digest: string | null;
  readonly isEntitled: boolean;
}

/** What a report makes of a run. Throws INVALID_STATE where it would go back. */
export function nextState(before: ReportState | undefined, report: NewReport, binding: Binding, now: number): ReportState {
  const { status, conclusion = null } = report;
  if (before?.status === 'completed' && status !== 'completed') throw goesBack(report);
  const isSameEnd = before?.status === 'completed' && before.conclusion === conclusion;
  return {
    ...binding,
    status,
    conclusion,
    metrics: report.metrics ?? {},
    dataset: report.dataset ?? null,
    startedAt: report.startedAt ?? before?.startedAt ?? (status === 'in_progress' ? now : null),
    completedAt: status === 'completed' ? (report.completedAt ?? (isSameEnd ? before.completedAt : now)) : null,
    statusSince: before?.status === status ? before.statusSince : now,
  };
}

function goesBack({ name, externalId, status }: NewReport): Problem {
  return new Problem(
    'INVALID_STATE',
    `The run '${clip(externalId)}' of the check '${clip(name)}' is completed, and can't be ${status} again. Report another run under an 'external_id' of its own.`,
  );
}

/** Whether nothing of what is kept in the row differs. */
export function isSameState(a: ReportState, b: ReportState): boolean {
  const factsOf = (state: ReportState) =>
    JSON.stringify([state.status, state.conclusion, state.digest, writeMetrics(state.metrics), state.dataset]);
  return a.isEntitled === b.isEntitled && a.startedAt === b.startedAt && a.completedAt === b.completedAt && factsOf(a) === factsOf(b);
}

export function isSameTexts(a: ReportTexts, b: ReportTexts): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && a[name] === b[name]);
}

/** Pairs in the order of their names, each number as text that reads back as the very number: `NaN` and infinities too. */
export function metricPairs(metrics: MetricValues): [string, string][] {
  return Object.entries(metrics)
    .map(([name, value]): [string, string] => [name, Object.is(value, -0) ? '-0' : String(value)])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** As they are stored. */
export function writeMetrics(metrics: MetricValues): string {
  return JSON.stringify(metricPairs(metrics));
}

export function readMetrics(stored: string): MetricValues {
  const pairs = JSON.parse(stored) as [string, string][]; // as `writeMetrics` writes it
  return Object.fromEntries(pairs.map(([name, value]) => [name, Number(value)]));
}

const DEADLINE_MS = CHECK_DEADLINE_MINUTES * 60_000;

/** null once it is completed. */
export function deadlineOf(state: Pick<ReportState, 'status' | 'statusSince'>): number | null {
  return state.status === 'completed' ? null : state.statusSince + DEADLINE_MS;
}

/** What is reported of a run last ends at its deadline; what was reported before that stays as it was. */
export function whenTimedOut(
  report: Pick<ReportState, 'status' | 'statusSince'> & { readonly isNewest: boolean },
  now: number,
): number | undefined {
  const deadline = deadlineOf(report);
  return report.isNewest && deadline !== null && now >= deadline ? deadline : undefined;
}

/** Digests are written with the name of their hash or without. Throws RESOURCE_CONFLICT. */
export function refuseOtherBytes(given: string | undefined, digest: string | null): void {
  if (given === undefined || given.replace(/^sha256:/, '') === digest?.replace(/^sha256:/, '')) return;
  throw new Problem(
    'RESOURCE_CONFLICT',
    digest === null
      ? `The version isn't sealed, so it has no digest; '${clip(given)}' was checked. Seal it first, or leave 'digest' out.`
      : `The version has the digest '${digest}', and '${clip(given)}' was checked. Check the version's own bytes.`,
  );
}
