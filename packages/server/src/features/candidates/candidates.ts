/**
 * What would become a version of a governed model: its source is sealed when somebody asks, so that approvals are of exactly these bytes. It has a
 * manifest and a digest, and no number yet.
 */
import { Problem } from '@countersign/contract/problem.ts';
import { type Ctx, reading, type TxCtx } from '../../platform/context.ts';
import * as evidence from '../evidence/evidence.ts';
import { isPromptTagged } from '../models/models.ts';
import type { NewVersion, Resolved } from '../versions/versions.ts';
import type { CandidateRow } from './candidate-store.ts';
import * as store from './candidate-store.ts';

export interface Candidate extends Omit<CandidateRow, 'claim'> {
  readonly input: NewVersion;
  readonly resolved: Resolved;
}

/** What is written into `claim`. */
interface Claim {
  readonly input: NewVersion;
  readonly resolved: Resolved;
}

function fromRow({ claim, ...row }: CandidateRow): Candidate {
  return { ...row, ...(JSON.parse(claim) as Claim) }; // written by `make` alone
}

/** What evidence reads of something that has no number yet. */
export function subjectOf(input: NewVersion, resolved: Resolved): evidence.Subject {
  return {
    treeId: resolved.seal.treeId,
    runId: resolved.runId,
    loggedModelId: resolved.loggedModelId,
    lineage: resolved.lineage,
    isPrompt: isPromptTagged(input.tags) && resolved.lineage === 'none',
    description: input.description ?? null,
    tags: input.tags,
  };
}

/** INVALID_STATE where the server doesn't hold the whole of it. What waits already, from the same source with the same bytes, is what the caller asks for too. */
export async function make(ctx: TxCtx, modelId: number, input: NewVersion, resolved: Resolved): Promise<Candidate> {
  const { digest } = resolved.seal;
  if (digest === null) {
    throw new Problem(
      'INVALID_STATE',
      'A governed model takes only what can be sealed, and the server does not hold all files of this source. Upload the model through the server, finish it, and ask again.',
    );
  }
  const known = await findWaiting(ctx, modelId, resolved);
  const candidate = known ?? (await insert(ctx, modelId, { input, resolved }, digest));
  await store.addAsker(ctx.tx, candidate.id, ctx.principal.id, ctx.clock.now());
  return candidate;
}

async function insert(ctx: TxCtx, modelId: number, claim: Claim, digest: string): Promise<Candidate> {
  const { input, resolved } = claim;
  const row = {
    modelId,
    source: resolved.source,
    claim: JSON.stringify(claim),
    digest,
    treeId: resolved.seal.treeId,
    createdBy: ctx.principal.id,
    createdAt: ctx.clock.now(),
    originVersionId: resolved.originVersionId ?? null,
  };
  const id = await store.insert(ctx.tx, { ...row, workspaceId: ctx.workspace.id });
  // Metrics may be written later, by anyone who may edit the run: what counts is what is there now.
  await evidence.ensureOfCandidate(ctx, { id, modelId }, subjectOf(input, resolved));
  return fromRow({ ...row, id, versionId: null, closedAt: null });
}

/** What somebody, whoever, asked for from this source, with these bytes, and is no version yet. */
export async function findWaiting(ctx: Ctx, modelId: number, { source, seal: { digest } }: Resolved): Promise<Candidate | undefined> {
  const row = digest === null ? undefined : await store.findWaiting(reading(ctx), modelId, source, digest);
  return row && fromRow(row);
}

/** Whether what would enter is the same beside its bytes: what it is said to come from, its description and its tags. */
export function isSame(candidate: Candidate, input: NewVersion, resolved: Resolved): boolean {
  return wordsOf(candidate.input, candidate.resolved) === wordsOf(input, resolved);
}

function wordsOf({ description = '', runLink, tags }: NewVersion, { runId, loggedModelId, lineage }: Resolved): string {
  const sorted = tags.map(({ key, value }) => [key, value] as const).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([description, runLink, sorted, runId, loggedModelId, lineage]);
}

/** Ids of what would become a copy of one of these versions; at most so many. */
export function listWaitingIds(ctx: Ctx, originIds: readonly number[], limit: number): Promise<number[]> {
  return store.listWaitingIds(reading(ctx), originIds, limit);
}

/** What the caller asked for from a source, and wasn't given yet. */
export async function findAsked(ctx: Ctx, modelId: number, source: string): Promise<Candidate | undefined> {
  const row = await store.findAsked(reading(ctx), modelId, source, ctx.principal.id);
  return row && fromRow(row);
}

export async function find(ctx: Ctx, id: number): Promise<Candidate | undefined> {
  const row = await store.find(reading(ctx), id);
  return row && fromRow(row);
}

export function becomeVersion(ctx: TxCtx, candidate: Candidate, versionId: number): Promise<void> {
  return store.setVersion(ctx.tx, candidate.id, versionId);
}

/** The caller, who asked, was given the version. */
export function claim(ctx: TxCtx, candidate: Candidate): Promise<void> {
  return store.setClaimed(ctx.tx, candidate.id, ctx.principal.id, ctx.clock.now());
}

/** Nobody asks for it any more. */
export function close(ctx: TxCtx, id: number): Promise<void> {
  return store.close(ctx.tx, id, ctx.clock.now());
}

/** One of those who asked does so no more: it is the next one's, or nobody's. */
export async function leave(ctx: TxCtx, id: number, accountId: number, next: number | undefined): Promise<void> {
  if (next === undefined) return close(ctx, id);
  await store.removeAsker(ctx.tx, id, accountId);
  await store.passOn(ctx.tx, id, accountId, next);
}

/** For the collection of trees: those that are still needed. */
export function listReferredTrees(ctx: Ctx, treeIds: readonly number[]): Promise<number[]> {
  return store.listReferredTrees(reading(ctx), treeIds);
}
