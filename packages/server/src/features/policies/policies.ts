/**
 * Published policies: each is immutable and named by its hash, and one of a name is in force. The rules beside this door decide; nothing here does.
 * Publishing and withdrawing are themselves governed, so they demand a Permit.
 */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { type Permit, permitFacts } from '@countersign/contract/permit.ts';
import type { Policy } from '@countersign/contract/policies.ts';
import { invalid, notFound } from '@countersign/contract/problem.ts';
import { type Ctx, randomHex, reading, type TxCtx } from '../../platform/context.ts';
import type { Database, Queries } from '../../platform/db/database.ts';
import { AccessMemory, announceChange } from '../accounts/accounts.ts';
import { record } from '../events/events.ts';
import { decidingTagKeys, publishingObjections, stagesNamedBy } from './policy-choice-rules.ts';
import { canonicalPolicy, type NamedPolicy, namePolicy } from './policy-hash-rules.ts';
import type { PolicyRow } from './policy-store.ts';
import * as store from './policy-store.ts';
import { stageNamed } from './target-rules.ts';

export { isExcluded } from './approval-rules.ts';
export { decide, decideAll, weaknessesOf } from './decision-rules.ts';
export { decideBreakGlass, decideRollback } from './exception-rules.ts';
export { speakOf } from './expression-rules.ts';
export { choosePolicy, type PolicyChoice, type PolicyQuestion, policiesToAsk } from './policy-choice-rules.ts';
export { type NamedPolicy, namePolicy } from './policy-hash-rules.ts';
export { unreachable } from './reach-rules.ts';
export { refusalText, warningText } from './refusal-rules.ts';

export interface PublishedPolicy extends NamedPolicy {
  /** As it was written. */
  readonly source: string;
  readonly listedDigests: readonly string[];
  readonly publishedAt: number;
  readonly publishedBy: number;
  /** null: in force. */
  readonly withdrawnAt: number | null;
  readonly withdrawnBy: number | null;
}

/** All policies of a workspace at one moment. */
export interface PoliciesInForce {
  readonly policies: readonly PublishedPolicy[];
  /** Keys of model tags that decide which of them applies. */
  readonly decidingKeys: ReadonlySet<string>;
  /** Whether one of them refuses anything. */
  readonly isEnforced: boolean;
}

const WORKSPACES_MAX = 10_000;
const NONE: PoliciesInForce = { policies: [], decidingKeys: new Set(), isEnforced: false };

interface Known {
  readonly head: string;
  readonly inForce: PoliciesInForce;
}

/** What was read of a workspace's policies stays good until its head changes. */
const known = new WeakMap<Database, Map<number, Known>>();

const memory = new AccessMemory<PoliciesInForce>(WORKSPACES_MAX);

/** As of now. In a transaction those that decide about a change: none comes into force or goes before its commit. */
export function getInForce(ctx: Ctx): Promise<PoliciesInForce> {
  return memory.recall(ctx, String(ctx.workspace.id), async () => {
    const db = reading(ctx);
    const head = await store.readHead(db, ctx.workspace.id);
    return head === undefined ? NONE : readInForce(ctx, db, head);
  });
}

/** As of a time, by name. */
export async function listInForceAt(ctx: Ctx, at: number): Promise<readonly PublishedPolicy[]> {
  return (await store.listInForceAt(reading(ctx), ctx.workspace.id, at)).map(published);
}

async function readInForce(ctx: Ctx, db: Queries, head: string): Promise<PoliciesInForce> {
  const ofDatabase = known.get(ctx.db) ?? new Map<number, Known>();
  known.set(ctx.db, ofDatabase);
  const found = ofDatabase.get(ctx.workspace.id);
  if (found?.head === head) return found.inForce;
  const inForce = inForceOf(await Promise.all((await store.listInForce(db, ctx.workspace.id)).map(decidable)));
  ofDatabase.set(ctx.workspace.id, { head, inForce });
  return inForce;
}

