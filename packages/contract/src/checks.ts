/** Checks: what CI and other tools report about a version. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import type { CheckConclusion } from './policy-facts.ts';
import {
  closed,
  Id,
  MetricValue,
  ModelName,
  NextPageToken,
  named,
  nullable,
  oneOf,
  PageToken,
  PrincipalRef,
  Time,
  VersionNumber,
} from './schemas.ts';
import { ByVersion } from './versions.ts';

export const CHECK_STATUSES = ['queued', 'in_progress', 'completed'] as const;
export type CheckStatus = (typeof CHECK_STATUSES)[number];

/** GitHub's words, so that nothing has to be translated. */
export const CHECK_CONCLUSIONS = [
  'success',
  'failure',
  'neutral',
  'cancelled',
  'skipped',
  'timed_out',
  'action_required',
] as const satisfies readonly CheckConclusion[];

/** A check that isn't completed by then counts as timed out. */
export const CHECK_DEADLINE_MINUTES = 60;
export const CHECK_ANNOTATIONS_MAX = 50;
export const CHECK_METRICS_MAX = 100;
export const CHECK_SUMMARY_BYTES_MAX = 65_536;
export const CHECKS_PAGE = 100;

const ARTIFACTS_MAX = 50;
const URL_MAX = 2000;

const CheckName = Type.String({
  minLength: 1,
  maxLength: 100,
  pattern: '^[\\w.:/-]([\\w.:/ -]*[\\w.:/-])?$',
  description: 'As policies and the scopes of tokens call it: `ci/tests`. Letters of ASCII, digits, `_ . : / -` and spaces inside.',
});
const ExternalId = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^[\\x21-\\x7e]+$',
  description: 'Which run of the check it is, in words of whoever reports it: `github-8100/1`. Printable ASCII without spaces.',
});
const Conclusion = oneOf(CHECK_CONCLUSIONS, 'How it ended.');
const Url = Type.String({ minLength: 1, maxLength: URL_MAX, description: 'https; http for this very machine.' });
const Metrics = Type.Record(Type.String({ minLength: 1 }), MetricValue, {
  maxProperties: CHECK_METRICS_MAX,
  description: 'What it measured.',
});
const Dataset = Type.String({ minLength: 1, maxLength: 500, description: 'Name of the dataset that the metrics are on.' });
const Annotations = Type.Array(
  closed({
    title: Type.String({ maxLength: 255 }),
    message: Type.String({ maxLength: 1000 }),
    level: oneOf(['notice', 'warning', 'failure']),
  }),
  { maxItems: CHECK_ANNOTATIONS_MAX },
);
const Artifacts = Type.Array(
  closed({
    name: Type.String({ minLength: 1, maxLength: 255 }),
    url: Url,
    sha256: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Of its bytes, in hexadecimal.' })),
  }),
  { maxItems: ARTIFACTS_MAX, description: 'What it left behind, wherever that is kept.' },
);

export const CheckReportSchema = named('CheckReport', {
  id: Type.Integer({ minimum: 1, description: 'Ascends in the order of the reports.' }),
  version_id: Id,
  name: Type.String(),
  external_id: Type.String(),
  status: oneOf(CHECK_STATUSES),
  conclusion: nullable(Conclusion, 'null until it is completed.'),
  digest: nullable(
    Type.String(),
    "Of the version's manifest when it was reported; null where that was unsealed: then it counts for nothing.",
  ),
  is_current: Type.Boolean({ description: 'Whether these are the bytes that the version has now.' }),
  is_entitled: Type.Boolean({
    description: 'Whether whoever reported it was allowed to report this name then. Others are shown, and do not count.',
  }),
  is_newest: Type.Boolean({ description: 'Of its run.' }),
  details_url: nullable(Type.String(), 'null where there is none, or it was erased. So with the summary.'),
  summary: nullable(Type.String(), 'Markdown of whoever reported it.'),
  started_at: nullable(Time),
  completed_at: nullable(Time),
  deadline_at: nullable(Time, 'When it counts as timed out; null once it is completed.'),
  metrics: Type.Record(Type.String(), MetricValue),
  dataset: nullable(Type.String()),
  annotations: Annotations,
  artifacts: Artifacts,
  reported_by: PrincipalRef,
  reported_at: Time,
});

const CheckPage = named('CheckPage', { checks: Type.Array(CheckReportSchema), next_page_token: NextPageToken });
const Limit = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: CHECKS_PAGE,
    default: CHECKS_PAGE,
    description: `Entries in a page; ${CHECKS_PAGE} where it is left out.`,
  }),
);

export const checkEndpoints = [
  endpoint({
    id: 'reportCheck',
    noun: 'checks',
    method: 'POST',
    path: '/api/v1/models/{name}/versions/{version}/checks',
    permission: 'check.report',
    summary: 'Report a check of a version.',
    description:
      `201 for a new run, 200 for one that was reported before; the same again changes nothing. Nothing is overwritten: each change is a report of its own. ` +
      `What is completed goes back to no earlier status (INVALID_STATE); what is not completed ${CHECK_DEADLINE_MINUTES} minutes after it got its status ` +
      'shows as timed_out. It counts where a CI job or a service account reports it whose token has the scope `check:<name>`, or who manages the model, by a ' +
      'token with the scope `admin` or signed in; a job or service account with the scope needs READ on the model, everybody else EDIT. ' +
      'RESOURCE_CONFLICT where the digest that is given is not that of the version.',
    params: ByVersion,
    body: closed({
      name: CheckName,
      external_id: ExternalId,
      status: oneOf(CHECK_STATUSES),
      conclusion: Type.Optional(Conclusion),
      details_url: Type.Optional(Url),
      summary: Type.Optional(Type.String({ description: `Markdown of at most ${CHECK_SUMMARY_BYTES_MAX / 1024} KiB.` })),
      started_at: Type.Optional(
        Type.Integer({ minimum: 0, description: 'Epoch milliseconds; when it was first reported in progress without it.' }),
      ),
      completed_at: Type.Optional(Type.Integer({ minimum: 0, description: 'Epoch milliseconds; now without it.' })),
      metrics: Type.Optional(Metrics),
      dataset: Type.Optional(Dataset),
      digest: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 100,
          description: 'Of the bytes that were checked: the digest of the seal, with `sha256:` or without.',
        }),
      ),
      annotations: Type.Optional(Annotations),
      artifacts: Type.Optional(Artifacts),
    }),
    output: named('ReportedCheck', {
      check: CheckReportSchema,
      is_new: Type.Boolean({ description: 'Whether it is the first report of this run.' }),
    }),
    status: 201,
    isRepeatable: true,
  }),
  endpoint({
    id: 'listChecks',
    noun: 'checks',
    method: 'GET',
    path: '/api/v1/models/{name}/versions/{version}/checks',
    permission: 'model-version.view',
    summary: 'List the checks of a version, as each run was reported last, newest first.',
    params: ByVersion,
    query: closed({
      history: Type.Optional(Type.Boolean({ default: false, description: 'Earlier reports of each run too.' })),
      limit: Limit,
      page_token: PageToken,
    }),
    output: CheckPage,
  }),
  endpoint({
    id: 'listCheckHistory',
    noun: 'checks',
    method: 'GET',
    path: '/api/v1/models/{name}/versions/{version}/checks/{check}/history',
    permission: 'model-version.view',
    summary: 'List every report of one check of a version, newest first.',
    params: closed({ name: ModelName, version: VersionNumber, check: CheckName }),
    query: closed({ limit: Limit, page_token: PageToken }),
    output: CheckPage,
  }),
] as const;
