/**
 * Evidence packs: what is known of a version, with the proof that it is what was recorded, in one signed zip that anybody verifies without this
 * server. What is said of approvals and checks is told from the version's events alone, so that a verifier comes to the same. Read-only, but for the
 * checkpoint that it stands on.
 */
import { hash } from 'node:crypto';
import { LINEAGE_DEPTH } from '@countersign/contract/lineage.ts';
import { Problem } from '@countersign/contract/problem.ts';
import canonicalize from 'canonicalize';
import { type Ctx, reading } from '../../platform/context.ts';
import * as accounts from '../accounts/accounts.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as blocks from '../blocks/blocks.ts';
import * as checkpoints from '../checkpoints/checkpoints.ts';
import * as events from '../events/events.ts';
import * as evidence from '../evidence/evidence.ts';
import * as lineage from '../lineage/lineage.ts';
import * as policies from '../policies/policies.ts';
import type { ModelVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import { packKey } from './key-line.ts';
import { modelCard } from './model-card.ts';
import {
  approvalsIn,
  belonging,
  checksIn,
  type EventFacts,
  evidenceIn,
  factsOf,
  mayBelong,
  newestEvidence,
  type PackedEvent,
  policiesIn,
  sealedDigest,
} from './pack-event-rules.ts';
import * as rules from './pack-rules.ts';
import { zipFiles } from './pack-zip.ts';
import { eventLine } from './packed-events.ts';

/** More events than these are of no release, and too many for one file. */
const EVENTS_MAX = 20_000;
/** Of the model's places and of whatever entered it. */
const MODEL_EVENTS_MAX = 100_000;
/** Of which the pack says that it goes on from them. */
const EARLIER_MAX = 50;

export interface PackOptions {
  /** How many events a checkpoint is over that the pack is to go on from, beside the newest ones. */
  readonly since?: number | undefined;
}

/** Throws RESOURCE_DOES_NOT_EXIST; INVALID_STATE for a version with too many events. */
export async function build(
  ctx: Ctx,
  maker: checkpoints.Checkpoints,
  name: string,
  number: number,
  options: PackOptions = {},
): Promise<Uint8Array> {
  const version = await versions.get(ctx, name, number);
  const made = await maker.makeToSign(ctx);
  if (made === undefined) throw new TypeError('a version is there, and nothing has happened');
  const { checkpoint, sign } = made;
  const excerpt = await listExcerpt(ctx, version, checkpoint);
  const facts = excerpt.flatMap((event) => factsOf(event) ?? []);
  const digest = sealedDigest(facts, version.id) ?? null;
  const texts = new Map<string, string>();
  const found = await listPolicies(ctx, facts);
  for (const { hash, text, source } of found.policies) {
    texts.set(rules.policyFile(hash), text);
    texts.set(rules.policySourceFile(hash), source);
  }
  const snapshot = await findEvidence(ctx, version, facts);
  texts.set(rules.FILES.evidence, snapshot.body);
  for (const older of await listOlderEvidence(ctx, version, facts, snapshot.digest))
    texts.set(rules.evidenceFile(older.digest), older.body);
  const { serverId, keys } = await checkpoints.listKeys(ctx);
  const content = {
    version: versionFacts(version, digest, digest === null ? undefined : (await blocks.find(ctx, [digest])).get(digest)),
    approvals: approvalsIn(facts),
    checks: checksIn(facts),
    lineage: await lineage.ofVersion(ctx, name, number, { direction: 'both', depth: LINEAGE_DEPTH }),
    people: await listPeople(ctx, facts),
    checkpoints: await packCheckpoints(ctx, checkpoint, options),
  };
  if (digest !== null) texts.set(rules.FILES.manifest, await manifestOf(ctx, version, digest));
  texts.set(rules.FILES.version, rules.jsonText(content.version));
  texts.set(rules.FILES.events, excerpt.map(eventLine).join(''));
  texts.set(rules.FILES.approvals, rules.jsonText(content.approvals));
  texts.set(rules.FILES.checks, rules.jsonText(content.checks));
  texts.set(rules.FILES.lineage, rules.jsonText(content.lineage));
  texts.set(rules.FILES.people, rules.jsonText(content.people));
  texts.set(rules.FILES.checkpoints, rules.jsonText(content.checkpoints));
  texts.set(rules.FILES.keys, rules.jsonText({ server: serverId, keys: keys.map(packKey) }));
  texts.set(rules.FILES.card, modelCard({ ...content, policies: found.policies, facts, checkpoint, evidence: { ...snapshot.content } }));
  const files = new Map([...texts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, text]) => [path, Buffer.from(text, 'utf8')]));
  const index: rules.PackIndex = {
    format: rules.PACK_FORMAT,
    server: serverId,
    model: { id: version.modelId, name: version.name },
    version: { id: version.id, number: version.version },
    digest,
    checkpoint: checkpoints.checkpointLine(checkpoint),
    evidence: snapshot.digest,
    absent_policies: found.absent,
    files: [...files].map(([path, bytes]) => ({ path, sha256: rules.sha256(bytes), size: bytes.length })),
  };
  const indexBytes = Buffer.from(rules.jsonText(index), 'utf8');
  const signature = rules.signatureText({ keyId: checkpoint.keyId, signature: sign(rules.packStatement(indexBytes)) });
  return zipFiles(new Map([[rules.INDEX_FILE, indexBytes], [rules.SIGNATURE_FILE, Buffer.from(signature)], ...files]));
}

