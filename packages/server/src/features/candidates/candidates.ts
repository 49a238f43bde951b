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

/** INVALID_STATE where the server doesn't hold the whole of it. The same bytes from the same source, asked by the same, are the same candidate. */
export async function make(ctx: TxCtx, modelId: number, input: NewVersion, resolved: Resolved): Promise<Candidate> {
  const { digest } = resolved.seal;
  if (digest === null) {
    throw new Problem(
      'INVALID_STATE',
      'A governed model takes only what can be sealed, and the server does not hold all files of this source. Upload the model through the server, finish it, and ask again.',
    );
  }
  const known = await findAsked(ctx, modelId, resolved.source);
  if (known !== undefined && known.digest === digest && known.versionId === null) return known;
  const by = ctx.principal.id;
  const claim: Claim = { input, resolved };
  const row = {
    modelId,
    source: resolved.source,
    claim: JSON.stringify(claim),
    digest,
    treeId: resolved.seal.treeId,
    createdBy: by,
    createdAt: ctx.clock.now(),
  };
  const id = await store.insert(ctx.tx, { ...row, workspaceId: ctx.workspace.id });
  // Metrics may be written later, by anyone who may edit the run: what counts is what is there now.
  await evidence.ensureOfCandidate(ctx, { id, modelId }, subjectOf(input, resolved));
  return fromRow({ ...row, id, versionId: null, claimedAt: null, closedAt: null });
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

/** Whoever asked was given the version. */
export function claim(ctx: TxCtx, candidate: Candidate): Promise<void> {
  return store.setClaimed(ctx.tx, candidate.id, ctx.clock.now());
}

/** Nobody asks for it any more. */
export function close(ctx: TxCtx, id: number): Promise<void> {
  return store.close(ctx.tx, id, ctx.clock.now());
}

/** For the collection of trees: those that are still needed. */
export function listReferredTrees(ctx: Ctx, treeIds: readonly number[]): Promise<number[]> {
  return store.listReferredTrees(reading(ctx), treeIds);
}
