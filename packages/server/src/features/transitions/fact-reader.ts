/** Reads what a decision is made from, in the transaction of the change: the same facts for the change, for explain and for plan. */
import { durationMs } from '@countersign/contract/policies.ts';
import type { ApprovalBinding, CheckReport, PolicyFacts, Standing, Stay, VersionEvidence } from '@countersign/contract/policy-facts.ts';
import { type Ctx, reading } from '../../platform/context.ts';
import { listManagerIds } from '../access/access.ts';
import { hasAccounts, listPrincipals } from '../accounts/accounts.ts';
import * as approvals from '../approvals/approvals.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as blocks from '../blocks/blocks.ts';
import * as checks from '../checks/checks.ts';
import * as evidence from '../evidence/evidence.ts';
import * as people from '../people/people.ts';
import { type NamedPolicy, speakOf } from '../policies/policies.ts';
import type { ModelVersion } from '../versions/versions.ts';
import { type Incumbent, listIncumbents } from './incumbents.ts';
import type { TargetChange } from './operation-rules.ts';
import { listStays } from './stays.ts';

/** A version, or what would become one: what stands in its place in the facts. */
export interface Tested {
  readonly digest: string | null;
  readonly evidence: evidence.Evidence;
  readonly subject: Pick<ModelVersion, 'runId' | 'loggedModelId' | 'originVersionId' | 'registeredBy' | 'editedBy'>;
}

export interface Question extends approvals.Change {
  readonly change: TargetChange;
  readonly model: { readonly id: number; readonly name: string } | undefined;
  readonly tested: Tested | undefined;
  /** Of what is tested, where it has a number. */
  readonly version: ModelVersion | undefined;
  /** Those that are asked: what they don't speak of isn't read. */
  readonly policies: readonly NamedPolicy[];
  /** Where one change is of several versions, approvals are bound to all of them together. */
  readonly boundTo?: ApprovalBinding | undefined;
  /** Who must be known beside those that the facts name. */
  readonly alsoPeople?: readonly number[];
  /** Also the times before: for whoever wants to bring a version back. */
  readonly withHistory?: boolean;
}

/** What an approval of a change of no version is bound to: the words of its subject say it all. */
export const NO_BINDING: ApprovalBinding = { digest: null, evidence: '' };

export async function testVersion(ctx: Ctx, version: ModelVersion): Promise<Tested> {
  const [digest, known] = await Promise.all([artifacts.digestOfTree(ctx, version.treeId), evidence.settled(ctx, version)]);
  return { digest, evidence: known, subject: version };
}

export function bindingOf(tested: Tested | undefined): ApprovalBinding {
  return tested === undefined ? NO_BINDING : { digest: tested.digest, evidence: tested.evidence.digest };
}

export async function readFacts(ctx: Ctx, question: Question): Promise<PolicyFacts> {
  const { change, model, tested, policies } = question;
  const now = ctx.clock.now();
  const [open, live, origins, runAuthors, incumbents] = await Promise.all([
    approvals.listOpen(ctx, question),
    approvals.listLive(ctx, question),
    tested === undefined ? [] : evidence.originsOf(ctx, tested.subject),
    tested === undefined ? [] : evidence.runAuthorsOf(ctx, tested.subject),
    compares(question) ? listIncumbents(ctx, question) : [],
  ]);
  const requesters = [...new Set(open.map((request) => request.createdBy))];
  const [reports = [], ...theirReports] = await readReports(ctx, [{ versionId: question.version?.id, origins }, ...incumbents]);
  const standing = incumbents.map(
    ({ name, digest, metrics }, at): Standing => ({
      name,
      metrics,
      // For its own bytes: what was reported of others says nothing of it.
      checks: (theirReports[at] ?? []).filter((report) => report.digest === digest),
    }),
  );
  const version = tested === undefined ? undefined : await readVersion(ctx, question, tested, reports, incumbents);
  const creators = origins.map((origin) => origin.registeredBy);
  const lastEditors = tested === undefined ? [] : [tested.subject.editedBy];
  const [first = ctx.principal.id, ...others] = requesters;
  const quietMs = Math.max(0, ...policies.map(({ document }) => durationMs(document.requirements.quiet_after_change)));
  const { principals, accessChanges } = await people.readPeople(ctx, {
    ids: [
      ...new Set([
        ctx.principal.id,
        first,
        ...others,
        ...(tested === undefined ? [] : [tested.subject.registeredBy]),
        ...creators,
        ...runAuthors,
        ...lastEditors,
        ...live.map((approval) => approval.by),
        ...reports.map((report) => report.by),
        ...standing.flatMap((each) => each.checks.map((report) => report.by)),
        ...(question.alsoPeople ?? []),
        ...(change.target.kind === 'setting' ? await listManagerIds(ctx) : []),
      ]),
    ],
    groups: [...new Set(policies.flatMap(groupsIn))],
    model,
    changedSince: now - quietMs,
  });
  const requestedAt = open.reduce<number | undefined>((newest, each) => Math.max(newest ?? 0, each.createdAt), undefined);
  const binding = bindingOf(tested);
  const boundTo = question.boundTo ?? binding;
  return {
    now,
    hasAccounts: principals.some((each) => each.kind === 'user' && each.isActive) || (await hasAccounts(reading(ctx))),
    target: change.target,
    change: change.change,
    subject: question.subject,
    binding,
    principals,
    requesters: [first, ...others],
    requestedAt,
    creators,
    runAuthors,
    lastEditors,
    approvals: live.map((approval) =>
      // An approval of all versions together is one of each.
      approval.digest === boundTo.digest && approval.evidence === boundTo.evidence ? { ...approval, ...binding } : approval,
    ),
    accessChanges,
    version,
    standing,
    blocked: binding.digest === null ? undefined : (await blocks.find(ctx, [binding.digest])).get(binding.digest),
  };
}