function inForceOf(policies: readonly PublishedPolicy[]): PoliciesInForce {
  return { policies, decidingKeys: decidingTagKeys(policies), isEnforced: policies.some(({ document }) => document.mode === 'enforce') };
}

function published(row: PolicyRow): PublishedPolicy {
  const { hash, source, publishedAt, publishedBy, withdrawnAt, withdrawnBy } = row;
  return {
    document: JSON.parse(row.document) as Policy, // written by `publish` alone, from a checked document
    hash,
    source,
    listedDigests: JSON.parse(row.listedDigests) as string[], // the same
    publishedAt,
    publishedBy,
    withdrawnAt,
    withdrawnBy,
  };
}

/** With what it takes to decide by it. */
async function decidable(row: PolicyRow): Promise<PublishedPolicy> {
  const policy = published(row);
  return { ...policy, expressions: await compileAll(policy.document) };
}

/** The library is loaded when the first policy asks for it. */
async function compileAll({ requirements: { expressions = [] } }: Policy): Promise<NamedPolicy['expressions']> {
  if (expressions.length === 0) return [];
  const { compileExpression } = await import('@countersign/contract/policy-expressions.ts');
  return expressions.map(({ that }) => {
    try {
      return compileExpression(that);
    } catch {
      // An older release read it when it was published: what this one can't is missing, and stops nothing else.
      return undefined;
    }
  });
}

/** Names of policies in force that name a stage; none comes into force that does, before the commit. */
export async function listNamingStage(ctx: TxCtx, stage: string): Promise<string[]> {
  const { policies } = await getInForce(ctx);
  return policies.filter(({ document }) => stageNamed(stagesNamedBy(document), stage) !== undefined).map(({ document }) => document.name);
}

/** Of every workspace. */
export async function listInForceEverywhere(ctx: Ctx): Promise<readonly PublishedPolicy[]> {
  return (await store.listInForceEverywhere(reading(ctx))).map(published);
}

/** Whether settings of the whole server are governed: as soon as any workspace refuses anything. */
export function hasEnforcedAnywhere(ctx: Ctx): Promise<boolean> {
  return store.hasEnforced(reading(ctx));
}

/** Workspaces with a policy in enforce, by id; at most 1,000. */
export function listEnforcedWorkspaceIds(ctx: Ctx): Promise<number[]> {
  return store.listEnforcedWorkspaceIds(reading(ctx), ENFORCED_WORKSPACES_MAX);
}

const ENFORCED_WORKSPACES_MAX = 1000;

/** YAML or JSON. Throws INVALID_PARAMETER_VALUE with the line. The parser is loaded when the first policy comes. */
export async function readPolicy(text: string): Promise<NamedPolicy> {
  const { parsePolicy } = await import('@countersign/contract/policy-document.ts');
  const document = parsePolicy(text);
  return namePolicy(document, await compileAll(document));
}

export interface NewPolicy extends NamedPolicy {
  readonly source: string;
  readonly listedDigests: readonly string[];
}

export interface PolicyChanges {
  /** Each takes the place of the one of its name. */
  readonly published: readonly NewPolicy[];
  /** Names. */
  readonly withdrawn: readonly string[];
}

interface Replacement extends PolicyChanges {
  readonly byName: ReadonlyMap<string, PublishedPolicy>;
  /** Names. */
  readonly gone: ReadonlySet<string>;
}

async function replacementOf(ctx: TxCtx, changes: PolicyChanges, stages: readonly string[]): Promise<Replacement> {
  // Before anything is written, so that nobody remembers what may be undone.
  await announceChange(ctx);
  const before = (await getInForce(ctx)).policies;
  const byName = new Map(before.map((each) => [each.document.name, each]));
  const missing = changes.withdrawn.find((name) => !byName.has(name));
  if (missing !== undefined) throw notFound(`No policy named '${missing}' is in force.`);
  const published = changes.published.filter((policy) => !isInForce(byName.get(policy.document.name), policy));
  const gone = new Set([...changes.withdrawn, ...published.map(({ document }) => document.name)]);
  refuseObjections([...before.filter(({ document }) => !gone.has(document.name)), ...published], stages);
  return { published, withdrawn: changes.withdrawn, byName, gone };
}

