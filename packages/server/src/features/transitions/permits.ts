/** The mint: asks the policies in force, records what they said, and makes the Permit that the rooms below demand. */
import { hash } from 'node:crypto';
import type { Admission, GovernedTarget, Permit } from '@countersign/contract/permit.ts';
import type { PolicyDecision } from '@countersign/contract/policy-decisions.ts';
import type { ApprovalBinding, PolicyFacts } from '@countersign/contract/policy-facts.ts';
import { Problem } from '@countersign/contract/problem.ts';
import canonicalize from 'canonicalize';
import type { Ctx, TxCtx, WorkspaceRef } from '../../platform/context.ts';
import * as breakGlass from '../break-glass/break-glass.ts';
import { record } from '../events/events.ts';
import { isPromptTagged } from '../models/models.ts';
import * as policies from '../policies/policies.ts';
import type { ModelVersion, NewVersion, Resolved } from '../versions/versions.ts';
import { bindingOf, NO_BINDING, type Question, readFacts, type Tested, testVersion } from './fact-reader.ts';
import { type Proposal, subjectOf, type TargetChange, targetWords } from './operation-rules.ts';
import { stagesOf } from './workspace-stages.ts';

export interface GovernedModel {
  readonly id: number;
  readonly name: string;
  readonly tags: readonly { readonly key: string; readonly value: string }[];
  readonly isPrompt: boolean;
}

/** One change at the door, with every governed target that it touches. */
export interface Operation {
  /** What the change is of, as requests and approvals name it. */
  readonly about: string;
  readonly proposal: Proposal;
  /** As requests and events name it. */
  readonly asks: TargetChange;
  /** Of what the change itself is of. */
  readonly changes: readonly TargetChange[];
  /** Read only where a policy is in force. undefined: the change is of no model. */
  readonly model: (() => Promise<GovernedModel>) | undefined;
  readonly version: ModelVersion | undefined;
  /** Whether what would become a version calls itself a prompt. */
  readonly isPrompt?: boolean;
  /** What would become a version. */
  readonly entering?: () => Promise<Tested>;
  /** From where it would come: a request seals it into a candidate. */
  readonly registration?: { readonly modelId: number; readonly input: NewVersion; readonly resolved: Resolved };
  /** In which a setting is judged. */
  readonly workspace?: WorkspaceRef;
  /** What holds where no policy is about it. */
  readonly fallback?: policies.PublishedPolicy;
  /** What the change does to other versions: each is asked for itself. */
  readonly others?: (inForce: policies.PoliciesInForce, model: GovernedModel | undefined) => Promise<readonly OtherChange[]>;
}

/** Of a version that a change of the whole model touches, or of the model itself. */
export interface OtherChange {
  readonly version?: ModelVersion;
  readonly change: TargetChange;
  readonly policy: policies.PublishedPolicy;
}

/** How somebody comes to the door. */
export type Way =
  /** `isAnswer`: he answers a request that no policy is about. */
  | { readonly by: 'caller'; readonly isAnswer?: boolean }
  /** What the approvals alone let happen: nobody's level is asked, so every policy must be satisfied and one must ask for approvals. */
  | { readonly by: 'approvals' }
  | { readonly by: 'rollback'; readonly reason: string };

export const AS_CALLER: Way = { by: 'caller' };

/** The policies said no: what is missing, and what would be asked for. */
export class Refused extends Problem {
  readonly operation: Operation;
  readonly decisions: readonly PolicyDecision[];
  /** Whether a policy says that a refused call opens the request. */
  readonly opensRequest: boolean;

  constructor(operation: Operation, decisions: readonly PolicyDecision[], opensRequest: boolean) {
    super('PERMISSION_DENIED', policies.refusalText(decisions));
    this.operation = operation;
    this.decisions = decisions;
    this.opensRequest = opensRequest;
  }
}

/** Approvals were asked to carry a change that they don't suffice for yet. */
export class NotYet extends Error {}

interface Asked {
  readonly question: Question;
  readonly change: TargetChange;
  readonly policy: policies.PublishedPolicy;
  readonly facts: PolicyFacts;
  readonly decision: PolicyDecision;
}

