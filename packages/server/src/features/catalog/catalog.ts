/** Read-only views across rooms: a version with its seal and writer, its manifest, two versions side by side. */
import { Problem } from '@countersign/contract/problem.ts';
import type { Ctx } from '../../platform/context.ts';
import { demandByName } from '../access/access.ts';
import * as accounts from '../accounts/accounts.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as blocks from '../blocks/blocks.ts';
import * as evidence from '../evidence/evidence.ts';
import * as experiments from '../experiments/experiments.ts';
import * as loggedModels from '../logged-models/logged-models.ts';
import * as runs from '../runs/runs.ts';
import type { ModelVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import { compareFiles, compareNamed, type FileDifferences, type NamedDifference, stableJson } from './comparison-rules.ts';

/** Who was authenticated. */
export interface PrincipalView {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
}

/** By id; one whose row is gone keeps its id. */
export async function listPrincipals(ctx: Ctx, ids: readonly number[]): Promise<(id: number) => PrincipalView> {
  const known = await accounts.listPrincipals(ctx, ids);
  return (id) => known.get(id) ?? { id, kind: 'unknown', name: '' };
}

/** A version with what other rooms know of it. */
export interface VersionView {
  readonly version: ModelVersion;
  readonly tree: artifacts.Tree | undefined;
  /** Why its bytes may enter no governed place. */
  readonly blocked: blocks.Blocked | undefined;
  readonly writtenBy: PrincipalView;
}

/** In the order given. */
export async function viewVersions(ctx: Ctx, list: readonly ModelVersion[]): Promise<VersionView[]> {
  const principalOf = await listPrincipals(
    ctx,
    list.map((version) => version.writtenBy),
  );
  const trees = new Map<number, artifacts.Tree | undefined>();
  for (const { treeId } of list) {
    if (treeId !== null && !trees.has(treeId)) trees.set(treeId, await artifacts.findTree(ctx, treeId));
  }
  const blocked = await blocks.find(
    ctx,
    [...trees.values()].flatMap((tree) => tree?.digest ?? []),
  );
  return list.map((version) => {
    const tree = version.treeId === null ? undefined : trees.get(version.treeId);
    return { version, tree, blocked: tree && blocked.get(tree.digest), writtenBy: principalOf(version.writtenBy) };
  });
}

export async function viewVersion(ctx: Ctx, version: ModelVersion): Promise<VersionView> {
  const [view] = await viewVersions(ctx, [version]);
  if (!view) throw new TypeError('a view of one version is one view');
  return view;
}

export interface Manifest {
  readonly tree: artifacts.Tree;
  readonly files: readonly artifacts.ManifestEntry[];
}

/** Throws RESOURCE_DOES_NOT_EXIST; INVALID_STATE for a version that isn't sealed, and for a prompt, whose seal covers its tags. */
export async function getManifest(ctx: Ctx, name: string, number: number): Promise<Manifest> {
  const version = await versions.get(ctx, name, number);
  const tree = version.treeId === null ? undefined : await artifacts.findTree(ctx, version.treeId);
  if (version.isPrompt) {
    throw new Problem(
      'INVALID_STATE',
      `Version ${number} of '${name}' is a prompt: its seal covers the text, type and response format in its tags, and it has no files.`,
    );
  }
  if (!tree) {
    throw new Problem(
      'INVALID_STATE',
      `Version ${number} of '${name}' is not sealed (${version.sealReason ?? version.sealState}). Finish its files and POST …/versions/${number}/seal.`,
    );
  }
  return { tree, files: await artifacts.treeManifest(ctx, tree.id) };
}

type FactSource = 'run' | 'logged model' | 'sealed files';
type Metric = number | 'NaN';

interface Facts {
  readonly version: ModelVersion;
  readonly tree: artifacts.Tree | undefined;
  readonly files: readonly artifacts.ManifestEntry[] | undefined;
  readonly sources: readonly FactSource[];
  readonly params: ReadonlyMap<string, string>;
  readonly metrics: ReadonlyMap<string, Metric>;
  readonly sealed: evidence.SealedFacts;
}

export interface ComparedSide {
  readonly version: ModelVersion;
  readonly digest: string | null;
  readonly sources: readonly FactSource[];
}

export interface JsonDifference {
  readonly change: 'same' | 'changed' | 'added' | 'removed' | 'absent';
  readonly from: unknown;
  readonly to: unknown;
}

export interface Comparison {
  readonly from: ComparedSide;
  readonly to: ComparedSide;
  /** null where one of them isn't sealed. */
  readonly hasSameBytes: boolean | null;
  readonly params: readonly NamedDifference<string>[];
  readonly metrics: readonly NamedDifference<Metric>[];
  readonly tags: readonly NamedDifference<string>[];
  readonly signature: {
    readonly inputs: JsonDifference;
    readonly outputs: JsonDifference;
    readonly params: JsonDifference;
    /** Why a caller of `from` would break on `to`. */
    readonly breaks: readonly string[];
  };
  readonly requirements: readonly NamedDifference<string>[];
  readonly flavors: readonly NamedDifference<unknown>[];
  readonly files: FileDifferences | null;
}

export interface VersionName {
  readonly name: string;
  readonly version: number;
}

/**
 * Params and metrics are those of the logged model and the run as they are now, where the caller may see them; the rest is read from the sealed
 * files. Throws PERMISSION_DENIED unless both models may be seen.
 */
export async function compareVersions(ctx: Ctx, from: VersionName, to: VersionName): Promise<Comparison> {
  for (const { name } of [from, to]) demandByName(ctx, 'registered-model', name, 'VIEW');
  const [left, right] = [await gatherFacts(ctx, from), await gatherFacts(ctx, to)];
  const signature = (part: 'inputs' | 'outputs' | 'params'): JsonDifference =>
    compareJson(left.sealed.model.signature[part], right.sealed.model.signature[part]);
  return {
    from: sideOf(left),
    to: sideOf(right),
    hasSameBytes: left.tree && right.tree ? left.tree.digest === right.tree.digest : null,
    params: compareNamed(left.params, right.params),
    metrics: compareNamed(left.metrics, right.metrics),
    tags: compareNamed(pairs(left.version.tags), pairs(right.version.tags)),
    signature: {
      inputs: signature('inputs'),
      outputs: signature('outputs'),
      params: signature('params'),
      breaks: evidence.signatureBreaks(left.sealed.model.signature, right.sealed.model.signature),
    },
    requirements: compareNamed(left.sealed.requirements, right.sealed.requirements),
    flavors: compareNamed(left.sealed.model.flavors, right.sealed.model.flavors, stableJson),
    files: left.files && right.files ? compareFiles(left.files, right.files) : null,
  };
}

function sideOf(facts: Facts): ComparedSide {
  return { version: facts.version, digest: facts.tree?.digest ?? null, sources: facts.sources };
}

function compareJson(from: unknown, to: unknown): JsonDifference {
  if (from === null && to === null) return { change: 'absent', from, to };
  if (from === null) return { change: 'added', from, to };
  if (to === null) return { change: 'removed', from, to };
  return { change: stableJson(from) === stableJson(to) ? 'same' : 'changed', from, to };
}

function pairs(list: readonly { readonly key: string; readonly value: string }[]): Map<string, string> {
  return new Map(list.map(({ key, value }) => [key, value]));
}

async function gatherFacts(ctx: Ctx, { name, version: number }: VersionName): Promise<Facts> {
  const version = await versions.get(ctx, name, number);
  const tree = version.treeId === null || version.isPrompt ? undefined : await artifacts.findTree(ctx, version.treeId);
  const tracked = await gatherTracked(ctx, version);
  return {
    version,
    tree,
    files: tree && (await artifacts.treeManifest(ctx, tree.id)),
    ...tracked,
    sources: tree ? [...tracked.sources, 'sealed files'] : tracked.sources,
    sealed: tree
      ? await evidence.readSealedFiles(ctx, tree, (path) => versions.reportDamage(ctx, version.id, path))
      : evidence.NOTHING_SEALED,
  };
}

/** Of the run, and over it of the logged model, whose facts are closer to the bytes. */
async function gatherTracked(ctx: Ctx, version: ModelVersion): Promise<Pick<Facts, 'sources' | 'params' | 'metrics'>> {
  const sources: FactSource[] = [];
  const params = new Map<string, string>();
  const metrics = new Map<string, Metric>();
  const take = (
    source: FactSource,
    facts: { params: readonly { key: string; value: string }[]; metrics: readonly { key: string; value: Metric }[] },
  ) => {
    sources.push(source);
    for (const { key, value } of facts.params) params.set(key, value);
    for (const { key, value } of facts.metrics) metrics.set(key, value);
  };
  const run = version.runId === '' ? undefined : await runs.findRun(ctx, version.runId);
  if (run && (await experiments.isVisible(ctx, run.experimentId))) take('run', await runs.getRun(ctx, version.runId));
  const loggedModel = version.loggedModelId === null ? undefined : await findLoggedModel(ctx, version.loggedModelId);
  // Its points come by key, time and step, so the last of a key is the latest.
  if (loggedModel && (await experiments.isVisible(ctx, loggedModel.experimentId))) take('logged model', loggedModel);
  return { sources, params, metrics };
}

/** A version may outlive what it was registered from. */
async function findLoggedModel(ctx: Ctx, modelId: string): Promise<loggedModels.LoggedModel | undefined> {
  try {
    return await loggedModels.getLoggedModel(ctx, modelId, { allowDeleted: true });
  } catch (error) {
    if (error instanceof Problem && error.code === 'RESOURCE_DOES_NOT_EXIST') return undefined;
    throw error;
  }
}
