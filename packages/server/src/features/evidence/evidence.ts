/**
 * Evidence: what is known of a version at a moment, kept as a snapshot with a digest of its own. Rules read snapshots, never live metrics, which anybody
 * with EDIT may write after a run has ended.
 */
import { type Ctx, reading, type TxCtx, transaction } from '../../platform/context.ts';
import { Unprepared } from '../../platform/db/database.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import { record } from '../events/events.ts';
import * as loggedModels from '../logged-models/logged-models.ts';
import * as models from '../models/models.ts';
import * as runs from '../runs/runs.ts';
import type { ModelVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import * as store from './evidence-store.ts';
import { writtenSections } from './model-card-rules.ts';
import { areRemembered, NOTHING_SEALED, type OnDamage, readSealedFiles, type SealedFacts } from './sealed-files.ts';
import { signatureBreaks } from './signature-rules.ts';
import { type Evidence, evidenceOf, readEvidence } from './snapshot-rules.ts';
import { readTracked, type TrackedFacts } from './tracked-facts.ts';

export { NOTHING_SEALED, readSealedFiles, type SealedFacts } from './sealed-files.ts';
export { signatureBreaks } from './signature-rules.ts';
export { type Evidence, factsOf, type SnapshotContent, type SnapshotFacts } from './snapshot-rules.ts';

/** What evidence is read of: a version, or what is about to become one. */
export type Subject = Pick<ModelVersion, 'treeId' | 'runId' | 'loggedModelId' | 'lineage' | 'tags' | 'description' | 'isPrompt'>;

/** Evidence that is stored. */
export interface Snapshot extends Evidence {
  /** From 1; each renewal has the next. */
  readonly number: number;
  readonly takenAt: number;
  readonly takenBy: number;
}

/** A version that another one was copied from. */
export interface Origin {
  readonly versionId: number;
  readonly modelId: number;
  /** Empty where it was purged. */
  readonly name: string;
  readonly version: number;
  /** The authenticated principal. */
  readonly registeredBy: number;
}

/** A candidate for entry into a model. */
export interface CandidateRef {
  readonly id: number;
  readonly modelId: number;
}

/** As it would be taken now. */
export function compute(ctx: Ctx, subject: Subject): Promise<Evidence> {
  return computeReporting(ctx, subject, async () => {});
}

/** The newest stored snapshot, or one that is taken and stored now. The caller holds the model. */
export async function ensure(ctx: TxCtx, version: ModelVersion): Promise<Snapshot> {
  const owner = { versionId: version.id };
  const found = await findNewest(ctx, owner);
  return found ?? take(ctx, owner, await computeOfVersion(ctx, version), { modelId: version.modelId, versionId: version.id });
}

/** The same of a candidate. */
export async function ensureOfCandidate(ctx: TxCtx, candidate: CandidateRef, subject: Subject): Promise<Snapshot> {
  const owner = { candidateId: candidate.id };
  const found = await findNewest(ctx, owner);
  return found ?? take(ctx, owner, await compute(ctx, subject), { modelId: candidate.modelId }, { candidate_id: candidate.id });
}

/** The version that a candidate became keeps its newest snapshot as its first; undefined where it had none. The caller holds the model. */
export async function adopt(ctx: TxCtx, candidateId: number, version: ModelVersion): Promise<Snapshot | undefined> {
  const found = await findNewest(ctx, { candidateId });
  if (found === undefined) return undefined;
  const kept: Snapshot = { ...found, number: 1 };
  if (!(await store.insert(ctx.tx, { versionId: version.id }, kept))) return findNewest(ctx, { versionId: version.id });
  record(ctx, {
    type: 'evidence.taken',
    modelId: version.modelId,
    versionId: version.id,
    target: 'evidence',
    data: { number: 1, digest: kept.digest, candidate_id: candidateId },
  });
  return kept;
}

/** The newest stored snapshot, or what would be taken; stores nothing. */
export async function current(ctx: Ctx, version: ModelVersion): Promise<Evidence | Snapshot> {
  return (await findNewest(ctx, { versionId: version.id })) ?? compute(ctx, version);
}

/**
 * Taken where the caller may write, so that nothing that is logged later changes what was decided by; else as it would be. In a transaction that would
 * have to wait for the version's files: fails with Unprepared.
 */
export async function settled(ctx: Ctx, version: ModelVersion): Promise<Evidence | Snapshot> {
  if (ctx.tx === undefined) return current(ctx, version);
  const found = await findNewest(ctx, { versionId: version.id });
  if (found !== undefined) return found;
  await demandRead(ctx, version);
  return ensure({ ...ctx, tx: ctx.tx }, version);
}

/** A stored snapshot by its digest, as approvals name it. */
export async function findByDigest(ctx: Ctx, versionId: number, digest: string): Promise<Snapshot | undefined> {
  const row = await store.findByDigest(reading(ctx), versionId, digest);
  return row && toSnapshot(row);
}

/** The same of a candidate. */
export async function currentOfCandidate(ctx: Ctx, candidateId: number, subject: Subject): Promise<Evidence | Snapshot> {
  return (await findNewest(ctx, { candidateId })) ?? compute(ctx, subject);
}

const SNAPSHOTS_MAX = 1000;

/** All that were ever taken, oldest first; at most 1,000. */
export async function listOfVersion(ctx: Ctx, versionId: number): Promise<Snapshot[]> {
  return (await store.listOfVersion(reading(ctx), versionId, SNAPSHOTS_MAX)).map(toSnapshot);
}

/**
 * Takes a new snapshot, after which approvals bound to the one before are stale; where nothing changed, that one stays, and nothing is recorded. Throws
 * RESOURCE_DOES_NOT_EXIST.
 */
export async function renew(ctx: Ctx, name: string, number: number): Promise<Snapshot> {
  return transaction(ctx, async (inner) => {
    await models.hold(inner, name);
    const version = await versions.get(inner, name, number);
    await demandRead(inner, version);
    const owner = { versionId: version.id };
    const ids = { modelId: version.modelId, versionId: version.id };
    const before = await findNewest(inner, owner);
    const now = await computeOfVersion(inner, version);
    if (before === undefined) return take(inner, owner, now, ids);
    if (before.digest === now.digest) return before;
    const snapshot = stamp(inner, now, before.number + 1);
    await store.insert(inner.tx, owner, snapshot);
    record(inner, {
      type: 'evidence.renewed',
      ...ids,
      target: 'evidence',
      data: { number: snapshot.number, from: before.digest, digest: snapshot.digest },
    });
    return snapshot;
  });
}

/** What stands for a version, and whether a new snapshot would say the same. */
export async function inspect(
  ctx: Ctx,
  version: ModelVersion,
): Promise<{ readonly evidence: Evidence | Snapshot; readonly isCurrent: boolean }> {
  const now = await computeOfVersion(ctx, version);
  const stored = await findNewest(ctx, { versionId: version.id });
  return { evidence: stored ?? now, isCurrent: stored === undefined || stored.digest === now.digest };
}

const NO_SIGNATURE = { inputs: null, outputs: null, params: null };

/** Whether a caller of what stands now would break on the candidate. */
export function breaksSignature(standing: Evidence, candidate: Evidence): boolean {
  return signatureBreaks(standing.content.signature ?? NO_SIGNATURE, candidate.content.signature ?? NO_SIGNATURE).length > 0;
}

/** The authenticated principals that created the run and the logged model it names, each once; also where the lineage is only claimed. */
export async function runAuthorsOf(ctx: Ctx, { runId, loggedModelId }: Pick<Subject, 'runId' | 'loggedModelId'>): Promise<number[]> {
  const run = runId === '' ? undefined : await runs.findRun(ctx, runId);
  const model = loggedModelId === null ? undefined : await loggedModels.findHead(ctx, loggedModelId);
  return [...new Set([run?.createdBy, model?.createdBy].filter((id) => id !== undefined))];
}

/** The versions that it was copied from with who registered each, nearest first; deleted and purged ones too; at most 50. */
export async function originsOf(ctx: Ctx, version: Pick<ModelVersion, 'originVersionId'>): Promise<Origin[]> {
  const origins: Origin[] = [];
  for (let id = version.originVersionId; id !== null && origins.length < ORIGINS_MAX; ) {
    const found = await versions.findById(ctx, id);
    const origin = found ?? (await versions.findPurged(ctx, id));
    if (origin === undefined) break;
    const { modelId, version: number, registeredBy } = origin;
    const name = found?.name ?? '';
    origins.push({ versionId: id, modelId, name, version: number, registeredBy });
    id = origin.originVersionId;
  }
  return origins;
}

const ORIGINS_MAX = 50;

async function findNewest(ctx: Ctx, owner: store.Owner): Promise<Snapshot | undefined> {
  const row = await store.findNewest(reading(ctx), owner);
  return row && toSnapshot(row);
}

function toSnapshot({ body, digest, ...stored }: store.SnapshotRow): Snapshot {
  return { ...stored, ...readEvidence(body, digest) };
}

async function take(
  ctx: TxCtx,
  owner: store.Owner,
  evidence: Evidence,
  ids: { readonly modelId: number; readonly versionId?: number },
  more: { readonly candidate_id?: number } = {},
): Promise<Snapshot> {
  const snapshot = stamp(ctx, evidence, 1);
  if (await store.insert(ctx.tx, owner, snapshot)) {
    const { number, digest } = snapshot;
    record(ctx, { type: 'evidence.taken', ...ids, target: 'evidence', data: { number, digest, ...more } });
    return snapshot;
  }
  // Another process took it at the same moment; its commit was waited for.
  const other = await findNewest(ctx, owner);
  if (other === undefined) throw new TypeError('a snapshot in conflict is there');
  return other;
}

function stamp(ctx: Ctx, evidence: Evidence, number: number): Snapshot {
  return { ...evidence, number, takenAt: ctx.clock.now(), takenBy: ctx.principal.id };
}

function computeOfVersion(ctx: Ctx, version: ModelVersion): Promise<Evidence> {
  return computeReporting(ctx, version, (path) => versions.reportDamage(ctx, version.id, path));
}

async function computeReporting(ctx: Ctx, subject: Subject, onDamage: OnDamage): Promise<Evidence> {
  const { model, requirements, hasInputExample, cardSections } = await readSealed(ctx, subject, onDamage);
  // Nothing that is only claimed says anything of these bytes.
  const tracked: TrackedFacts =
    subject.lineage === 'verified' ? await readTracked(ctx, subject) : { metrics: [], params: [], datasets: [] };
  const { inputs, outputs, params } = model.signature;
  return evidenceOf({
    lineage: subject.lineage,
    run_id: subject.runId || null,
    logged_model_id: subject.loggedModelId,
    ...tracked,
    signature: inputs === null && outputs === null && params === null ? null : model.signature,
    has_input_example: hasInputExample,
    flavors: [...model.flavors.keys()].map((name) => name.toWellFormed()),
    requirements: [...requirements].map(([name, asked]) => ({ name, asked })),
    tags: subject.tags.map(({ key, value }) => ({ key, value })),
    has_description: (subject.description ?? '').trim() !== '',
    model_card_sections: [...new Set([...writtenSections(subject.description ?? ''), ...cardSections])],
  });
}

/** Nobody waits for storage in a transaction, where it can be helped. */
async function demandRead(ctx: Ctx, version: ModelVersion): Promise<void> {
  const tree = ctx.isPrepared === true ? undefined : await treeOf(ctx, version);
  if (tree === undefined || areRemembered(ctx, tree)) return;
  throw new Unprepared(async () => {
    await readSealed({ ...ctx, tx: undefined }, version, async () => {});
  });
}

/** A prompt is sealed over its texts, and has no files. */
async function treeOf(ctx: Ctx, { treeId, isPrompt }: Pick<Subject, 'treeId' | 'isPrompt'>): Promise<artifacts.Tree | undefined> {
  return treeId === null || isPrompt ? undefined : artifacts.findTree(ctx, treeId);
}

/** Damaged files say nothing: what they once said isn't there any more. */
async function readSealed(ctx: Ctx, subject: Pick<Subject, 'treeId' | 'isPrompt'>, onDamage: OnDamage): Promise<SealedFacts> {
  const tree = await treeOf(ctx, subject);
  if (tree === undefined) return NOTHING_SEALED;
  try {
    return await readSealedFiles(ctx, tree, onDamage);
  } catch (error) {
    if (error instanceof artifacts.DamagedFile) return NOTHING_SEALED;
    throw error;
  }
}