/**
 * What of it would change anything: what is in force already is left alone. INVALID_PARAMETER_VALUE where what would be in force then doesn't fit
 * together, RESOURCE_DOES_NOT_EXIST where what is withdrawn isn't in force; so nobody is asked for what can't be.
 */
export async function effectOf(ctx: TxCtx, changes: PolicyChanges, stages: readonly string[]): Promise<PolicyChanges> {
  const { published, withdrawn } = await replacementOf(ctx, changes, stages);
  return { published, withdrawn };
}

/** Together, since one may need another. Throws as `effectOf`. */
export async function replace(ctx: TxCtx, permit: Permit, changes: PolicyChanges, stages: readonly string[]): Promise<void> {
  const { published, withdrawn, byName, gone } = await replacementOf(ctx, changes, stages);
  const at = ctx.clock.now();
  for (const name of gone) await store.withdraw(ctx.tx, ctx.workspace.id, name, at, ctx.principal.id);
  for (const policy of published) await insert(ctx, permit, policy, byName.get(policy.document.name)?.hash ?? null, at);
  for (const name of withdrawn) {
    const data = { name, hash: byName.get(name)?.hash ?? '', ...permitFacts(permit) };
    record(ctx, { type: 'policy.withdrawn', target: `policy:${name}`, data });
  }
  if (gone.size > 0) await renewHead(ctx);
}

function isInForce(old: PublishedPolicy | undefined, policy: NewPolicy): boolean {
  return old !== undefined && old.hash === policy.hash && isSame(old.listedDigests, policy.listedDigests);
}

async function insert(ctx: TxCtx, permit: Permit, policy: NewPolicy, replaces: string | null, at: number): Promise<void> {
  const { name, mode } = policy.document;
  await store.insert(ctx.tx, {
    workspaceId: ctx.workspace.id,
    name,
    hash: policy.hash,
    mode,
    document: canonicalPolicy(policy.document),
    source: policy.source,
    listedDigests: JSON.stringify(policy.listedDigests),
    publishedAt: at,
    publishedBy: ctx.principal.id,
  });
  record(ctx, {
    type: 'policy.published',
    target: `policy:${name}`,
    data: { name, hash: policy.hash, mode, replaces, listed_digests: policy.listedDigests, ...permitFacts(permit) },
  });
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, at) => each === b[at]);
}

function refuseObjections(policies: readonly NamedPolicy[], stages: readonly string[]): void {
  const [objection] = publishingObjections(policies, stages);
  if (objection !== undefined) throw invalid(objection);
}

async function renewHead(ctx: TxCtx): Promise<void> {
  const rows = await store.listInForce(ctx.tx, ctx.workspace.id);
  await store.setHead(
    ctx.tx,
    ctx.workspace.id,
    randomHex(ctx.clock),
    rows.some(({ mode }) => mode === 'enforce'),
  );
}

/** RESOURCE_DOES_NOT_EXIST. The one in force, or that was last. */
export async function get(ctx: Ctx, name: string): Promise<PublishedPolicy> {
  return (await listVersions(ctx, name))[0];
}

/** Every publication of a name, newest first. RESOURCE_DOES_NOT_EXIST where none was of that name. */
export async function listVersions(ctx: Ctx, name: string): Promise<readonly [PublishedPolicy, ...PublishedPolicy[]]> {
  const [newest, ...older] = (await store.listOfName(reading(ctx), ctx.workspace.id, name)).map(published);
  if (newest === undefined) throw notFound(`There is no policy named '${clip(name)}'.`);
  return [newest, ...older];
}

/** RESOURCE_DOES_NOT_EXIST. Also one that is no longer in force. */
export async function getByHash(ctx: Ctx, hash: string): Promise<PublishedPolicy> {
  const row = await store.findByHash(reading(ctx), ctx.workspace.id, hash);
  if (row === undefined) throw notFound(`No policy with the hash ${hash} was published here.`);
  return published(row);
}