export interface Judgement {
  readonly asked: readonly Asked[];
  /** What an approval given now is bound to. */
  readonly binding: ApprovalBinding;
}

/** Throws Refused. Without a policy that is about the change, everything is allowed. */
export async function permit(ctx: TxCtx, operation: Operation, way: Way = AS_CALLER): Promise<Permit> {
  const { allowed, tell } = await admit(ctx, operation, way);
  tell(operation.version);
  return allowed;
}

interface Admitted {
  readonly allowed: Permit;
  /** Records why, in the caller's transaction. */
  readonly tell: (version: ModelVersion | undefined) => void;
}

/** As `permit`, for what has a number only once it is in: the caller tells which it got. */
export async function admit(ctx: TxCtx, operation: Operation, way: Way = AS_CALLER): Promise<Admitted> {
  const judgement = await judge(ctx, operation, way);
  if (way.by === 'approvals') demandApproved(judgement.asked);
  if (way.by === 'rollback') demandReturn(operation, judgement.asked);
  if (judgement.asked.length === 0) return { allowed: mint(operation, [], 'ungoverned'), tell: () => {} };
  const refused = judgement.asked.filter(({ decision }) => !decision.isAllowed);
  const admission = refused.length === 0 ? admissionOf(judgement.asked, way) : await breakGlassFor(ctx, operation, refused);
  const warning = policies.warningText(judgement.asked.map(({ decision }) => decision));
  if (warning !== '') ctx.warn?.(warning);
  const asked = judgement.asked.map(({ policy }) => policy);
  return { allowed: mint(operation, asked, admission), tell: (version) => recordAllowed(ctx, operation, judgement, admission, version) };
}

function mint(operation: Operation, asked: readonly policies.NamedPolicy[], admission: Admission): Permit {
  const targets = operation.changes.map(({ target }) => target);
  const hashes = [...new Set(asked.map(({ hash }) => hash))].sort();
  return { targets, policies: hashes, admission } as unknown as Permit; // the mark exists in types only; this function is the mint
}

/** Of nothing: for what is undone, and for what nobody has to be asked for. */
export function unasked(): Permit {
  return { targets: [], policies: [], admission: 'ungoverned' } as unknown as Permit; // as `mint`
}

/** What each policy that is about the change says of it. */
export async function judge(ctx: Ctx, operation: Operation, way: Way = AS_CALLER): Promise<Judgement> {
  const inForce = await policies.getInForce(ctx);
  // What moves to another workspace comes under that one's policies.
  const isFree = inForce.policies.length === 0 && operation.fallback === undefined && operation.proposal.op !== 'move';
  if (isFree) return { asked: [], binding: NO_BINDING };
  const model = await operation.model?.();
  const own: { change: TargetChange; policy: policies.PublishedPolicy }[] = [];
  const kinds = operation.version === undefined ? [operation.isPrompt ?? false] : kindsOf(operation.version);
  for (const change of operation.changes) {
    const chosen = await chooseEach(ctx, inForce, change.target, model, model === undefined ? [] : kinds);
    for (const policy of withFallback(operation, chosen)) own.push({ change, policy });
  }
  const others = (await operation.others?.(inForce, model)) ?? [];
  if (own.length === 0 && others.length === 0) return { asked: [], binding: NO_BINDING };
  return decideEach(ctx, operation, own, others, model, way);
}

/** What only observes takes nothing from the rule that holds where there is none. */
function withFallback({ fallback }: Operation, chosen: readonly policies.PublishedPolicy[]): readonly policies.PublishedPolicy[] {
  if (fallback === undefined || chosen.some(({ document }) => document.mode === 'enforce')) return chosen;
  return [...chosen, fallback];
}

/** As what a version is read: as it was registered, and as it calls itself. */
export function kindsOf(version: Pick<ModelVersion, 'isPrompt' | 'tags'>): readonly boolean[] {
  return [version.isPrompt, isPromptTagged(version.tags)];
}

/**
 * Policies on prompts leave models alone, and the other way round. A version that isn't what its model calls itself is read as both, so both are
 * asked: what a model is called is no way out of a policy.
 */
