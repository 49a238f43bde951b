/** What stands in a target now, beside the version that is to come: read for policies that compare with it. */
import type { GovernedTarget } from '@countersign/contract/permit.ts';
import type { EvidenceMetric } from '@countersign/contract/policy-facts.ts';
import { findStage } from '@countersign/contract/stages.ts';
import type { Ctx } from '../../platform/context.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as evidence from '../evidence/evidence.ts';
import type { ModelVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import { getStages } from '../workspaces/workspaces.ts';
import { findAdmission } from './stays.ts';

export interface Incumbent {
  readonly versionId: number;
  /** `Fraud/6`. */
  readonly name: string;
  readonly digest: string | null;
  readonly origins: readonly evidence.Origin[];
  /** The newest. */
  readonly evidence: evidence.Evidence;
  /** What whoever follows it is measured by. */
  readonly metrics: readonly EvidenceMetric[];
}

interface Place {
  readonly model: { readonly id: number } | undefined;
  readonly change: { readonly target: GovernedTarget };
  /** The one that is to come isn't compared with itself. */
  readonly version: { readonly id: number } | undefined;
}

export async function listIncumbents(ctx: Ctx, { model, change: { target }, version }: Place): Promise<readonly Incumbent[]> {
  if (model === undefined) return [];
  const there = (await listThere(ctx, model, target)).filter((each) => each.id !== version?.id);
  return Promise.all(there.map((each) => describe(ctx, each, target)));
}

async function listThere(ctx: Ctx, model: { readonly id: number }, target: GovernedTarget): Promise<readonly ModelVersion[]> {
  switch (target.kind) {
    case 'stage':
      return versions.listInStage(ctx, model, target.stage as ModelVersion['stage']); // the door canonicalized it
    case 'alias': {
      const holder = await versions.findAlias(ctx, model, target.alias);
      const version = holder && (await versions.findById(ctx, holder.versionId));
      // An alias named like a stage counts as it, so what stands there is to be beaten too.
      const stage = findStage(await getStages(ctx), target.alias)?.name;
      const standing = stage === undefined ? [] : await versions.listInStage(ctx, model, stage);
      return [...(version ? [version] : []), ...standing.filter((each) => each.id !== version?.id)];
    }
    case 'entry':
      return versions.listOfModel(ctx, model, { limit: 1 });
    default:
      return [];
  }
}

async function describe(ctx: Ctx, version: ModelVersion, target: GovernedTarget): Promise<Incumbent> {
  const [known, digest, origins] = await Promise.all([
    evidence.settled(ctx, version),
    artifacts.digestOfTree(ctx, version.treeId),
    evidence.originsOf(ctx, version),
  ]);
  // The first that was ever taken is all there is.
  const isOnly = !('number' in known) || known.number === 1;
  const held = isOnly ? [known] : await heldTo(ctx, version, target);
  const metrics = held.flatMap((each) => evidence.factsOf(each).metrics);
  return { versionId: version.id, name: `${version.name}/${version.version}`, digest, origins, evidence: known, metrics };
}

/**
 * What stands there is measured by what it was let in with: numbers that were logged since make it no easier to beat. Where it came in unasked, by the
 * best that was ever known of it.
 */
async function heldTo(ctx: Ctx, version: ModelVersion, target: GovernedTarget): Promise<readonly evidence.Evidence[]> {
  const [taken, admitted] = await Promise.all([evidence.listOfVersion(ctx, version.id), findAdmission(ctx, version.id, target)]);
  const snapshot = taken.findLast((each) => each.digest === admitted);
  return snapshot === undefined ? taken : [snapshot];
}