async function listExcerpt(ctx: Ctx, version: ModelVersion, { size }: checkpoints.SignedCheckpoint): Promise<readonly PackedEvent[]> {
  const db = reading(ctx);
  const query = { workspaceId: ctx.workspace.id, modelId: version.modelId, target: undefined, untilSeq: size };
  const found: EventFacts[] = [];
  for await (const { seq, body } of events.listOfModel(db, query)) {
    const facts = factsOf({ seq, body, texts: {} });
    if (facts !== undefined && mayBelong(facts, version) && found.push(facts) > MODEL_EVENTS_MAX) throw tooMany(version);
  }
  const seqs = belonging(found, version).map(({ seq }) => seq);
  if (seqs.length > EVENTS_MAX) throw tooMany(version);
  const proofs = await checkpoints.proveInclusions(ctx, seqs, size);
  return (await events.listExcerpt(db, seqs)).map(({ texts = {}, ...event }) => ({
    ...event,
    texts,
    proof: (proofs.get(event.seq) ?? []).map((hash) => hash.toString('base64')),
  }));
}

function tooMany({ name, version }: ModelVersion): Problem {
  return new Problem(
    'INVALID_STATE',
    `Version ${version} of '${name}' and its places have more than ${EVENTS_MAX} events, too many for one pack. Export the whole record: countersign audit export.`,
  );
}

/** The newest snapshot that was taken up to the checkpoint; where none was, what one would say now. */
async function findEvidence(ctx: Ctx, version: ModelVersion, facts: readonly EventFacts[]): Promise<evidence.Evidence> {
  const digest = newestEvidence(facts, version.id);
  const found = digest === undefined ? undefined : await evidence.findByDigest(ctx, version.id, digest);
  return found ?? evidence.compute(ctx, version);
}

/** Those that something was approved or allowed by, and that were renewed since. */
async function listOlderEvidence(
  ctx: Ctx,
  version: ModelVersion,
  facts: readonly EventFacts[],
  newest: string,
): Promise<evidence.Evidence[]> {
  const found: evidence.Evidence[] = [];
  for (const digest of evidenceIn(facts, version.id)) {
    // One that is made of several versions' has no snapshot.
    const snapshot = digest === newest ? undefined : await evidence.findByDigest(ctx, version.id, digest);
    if (snapshot !== undefined) found.push(snapshot);
  }
  return found;
}

interface PackedPolicy {
  readonly hash: string;
  readonly name: string;
  /** RFC 8785: what the hash is of. */
  readonly text: string;
  /** As it was written. */
  readonly source: string;
}