export async function chooseEach(
  ctx: Ctx,
  inForce: policies.PoliciesInForce,
  target: GovernedTarget,
  model: GovernedModel | undefined,
  kinds: readonly boolean[],
): Promise<readonly policies.PublishedPolicy[]> {
  if (model === undefined) return [(await choose(ctx, inForce, target, model)) ?? []].flat();
  const found = new Set<policies.PublishedPolicy>();
  for (const isPrompt of new Set([model.isPrompt, ...kinds])) {
    const policy = await choose(ctx, inForce, target, { ...model, isPrompt });
    if (policy !== undefined) found.add(policy);
  }
  return [...found];
}

export async function choose(
  ctx: Ctx,
  inForce: policies.PoliciesInForce,
  target: GovernedTarget,
  model: GovernedModel | undefined,
): Promise<policies.PublishedPolicy | undefined> {
  const choice = policies.choosePolicy(inForce.policies, {
    target,
    isPrompt: model?.isPrompt ?? false,
    model: model?.name ?? '',
    tags: Object.fromEntries(model?.tags.map(({ key, value }) => [key, value]) ?? []),
    stages: await stagesOf(ctx),
  });
  return inForce.policies.find((each) => each === choice.policy);
}

async function decideEach(
  ctx: Ctx,
  operation: Operation,
  own: readonly { readonly change: TargetChange; readonly policy: policies.PublishedPolicy }[],
  others: readonly OtherChange[],
  model: GovernedModel | undefined,
  way: Way,
): Promise<Judgement> {
  const tested = await testedBy(ctx, operation);
  const testedOf = new Map<number, Tested>();
  for (const { version } of others)
    if (version !== undefined && !testedOf.has(version.id)) testedOf.set(version.id, await testVersion(ctx, version));
  const binding = testedOf.size === 0 ? bindingOf(tested) : bindingOfAll(tested, testedOf);
  const common = { about: operation.about, subject: subjectOf(operation.proposal), model, boundTo: binding };
  const questions: { question: Question; policy: policies.PublishedPolicy }[] = [
    ...own.map(({ change, policy }) => ({
      policy,
      question: { ...common, change, tested, version: operation.version, policies: [policy] },
    })),
    ...others.map(({ change, policy, version }) => ({
      policy,
      question: { ...common, change, tested: version && testedOf.get(version.id), version, policies: [policy] },
    })),
  ];
  const asked: Asked[] = [];
  for (const { question, policy } of questions) asked.push(await ask(ctx, question, policy, way));
  return { asked, binding };
}

async function ask(ctx: Ctx, question: Question, policy: policies.PublishedPolicy, way: Way): Promise<Asked> {
  const { change } = question;
  if (way.by !== 'rollback' || change.change === 'leave') {
    const facts = await readFacts(ctx, question);
    return { question, change, policy, facts, decision: policies.decide(policy, facts) };
  }
  const facts = await readFacts(ctx, { ...question, withHistory: true });
  const asked = { caller: ctx.principal.id, reason: way.reason, listedDigests: policy.listedDigests };
  return { question, change, policy, facts, decision: policies.decideRollback(policy, facts, asked) };
}

/** Of several versions at once: another one among them, or other bytes of one, and it is another change. */
function bindingOfAll(own: Tested | undefined, others: ReadonlyMap<number, Tested>): ApprovalBinding {
  const all = [...others].sort(([a], [b]) => a - b);
  const combine = (texts: readonly (string | null)[]): string =>
    hash('sha256', canonicalize([...texts, own === undefined ? null : [own.digest, own.evidence.digest]]) ?? '');
  const isSealed = all.every(([, tested]) => tested.digest !== null) && own?.digest !== null;
  return {
    digest: isSealed ? combine(all.map(([id, tested]) => `${id}:${tested.digest}`)) : null,
    evidence: combine(all.map(([id, tested]) => `${id}:${tested.evidence.digest}`)),
  };
}

export async function testedBy(ctx: Ctx, operation: Operation): Promise<Tested | undefined> {
  if (operation.entering !== undefined) return operation.entering();
  return operation.version === undefined ? undefined : testVersion(ctx, operation.version);
}

