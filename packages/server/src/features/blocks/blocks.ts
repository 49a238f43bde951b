/**
 * Bytes that may enter no governed place, by the digest of their manifest. A block holds in its workspace, one of an administrator in all of them;
 * what has the bytes already stays where it is, and shows it. Why stands beside the events alone, where it can be erased.
 */
import { RANK } from '@countersign/contract/levels.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { checkLength } from '@countersign/contract/names.ts';
import { type Permit, permitFacts } from '@countersign/contract/permit.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import { type Ctx, reading, type TxCtx, transaction, type WorkspaceRef } from '../../platform/context.ts';
import { EVERY_WORKSPACE } from '../access/access.ts';
import { AccessMemory, announceChange } from '../accounts/accounts.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as events from '../events/events.ts';
import type { ModelVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import type { BlockRow } from './block-store.ts';
import * as store from './block-store.ts';

const REASON_MAX = 4000;
const DIGEST = /^[0-9a-f]{64}$/;
/** Stands in a refusal where the reason itself was erased. */
const NO_REASON = 'its reason is not on record any more';
/** Models that are looked at for one that the caller manages. */
const MODELS_MAX = 10_000;
const HISTORY_MAX = 100;

export interface Block extends Omit<BlockRow, 'workspaceId'> {
  /** Holds in every workspace. */
  readonly isServerWide: boolean;
  /** Null where it was erased. */
  readonly reason: string | null;
  readonly liftReason: string | null;
}

/** Where a block holds: in the workspace, or in all of them. */
export interface Reach {
  readonly isServerWide?: boolean | undefined;
}

export interface Blocked {
  readonly reason: string;
  readonly at: number;
}

/** Which of these digests are blocked here. In a transaction it stays so until the commit. */
export async function find(ctx: Pick<Ctx, 'db' | 'tx' | 'workspace'>, digests: readonly string[]): Promise<ReadonlyMap<string, Blocked>> {
  const asked = [...new Set(digests)].filter((digest) => DIGEST.test(digest)).sort();
  const rows = asked.length === 0 ? [] : await open.recall(ctx, `${ctx.workspace.id} ${asked.join(' ')}`, () => listOpen(ctx, asked));
  if (rows.length === 0) return new Map();
  // Words aren't remembered: they can be erased.
  const shown = await withReasons(reading(ctx), rows);
  return new Map(shown.map(({ digest, reason, blockedAt }) => [digest, { reason: reason ?? NO_REASON, at: blockedAt }]));
}

/** The same bytes are asked about at every step of their way. */
const open = new AccessMemory<readonly BlockRow[]>(10_000);

function listOpen(ctx: Pick<Ctx, 'db' | 'tx' | 'workspace'>, digests: readonly string[]): Promise<BlockRow[]> {
  return store.listOpenOf(reading(ctx), reaching(ctx), digests);
}

function reaching(ctx: Pick<Ctx, 'workspace'>): readonly number[] {
  return [EVERY_WORKSPACE, ctx.workspace.id];
}

async function withReasons(db: Parameters<typeof events.listTextsOn>[0], rows: readonly BlockRow[]): Promise<Block[]> {
  const texts = await events.listTextsOn(
    db,
    'block',
    rows.map(({ id }) => id),
  );
  return rows.map(({ workspaceId, ...row }) => ({
    ...row,
    isServerWide: workspaceId === EVERY_WORKSPACE,
    reason: texts.get(row.id)?.get('digest.blocked/reason') ?? null,
    liftReason: texts.get(row.id)?.get('digest.lifted/reason') ?? null,
  }));
}

/**
 * By whoever manages a model that has these bytes, or the workspace; in all workspaces by administrators of the server. RESOURCE_ALREADY_EXISTS where
 * they are blocked already.
 */
export function block(ctx: Ctx, digest: string, reason: string, { isServerWide = false }: Reach = {}): Promise<Block> {
  checkDigest(digest);
  checkReason(reason);
  return transaction(ctx, async (inner) => {
    const having = await store.listModels(inner.tx, isServerWide ? undefined : inner.workspace.id, digest, MODELS_MAX);
    demandBlock(inner, having, isServerWide);
    // Before it is written: what was decided about the bytes is over by then.
    await announceChange(inner);
    const workspaceId = isServerWide ? EVERY_WORKSPACE : inner.workspace.id;
    const row = { digest, blockedBy: inner.principal.id, blockedAt: inner.clock.now() };
    const id = await store.insert(inner.tx, { ...row, workspaceId });
    if (id === undefined) {
      throw new Problem(
        'RESOURCE_ALREADY_EXISTS',
        `The digest ${digest} is blocked already. To give another reason, lift that block first.`,
      );
    }
    tell(inner, 'blocked', { id, digest, workspaceId }, reason);
    return { id, ...row, liftedBy: null, liftedAt: null, isServerWide, reason, liftReason: null };
  });
}

/** The same for the bytes of a version. INVALID_STATE where it isn't sealed. */
export async function digestOfVersion(ctx: Ctx, name: string, number: number): Promise<string> {
  const { treeId } = await versions.get(ctx, name, number);
  const digest = await artifacts.digestOfTree(ctx, treeId);
  if (digest !== null) return digest;
  throw new Problem('INVALID_STATE', `Version ${number} of '${name}' is not sealed, so there are no bytes to block. Seal it first.`);
}

function demandBlock(ctx: Ctx, having: readonly store.ModelRow[], isServerWide: boolean): void {
  if (isServerWide ? ctx.access.isAdmin : ctx.access.isManager) return;
  const manages = (model: store.ModelRow): boolean => ctx.access.rankOf('registered-model', model) >= RANK.MANAGE;
  if (!isServerWide && having.some(manages)) return;
  const needs = isServerWide ? 'to administer the server' : 'MANAGE on a registered model that has these bytes, or to manage the workspace';
  throw new Problem(
    'PERMISSION_DENIED',
    `Permission denied: '${clip(ctx.principal.name)}' needs ${needs}. Ask an administrator of the workspace.`,
  );
}

/** Governed as the setting `blocks`; by managers of the workspace, server-wide ones by administrators. RESOURCE_DOES_NOT_EXIST where it isn't blocked. */
export async function lift(
  ctx: TxCtx,
  permit: Permit,
  digest: string,
  reason: string,
  { isServerWide = false }: Reach = {},
): Promise<void> {
  checkDigest(digest);
  checkReason(reason);
  demandLift(ctx, isServerWide);
  const workspaceId = isServerWide ? EVERY_WORKSPACE : ctx.workspace.id;
  await announceChange(ctx);
  const row = await store.lift(ctx.tx, workspaceId, digest, ctx.clock.now(), ctx.principal.id);
  if (row === undefined) throw notBlocked(digest, isServerWide);
  tell(ctx, 'lifted', row, reason, permit);
}

/**
 * The id of the block that would be lifted, so that what is agreed is the end of this one. PERMISSION_DENIED for whoever may not lift it, whatever the
 * policies say; RESOURCE_DOES_NOT_EXIST where it isn't blocked.
 */
export async function getIdForLift(ctx: TxCtx, digest: string, { isServerWide = false }: Reach = {}): Promise<number> {
  checkDigest(digest);
  demandLift(ctx, isServerWide);
  const [row] = await store.listOpenOf(ctx.tx, [isServerWide ? EVERY_WORKSPACE : ctx.workspace.id], [digest]);
  if (row === undefined) throw notBlocked(digest, isServerWide);
  return row.id;
}

function demandLift(ctx: Ctx, isServerWide: boolean): void {
  if (isServerWide ? ctx.access.isAdmin : ctx.access.isManager) return;
  const who = isServerWide ? 'an administrator of the server' : 'a manager of the workspace';
  throw new Problem(
    'PERMISSION_DENIED',
    `Permission denied: '${clip(ctx.principal.name)}' is not ${who}. Only they lift this block; ask them.`,
  );
}

function notBlocked(digest: string, isServerWide: boolean): Problem {
  return notFound(
    `The digest ${digest} is not blocked ${isServerWide ? 'in all workspaces' : 'in this workspace'}. List blocks to see what is.`,
  );
}

function tell(
  ctx: TxCtx,
  verb: 'blocked' | 'lifted',
  { id, digest, workspaceId }: Pick<BlockRow, 'id' | 'digest' | 'workspaceId'>,
  reason: string,
  permit?: Permit,
): void {
  events.record(ctx, {
    type: `digest.${verb}`,
    target: `block:${id}`,
    data: {
      block_id: id,
      digest,
      is_server_wide: workspaceId === EVERY_WORKSPACE,
      ...(permit === undefined ? {} : permitFacts(permit)),
    },
    texts: { reason },
  });
}

export interface BlockQuery {
  readonly beforeId?: number | undefined;
  /** Undefined: all. */
  readonly state?: 'open' | 'lifted' | undefined;
  readonly limit: number;
}

/** Of the workspace and of all of them, newest first. */
export async function list(ctx: Ctx, { beforeId, state, limit }: BlockQuery): Promise<readonly Block[]> {
  const page = { beforeId: beforeId ?? Number.MAX_SAFE_INTEGER, limit, isOpen: state === undefined ? undefined : state === 'open' };
  return withReasons(reading(ctx), await store.list(reading(ctx), reaching(ctx), page));
}

/** Lifted ones too, newest first, at most 100. Empty where it never was blocked. */
export async function listOfDigest(ctx: Ctx, digest: string): Promise<readonly Block[]> {
  checkDigest(digest);
  return withReasons(reading(ctx), await store.listOfDigest(reading(ctx), reaching(ctx), digest, HISTORY_MAX));
}

export interface VersionsPage {
  readonly versions: readonly ModelVersion[];
  /** Of the last that was looked at, where more may follow. */
  readonly nextId: number | undefined;
}

/** Those of the workspace that have these bytes and that the caller may see, by id; a page may be shorter than its limit. */
export async function listVersions(
  ctx: Ctx,
  digest: string,
  page: { readonly afterId?: number | undefined; readonly limit: number } = { limit: 1000 },
): Promise<VersionsPage> {
  checkDigest(digest);
  const found = await store.listVersionIds(reading(ctx), ctx.workspace.id, digest, {
    afterId: page.afterId ?? -1,
    limit: page.limit + 1,
  });
  const ids = found.slice(0, page.limit);
  const visible = (await versions.listByIds(ctx, ids)).filter(
    ({ modelId, name }) => ctx.access.rankOf('registered-model', { id: modelId, name }) >= RANK.VIEW,
  );
  return { versions: visible, nextId: found.length > ids.length ? ids.at(-1) : undefined };
}

/** What is blocked in a workspace that goes is blocked where its models go. In the caller's transaction. */
export async function moveAll(ctx: TxCtx, to: WorkspaceRef): Promise<void> {
  await announceChange(ctx);
  const count = await store.moveOpen(ctx.tx, ctx.workspace.id, to.id, ctx.principal.id);
  if (count > 0) events.record(ctx, { type: 'digest.blocks-moved', data: { to: to.id, count } });
}

function checkDigest(digest: string): void {
  if (!DIGEST.test(digest)) {
    throw invalid(
      `'${clip(digest)}' is no digest: it is the seal's, a SHA-256 in 64 lowercase hex characters. A version shows it as seal.digest.`,
    );
  }
}

function checkReason(reason: string): void {
  if (reason.trim() === '') throw invalid("'reason' is empty. Say why, for whoever is refused.");
  checkLength(reason, REASON_MAX, 'reason');
}