interface Reported {
  /** Undefined: it has no number yet. */
  readonly versionId: number | undefined;
  readonly origins: readonly evidence.Origin[];
}

/**
 * The reports that count for each. A copy has what was reported of the version that it is copied from, too: a report counts for bytes, and what asks to
 * come in has no number yet. But for what people reported, whom managing that model entitled, and not this one.
 */
async function readReports(ctx: Ctx, asked: readonly Reported[]): Promise<readonly (readonly CheckReport[])[]> {
  const ids = asked.flatMap(({ versionId, origins }) => [
    ...(versionId === undefined ? [] : [versionId]),
    ...origins.map((each) => each.versionId),
  ]);
  if (ids.length === 0) return [];
  const reports = await checks.listReports(ctx, [...new Set(ids)]);
  const inheritedBy = asked.map(({ origins }) => origins.flatMap((origin) => reports.get(origin.versionId) ?? []));
  const reporters = inheritedBy.flat().map((report) => report.by);
  const known = reporters.length === 0 ? undefined : await listPrincipals(ctx, reporters);
  return asked.map(({ versionId }, at) => [
    ...(versionId === undefined ? [] : (reports.get(versionId) ?? [])),
    ...(inheritedBy[at] ?? []).filter(({ by }) => ['service', 'ci'].includes(known?.get(by)?.kind ?? '')),
  ]);
}

/** Whose members a decision by it must know. */
export function groupsIn({ document }: NamedPolicy): readonly string[] {
  const { requirements, rollback } = document;
  const roles = [...requirements.approvals, ...(rollback?.roles ?? [])].map((role) => role.group);
  return [...roles, requirements.breaking_signature_needs?.group].filter((group) => group !== undefined);
}

async function readVersion(
  ctx: Ctx,
  question: Question,
  tested: Tested,
  reports: readonly CheckReport[],
  incumbents: readonly Incumbent[],
): Promise<VersionEvidence> {
  const asksSignature = question.policies.some(({ document }) => document.requirements.breaking_signature_needs !== undefined);
  return {
    ...evidence.factsOf(tested.evidence),
    isSealed: tested.digest !== null,
    registeredBy: tested.subject.registeredBy,
    checks: reports,
    breaksSignature: asksSignature && incumbents.some((each) => evidence.breaksSignature(each.evidence, tested.evidence)),
    stays: await readStays(ctx, question, tested.digest),
  };
}

function readStays(ctx: Ctx, { policies, model, change, version, withHistory }: Question, digest: string | null): Promise<readonly Stay[]> {
  const soaks = policies.flatMap(({ document }) => document.requirements.soak ?? []);
  if (model === undefined || version === undefined || (soaks.length === 0 && withHistory !== true)) return Promise.resolve([]);
  return listStays(ctx, {
    modelId: model.id,
    version,
    digest,
    soaked: soaks.map(({ stage, alias }) => (stage === undefined ? `alias:${alias}` : `stage:${stage}`)),
    target: withHistory === true ? change.target : undefined,
  });
}

/** Whether what stands there now is asked at all. */
function compares({ policies, change }: Question): boolean {
  if (change.change !== 'enter') return false;
  return policies.some(
    ({ document: { requirements } }) =>
      requirements.breaking_signature_needs !== undefined ||
      requirements.metrics.some((rule) => rule.current !== undefined) ||
      speakOf(requirements, 'standing'),
  );
}