function demandApproved(judged: readonly Asked[]): void {
  const isSatisfied = judged.every(({ decision }) => decision.isSatisfied);
  const isOfApprovals = judged.some(({ policy }) => policy.document.requirements.approvals.length > 0);
  if (!isSatisfied || !isOfApprovals) throw new NotYet();
}

/** Whoever brings a version back needs no level of his own, so no mode softens what the rule asks. */
function demandReturn(operation: Operation, judged: readonly Asked[]): void {
  if (judged.length === 0) {
    throw new Problem(
      'INVALID_STATE',
      'No policy is about this place, so there is no rule by which a version could come back. Move it there as any other.',
    );
  }
  const missing = judged.filter(({ decision }) => !decision.isSatisfied);
  if (missing.length > 0) throw refusalOf(operation, missing);
}

function admissionOf(judged: readonly Asked[], way: Way): Admission {
  if (way.by === 'rollback') return 'rollback';
  return judged.some(({ change, decision }) => change.change === 'enter' && decision.mode === 'enforce') ? 'policy' : 'ungoverned';
}

/** Each policy that refused must let the caller break its glass; else the refusal stands. */
async function breakGlassFor(ctx: TxCtx, operation: Operation, refused: readonly Asked[]): Promise<Admission> {
  const opened = new Set<number>();
  for (const { policy, question } of refused) {
    const { name } = policy.document;
    const found = policy.document.break_glass === undefined ? undefined : await breakGlass.factsFor(ctx, name, ctx.principal.id);
    if (found?.openingId === undefined) throw refusalOf(operation, refused);
    const alsoPeople = found.uses.flatMap((use) => (use.reviewedBy === undefined ? [use.by] : [use.by, use.reviewedBy]));
    const facts = await readFacts(ctx, { ...question, alsoPeople });
    const decision = policies.decideBreakGlass(policy, facts, { ...found, caller: ctx.principal.id });
    if (!decision.isAllowed) throw refusalOf(operation, refused, decision);
    opened.add(found.openingId);
  }
  for (const id of opened) {
    const { modelId, id: versionId } = operation.version ?? {};
    await breakGlass.markUsed(ctx, id, { subject: targetWords(operation.asks.target), modelId, versionId });
  }
  return 'break-glass';
}

/** `more`: why the glass doesn't break, where somebody opened it. */
function refusalOf(operation: Operation, refused: readonly Asked[], more?: PolicyDecision): Refused {
  const decisions = refused.map(({ decision }) => decision);
  // Nobody can ask for a setting otherwise.
  const isSetting = operation.proposal.op === 'setting';
  const opensRequest = isSetting || refused.some(({ policy }) => policy.document.on_refused === 'open_request');
  return new Refused(operation, more === undefined ? decisions : [...decisions, more], opensRequest);
}

/** Why it was allowed, for ever: policies and evidence by digest in the chain, the reasons, which name people, beside it. */
function recordAllowed(
  ctx: TxCtx,
  operation: Operation,
  { asked, binding }: Judgement,
  admission: Admission,
  version: ModelVersion | undefined,
): void {
  const main = operation.asks;
  const target = targetWords(main.target);
  const subject = subjectOf(operation.proposal);
  const versionId = version?.id;
  const modelId = version?.modelId ?? asked[0]?.question.model?.id;
  record(ctx, {
    type: 'transition.allowed',
    target,
    ...(modelId === undefined ? {} : { modelId }),
    ...(versionId === undefined ? {} : { versionId }),
    data: {
      about: operation.about,
      admission,
      approvals: asked[0]?.facts.approvals.map((each) => each.id) ?? [],
      change: main.change,
      digest: binding.digest,
      evidence: binding.evidence,
      policies: asked.map(({ policy, decision, change }) => ({
        change: change.change,
        hash: policy.hash,
        is_satisfied: decision.isSatisfied,
        mode: decision.mode,
        name: policy.document.name,
        path: decision.path,
        target: targetWords(change.target),
      })),
    },
    texts: {
      decision: canonicalize(asked.map(({ decision }) => decision)) ?? '[]',
      // Where the target says it all, it isn't said twice.
      ...(subject === target ? {} : { subject }),
    },
  });
}
