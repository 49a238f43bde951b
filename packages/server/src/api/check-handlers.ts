import type { CheckReportSchema, checkEndpoints } from '@countersign/contract/checks.ts';
import { CHECKS_PAGE } from '@countersign/contract/checks.ts';
import type { AnswerOf, InputOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import type { Static } from 'typebox';
import * as catalog from '../features/catalog/catalog.ts';
import * as checks from '../features/checks/checks.ts';
import * as requests from '../features/requests/requests.ts';
import * as versions from '../features/versions/versions.ts';
import type { Ctx } from '../platform/context.ts';
import { decodeOffset, encodeOffset } from '../platform/db/page-token.ts';
import type { Handlers } from './handlers.ts';

/** What waited for the report is carried out with it. */
const report = requests.reportCheck;

async function answerChecks(ctx: Ctx, list: readonly checks.Check[]): Promise<Static<typeof CheckReportSchema>[]> {
  const principalOf = await catalog.listPrincipals(
    ctx,
    list.map(({ reportedBy }) => reportedBy),
  );
  return list.map((check) => ({
    id: check.id,
    version_id: check.versionId,
    name: check.name,
    external_id: check.externalId,
    status: check.status,
    conclusion: check.conclusion,
    digest: check.digest,
    is_current: check.isCurrent,
    is_entitled: check.isEntitled,
    is_newest: check.isNewest,
    details_url: check.detailsUrl,
    summary: check.summary,
    started_at: check.startedAt,
    completed_at: check.completedAt,
    deadline_at: check.deadlineAt,
    metrics: Object.fromEntries(Object.entries(check.metrics).map(([name, value]) => [name, metricToWire(value)])),
    dataset: check.dataset,
    annotations: check.annotations.map((each) => ({ ...each })),
    artifacts: check.artifacts.map(({ name, url, sha256 }) => (sha256 === undefined ? { name, url } : { name, url, sha256 })),
    reported_by: principalOf(check.reportedBy),
    reported_at: check.reportedAt,
  }));
}

function metricToWire(value: number): number | 'NaN' | 'Infinity' | '-Infinity' {
  if (Number.isNaN(value)) return 'NaN';
  if (Number.isFinite(value)) return value;
  return value > 0 ? 'Infinity' : '-Infinity';
}

async function reportCheck(ctx: Ctx, { params, body }: InputOf<EndpointOf<'reportCheck'>>): Promise<AnswerOf<EndpointOf<'reportCheck'>>> {
  const metrics = Object.entries(body.metrics ?? {}).map(([name, value]) => [name, Number(value)]);
  const { check, isNew } = await report(ctx, params.name, params.version, {
    name: body.name,
    externalId: body.external_id,
    status: body.status,
    conclusion: body.conclusion,
    detailsUrl: body.details_url,
    summary: body.summary,
    startedAt: body.started_at,
    completedAt: body.completed_at,
    metrics: Object.fromEntries(metrics),
    dataset: body.dataset,
    digest: body.digest,
    annotations: body.annotations,
    artifacts: body.artifacts,
  });
  const [answer] = await answerChecks(ctx, [check]);
  if (answer === undefined) throw new TypeError('one check is answered as one');
  return { check: answer, is_new: isNew };
}

interface ListQuery {
  readonly history?: boolean;
  readonly limit?: number;
  readonly page_token?: string;
}

async function listChecks(ctx: Ctx, model: string, number: number, query: ListQuery, name?: string) {
  const version = await versions.get(ctx, model, number);
  const limit = query.limit ?? CHECKS_PAGE;
  const found = await checks.listOfVersion(ctx, version, {
    beforeId: decodeOffset(query.page_token) || undefined,
    limit: limit + 1,
    history: query.history ?? false,
    name,
  });
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return { checks: await answerChecks(ctx, page), next_page_token: found.length > limit && last ? encodeOffset(last.id) : null };
}

export const checkHandlers: Handlers<(typeof checkEndpoints)[number]['id']> = {
  reportCheck,
  listChecks: (ctx, { params, query }) => listChecks(ctx, params.name, params.version, query),
  listCheckHistory: (ctx, { params, query }) => listChecks(ctx, params.name, params.version, query, params.check),
};