async function listPolicies(
  ctx: Ctx,
  facts: readonly EventFacts[],
): Promise<{ policies: readonly PackedPolicy[]; absent: readonly string[] }> {
  const found: PackedPolicy[] = [];
  const absent: string[] = [];
  for (const hash of policiesIn(facts)) {
    const policy = await findPolicy(ctx, hash);
    if (policy === undefined) absent.push(hash);
    else found.push({ hash, name: policy.document.name, text: canonicalize(policy.document) ?? '', source: policy.source });
  }
  return { policies: found, absent };
}

/** Undefined where it was published in a workspace that the model has left. */
async function findPolicy(ctx: Ctx, hash: string): Promise<policies.PublishedPolicy | undefined> {
  try {
    return await policies.getByHash(ctx, hash);
  } catch (error) {
    if (error instanceof Problem && error.code === 'RESOURCE_DOES_NOT_EXIST') return undefined;
    throw error;
  }
}

async function manifestOf(ctx: Ctx, version: ModelVersion, digest: string): Promise<string> {
  if (version.treeId === null) throw new TypeError('a sealed version has a tree');
  const text = rules.manifestText(version.isPrompt ? promptEntries(version) : await artifacts.treeManifest(ctx, version.treeId));
  if (rules.manifestDigest(text) === digest) return text;
  throw new Problem(
    'INVALID_STATE',
    `What is stored of version ${version.version} of '${version.name}' is not what it was sealed with. Look into the record: countersign audit verify.`,
  );
}

/** A prompt has no files: its seal is over the texts that stand in its tags. */
function promptEntries({ tags }: ModelVersion) {
  const sealed = tags.filter(({ key }) => versions.isSealedPromptTag(key)).sort((a, b) => (a.key < b.key ? -1 : 1));
  return sealed.map(({ key, value }) => ({ path: key, sha256: hash('sha256', value), sizeBytes: Buffer.byteLength(value) }));
}

function versionFacts(version: ModelVersion, digest: string | null, blocked: blocks.Blocked | undefined) {
  return {
    id: version.id,
    model_id: version.modelId,
    name: version.name,
    version: version.version,
    description: version.description,
    stage: version.stage,
    aliases: version.aliases,
    tags: version.tags,
    is_prompt: version.isPrompt,
    run_id: version.runId || null,
    logged_model_id: version.loggedModelId,
    lineage: version.lineage,
    seal: { state: version.sealState, reason: version.sealReason, digest },
    damaged_at: version.damagedAt,
    blocked: blocked === undefined ? null : { reason: blocked.reason, at: blocked.at },
    registered_by: version.registeredBy,
    created_at: version.createdAt,
  };
}

/** Who the numbers in the events are. */
async function listPeople(ctx: Ctx, facts: readonly EventFacts[]) {
  const ids = [...new Set(facts.map((event) => event.by))].sort((a, b) => a - b);
  const known = await accounts.listPrincipals(ctx, ids);
  return ids.map((id) => {
    const { kind = 'unknown', name = '' } = known.get(id) ?? {};
    return { id, kind, name };
  });
}

async function packCheckpoints(ctx: Ctx, { size }: checkpoints.SignedCheckpoint, { since }: PackOptions) {
  const kept = await checkpoints.list(ctx, { afterSize: size + 1, newestFirst: true, limit: EARLIER_MAX + 1 });
  const own = kept.find((each) => each.size === size);
  if (own === undefined) throw new TypeError('the checkpoint that was made is the newest');
  const sizes = new Set(kept.flatMap((each) => (each.size < size ? [each.size] : [])));
  if (since !== undefined && since < size) sizes.add(since);
  const earlier = [];
  for (const each of [...sizes].sort((a, b) => a - b)) {
    const { older, hashes } = await checkpoints.proveConsistency(ctx, each, size);
    earlier.push({ line: checkpoints.checkpointLine(older), proof: hashes.map((hash) => hash.toString('base64')) });
  }
  return { frontier: Buffer.from(own.frontier).toString('base64'), earlier };
}
