/**
 * Checks of versions: what CI and other tools say about their bytes. Every change of a run is a report of its own, nothing is overwritten. What
 * counts is up to the rules of policies; here stands for which bytes it was, and whether whoever said it was allowed to. Words stand beside the
 * events alone, so whoever erases them there has erased them everywhere.
 */
import type { CheckStatus } from '@countersign/contract/checks.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import type { CheckConclusion, CheckReport } from '@countersign/contract/policy-facts.ts';
import { Problem } from '@countersign/contract/problem.ts';
import { accountIdOf, type Ctx, reading, type TxCtx, transaction } from '../../platform/context.ts';
import { demand } from '../access/access.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as events from '../events/events.ts';
import type { ModelVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import type { ReportRow } from './check-store.ts';
import * as store from './check-store.ts';
import * as rules from './report-rules.ts';

export type { NewReport } from './report-rules.ts';

const EVENT = 'check.reported';
/** Apart, so that nobody who isn't entitled takes the room of those who are. */
const REPORTS_MAX = { entitled: 10_000, others: 1000 };

/** A report as it shows. */
export interface Check extends Omit<ReportRow, 'hasTexts' | 'afterSeq' | 'statusSince' | 'accountId'> {
  /** null once it is completed. */
  readonly deadlineAt: number | null;
  readonly isCurrent: boolean;
  readonly summary: string | null;
  readonly detailsUrl: string | null;
  readonly annotations: readonly rules.Annotation[];
  readonly artifacts: readonly rules.LeftArtifact[];
}

export interface Reported {
  readonly check: Check;
  readonly version: ModelVersion;
  /** The first of its run. */
  readonly isNew: boolean;
  /** False: the same was reported before. */
  readonly hasChanged: boolean;
}

/** `report.name` is the check's. Who may: see `checkEndpoints`. */
export function report(ctx: Ctx, model: string, number: number, report: rules.NewReport): Promise<Reported> {
  rules.refuseOtherChecks(ctx.tokenScope, report.name);
  rules.checkReport(report);
  return transaction(ctx, async (inner) => {
    const version = await versions.get(inner, model, number);
    const isEntitled = judgeReporter(inner, version, report.name);
    const digest = await artifacts.digestOfTree(inner, version.treeId);
    rules.refuseOtherBytes(report.digest, digest);
    const run = { versionId: version.id, name: report.name, externalId: report.externalId, accountId: accountIdOf(inner.principal) };
    const before = await store.findNewest(inner.tx, run);
    const at = inner.clock.now();
    const state = rules.nextState(before, report, { digest, isEntitled }, at);
    const texts = rules.textsOf(report);
    if (before !== undefined && (await isSame(inner, before, state, texts))) {
      const check = show(before, before.hasTexts ? texts : {}, digest, at);
      return { check, version, isNew: false, hasChanged: false };
    }
    await refuseTooMany(inner, version, isEntitled);
    const { seq: afterSeq } = await events.findEnd(inner.tx);
    const row = { ...run, ...state, reportedBy: inner.principal.id, hasTexts: Object.keys(texts).length > 0, afterSeq, reportedAt: at };
    const id = await store.insert(inner.tx, row, before);
    tell(inner, version, { ...row, id }, texts);
    return { check: show({ ...row, id, isNewest: true }, texts, digest, at), version, isNew: before === undefined, hasChanged: true };
  });
}

/** Whether it counts; PERMISSION_DENIED for whoever may not even have it shown. */
function judgeReporter(ctx: Ctx, version: ModelVersion, name: string): boolean {
  const object = { id: version.modelId, name: version.name };
  const { kind } = ctx.principal;
  const rank = ctx.access.rankOf('registered-model', object);
  const isEntitled = rules.isEntitled({ kind, tokenScope: ctx.tokenScope, rank }, name);
  demand(ctx, 'registered-model', object, isEntitled ? 'READ' : 'EDIT');
  return isEntitled;
}

async function isSame(ctx: Ctx, before: ReportRow, state: rules.ReportState, texts: rules.ReportTexts): Promise<boolean> {
  if (!rules.isSameState(before, state)) return false;
  const known = await listTexts(ctx, before.versionId, [before]);
  return rules.isSameTexts(known.get(before.id) ?? {}, texts);
}

async function refuseTooMany(ctx: TxCtx, version: ModelVersion, isEntitled: boolean): Promise<void> {
  const max = isEntitled ? REPORTS_MAX.entitled : REPORTS_MAX.others;
  if (!(await store.hasAsMany(ctx.tx, version.id, isEntitled, max))) return;
  throw new Problem(
    'INVALID_STATE',
    `Version ${version.version} of '${clip(version.name)}' has ${max} reports of checks${isEntitled ? '' : ' that count for nothing'}, and takes no more of them. Register the bytes as a version of their own.`,
  );
}

function tell(ctx: TxCtx, version: ModelVersion, row: Omit<ReportRow, 'isNewest'>, texts: rules.ReportTexts): void {
  events.record(ctx, {
    type: EVENT,
    modelId: version.modelId,
    versionId: version.id,
    target: `check:${row.name}`,
    data: {
      conclusion: row.conclusion,
      dataset: row.dataset,
      digest: row.digest,
      external_id: row.externalId,
      is_entitled: row.isEntitled,
      metrics: rules.metricPairs(row.metrics),
      name: row.name,
      number: version.version,
      report_id: row.id,
      status: row.status,
    },
    ...(row.hasTexts ? { texts } : {}),
  });
}

export interface ReportPage {
  /** Those before it; undefined: from the newest. */
  readonly beforeId: number | undefined;
  readonly limit: number;
  /** Every report of a run, not its last alone. */
  readonly history?: boolean;
  /** Every report of this check. */
  readonly name?: string | undefined;
}

/** Newest first. */
export async function listOfVersion(ctx: Ctx, version: ModelVersion, query: ReportPage): Promise<Check[]> {
  const db = reading(ctx);
  const page = { beforeId: query.beforeId ?? Number.MAX_SAFE_INTEGER, limit: query.limit };
  const rows = await (query.name !== undefined
    ? store.listOfName(db, version.id, query.name, page)
    : (query.history ? store.listHistory : store.listNewest)(db, version.id, page));
  const texts = await listTexts(ctx, version.id, rows);
  const digest = await artifacts.digestOfTree(ctx, version.treeId);
  const now = ctx.clock.now();
  return rows.map((row) => show(row, texts.get(row.id) ?? {}, digest, now));
}

/** What decisions are made from: all reports of these versions, each list ascending. A version without reports has an empty one. */
export async function listReports(ctx: Ctx, versionIds: readonly number[]): Promise<ReadonlyMap<number, readonly CheckReport[]>> {
  const now = ctx.clock.now();
  const rows = Map.groupBy(await store.listOfVersions(reading(ctx), versionIds), ({ versionId }) => versionId);
  return new Map(versionIds.map((id) => [id, (rows.get(id) ?? []).map((row) => factOf(row, now))]));
}

function factOf(row: ReportRow, now: number): CheckReport {
  const timedOutAt = rules.whenTimedOut(row, now);
  return {
    id: row.id,
    name: row.name,
    digest: row.digest,
    by: row.reportedBy,
    isEntitled: row.isEntitled,
    at: timedOutAt ?? row.reportedAt,
    conclusion: timedOutAt === undefined ? row.conclusion : 'timed_out',
    metrics: row.metrics,
    dataset: row.dataset ?? undefined,
  };
}

function show(row: ReportRow, texts: rules.ReportTexts, digest: string | null, now: number): Check {
  const { hasTexts: _hasTexts, afterSeq: _afterSeq, statusSince: _statusSince, accountId: _accountId, ...shown } = row;
  const timedOutAt = rules.whenTimedOut(row, now);
  const ended: { status: CheckStatus; conclusion: CheckConclusion | null; completedAt: number | null } =
    timedOutAt === undefined ? row : { status: 'completed', conclusion: 'timed_out', completedAt: timedOutAt };
  return {
    ...shown,
    status: ended.status,
    conclusion: ended.conclusion,
    completedAt: ended.completedAt,
    deadlineAt: timedOutAt === undefined ? rules.deadlineOf(row) : null,
    isCurrent: row.digest !== null && row.digest === digest,
    summary: texts.summary ?? null,
    detailsUrl: texts.details_url ?? null,
    // Both as `textsOf` wrote them.
    annotations: texts.annotations === undefined ? [] : (JSON.parse(texts.annotations) as rules.Annotation[]),
    artifacts: texts.artifacts === undefined ? [] : (JSON.parse(texts.artifacts) as rules.LeftArtifact[]),
  };
}

/** What is still there beside the events of these reports, by their ids. */
async function listTexts(ctx: Ctx, versionId: number, rows: readonly ReportRow[]): Promise<ReadonlyMap<number, rules.ReportTexts>> {
  const wanted = new Set(rows.flatMap((row) => (row.hasTexts ? [row.id] : [])));
  if (wanted.size === 0) return new Map();
  const db = reading(ctx);
  const seqs = new Map<number, number>();
  const fromSeq = Math.min(...rows.flatMap((row) => (row.hasTexts ? [row.afterSeq] : [])));
  for await (const { seq, body } of events.listAllOfVersion(db, { versionId, types: [EVENT], fromSeq })) {
    const { data } = JSON.parse(body) as { data: { report_id: number } }; // as `tell` writes it
    if (wanted.has(data.report_id)) seqs.set(data.report_id, seq);
    if (seqs.size === wanted.size) break;
  }
  const texts = await events.listTexts(db, [...seqs.values()]);
  return new Map([...seqs].map(([id, seq]) => [id, Object.fromEntries(texts.get(seq) ?? [])]));
}
