/** Workspaces group everything by project or department; each is set up by its settings, and holds what its quotas allow. */
import { resolveLocation } from '@countersign/contract/artifact-location.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { checkWorkspaceName } from '@countersign/contract/names.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import { DEFAULT_SETTINGS, type SettingName, type Settings } from '@countersign/contract/settings.ts';
import type { Stage } from '@countersign/contract/stages.ts';
import { type Ctx, reading, type TxCtx, transaction, type WorkspaceRef } from '../../platform/context.ts';
import type { Database, Queries } from '../../platform/db/database.ts';
import { announceChange, governSetting, knownEpoch, lockAccess, recordAccess } from '../accounts/accounts.ts';
import * as settingsStore from './settings-store.ts';
import { goneStages, STAGE_SETTINGS, withStages } from './stage-rules.ts';
import * as usageStore from './usage-store.ts';
import { checkAllowed, checkSettings, isServed, overQuota, type Usage } from './workspace-rules.ts';
import type { Workspace } from './workspace-store.ts';
import * as store from './workspace-store.ts';

export type { Usage } from './workspace-rules.ts';
export { getStages } from './workspace-stages.ts';
export type { Workspace } from './workspace-store.ts';

/** Where everything is that names no workspace. It is always there, and everybody with an account is a member. */
export const DEFAULT_WORKSPACE_ID = 0;
const DEFAULT_NAME = 'default';

const SETTINGS_OF_DEFAULT: Settings = { ...DEFAULT_SETTINGS, member_level: 'READ' };

export async function findWorkspace(db: Queries, name: string): Promise<WorkspaceRef | undefined> {
  const found = await store.findByName(db, name);
  return found && { id: found.id, name: found.name };
}

export async function getWorkspaceById(ctx: Ctx, id: number): Promise<WorkspaceRef> {
  const found = await store.findById(reading(ctx), id);
  if (found === undefined) throw notFound(`There is no workspace with the id ${id}.`);
  return found;
}

/** Also one that is closed. */
export function findWorkspaceById(db: Queries, id: number): Promise<WorkspaceRef | undefined> {
  return store.findById(db, id);
}

/** RESOURCE_DOES_NOT_EXIST in MLflow's words. Whether the caller may know of it is the caller's business. */
export async function getWorkspace(ctx: Ctx, name: string): Promise<Workspace> {
  const workspace = await store.findByName(reading(ctx), name);
  if (workspace === undefined) throw noWorkspace(name);
  return workspace;
}

export function noWorkspace(name: string): Problem {
  return notFound(`Workspace '${clip(name)}' not found`);
}

/** All that are there, by name. */
export function listWorkspaces(ctx: Ctx): Promise<Workspace[]> {
  return store.list(reading(ctx));
}

/** A context of another workspace for who administers the server: the access that the caller has is not that of its members. */
export function within<C extends Ctx>(ctx: C, { id, name }: WorkspaceRef): C {
  return { ...ctx, workspace: { id, name } };
}

export interface NewWorkspace {
  readonly name: string;
  readonly description?: string | undefined;
  readonly defaultArtifactRoot?: string | undefined;
  readonly settings?: Partial<Settings> | undefined;
}

/** RESOURCE_ALREADY_EXISTS for a taken name. An event in the new workspace. */
export async function createWorkspace(ctx: Ctx, input: NewWorkspace): Promise<Workspace> {
  if (input.name === DEFAULT_NAME) throw invalid(`The '${DEFAULT_NAME}' workspace is reserved and cannot be created`);
  checkWorkspaceName(input.name);
  const row = { description: input.description ?? null, defaultArtifactRoot: readRoot(input.defaultArtifactRoot) };
  return transaction(ctx, async (inner) => {
    const at = inner.clock.now();
    const id = await store.insert(inner.tx, { name: input.name, ...row, at, by: inner.principal.id });
    if (id === undefined) throw new Problem('RESOURCE_ALREADY_EXISTS', `Workspace '${input.name}' already exists.`);
    const inside = within(inner, { id, name: input.name });
    recordAccess(inside, { type: 'workspace.created', data: { workspace_id: id, name: input.name }, texts: textsOf(row) });
    await announceChange(inner);
    // Nothing is in it yet, so that no stage is in use.
    if (input.settings !== undefined) await changeSettings(inside, input.settings, async () => {});
    return { id, name: input.name, ...row, createdAt: at };
  });
}

export interface WorkspaceChange {
  readonly description?: string | undefined;
  /** Empty: the server's own. For experiments that are created from now on. */
  readonly defaultArtifactRoot?: string | undefined;
  readonly settings?: Partial<Settings> | undefined;
}

/** What is undefined stays as it is. `refuseGone` as in `changeSettings`. */
export async function updateWorkspace(ctx: Ctx, name: string, change: WorkspaceChange, refuseGone?: RefuseGone): Promise<Workspace> {
  const root = change.defaultArtifactRoot === undefined ? undefined : readRoot(change.defaultArtifactRoot);
  return transaction(ctx, async (inner) => {
    const before = await getWorkspace(inner, name);
    const inside = within(inner, before);
    const row = {
      description: change.description ?? before.description,
      defaultArtifactRoot: root === undefined ? before.defaultArtifactRoot : root,
    };
    if (change.description !== undefined || root !== undefined) {
      await store.update(inner.tx, before.id, { ...row, by: inner.principal.id });
      recordAccess(inside, { type: 'workspace.changed', data: { workspace_id: before.id }, texts: textsOf(row) });
    }
    if (change.settings !== undefined) await changeSettings(inside, change.settings, refuseGone);
    return { ...before, ...row };
  });
}

/** Free text, and a place that may hold a storage's credentials: beside the chain. */
function textsOf(row: { description: string | null; defaultArtifactRoot: string | null }): Record<string, string> {
  return {
    ...(row.description ? { description: row.description } : {}),
    ...(row.defaultArtifactRoot ? { default_artifact_root: row.defaultArtifactRoot } : {}),
  };
}

function readRoot(given: string | undefined): string | null {
  const root = (given ?? '').trim();
  if (root === '') return null;
  const resolved = resolveLocation(root, process.cwd());
  if (!isServed(resolved)) return resolved;
  // The served storage is divided by workspaces already, and a folder in it could be another experiment's.
  if (/^mlflow-artifacts:\/*$/i.test(resolved)) return null;
  throw invalid(
    `Invalid default_artifact_root '${clip(root)}': in the server's own storage every workspace has its folder by itself. Leave it out, or name another storage.`,
  );
}

/** Its name is free from now on; what it holds is the caller's business. An event. */
export async function removeWorkspace(ctx: TxCtx, workspace: Workspace, mode: string): Promise<void> {
  await store.markDeleted(ctx.tx, workspace.id, ctx.clock.now(), ctx.principal.id);
  recordAccess(within(ctx, workspace), { type: 'workspace.deleted', data: { workspace_id: workspace.id, name: workspace.name, mode } });
  await announceChange(ctx);
}

/** Nobody else deletes it until the commit. RESOURCE_DOES_NOT_EXIST. */
export async function holdWorkspace(ctx: TxCtx, name: string): Promise<Workspace> {
  const { id } = await getWorkspace(ctx, name);
  await store.lock(ctx.tx, id);
  return getWorkspace(ctx, name);
}

/** For what adds to the workspace: it isn't deleted before the commit. RESOURCE_DOES_NOT_EXIST where it was, since the request came in. */
export async function demandOpen(ctx: TxCtx): Promise<void> {
  const { id, name } = ctx.workspace;
  if (id !== DEFAULT_WORKSPACE_ID && !(await store.isHeldOpen(ctx.tx, id))) throw noWorkspace(name);
}

/** Below which the workspace's experiments lie; undefined: the server's root. */
export async function findArtifactRoot(ctx: Ctx): Promise<string | undefined> {
  return (await store.findById(reading(ctx), ctx.workspace.id))?.defaultArtifactRoot ?? undefined;
}

interface RememberedSettings {
  /** The count of changes of access as of which they hold: every change of settings moves it before it writes. */
  readonly epoch: number;
  readonly byWorkspace: Map<number, Settings>;
}

/** On SQLite, where one process changes everything. */
const remembered = new WeakMap<Database, RememberedSettings>();

/** The workspace's settings, defaults filled in. */
export async function getSettings(ctx: Pick<Ctx, 'db' | 'tx' | 'workspace'>): Promise<Settings> {
  const { db, workspace } = ctx;
  const epoch = db.dialect === 'sqlite' ? knownEpoch(db) : undefined;
  if (epoch === undefined) return settingsOf(reading(ctx), workspace.id);
  let memory = remembered.get(db);
  if (memory?.epoch !== epoch) {
    memory = { epoch, byWorkspace: new Map() };
    remembered.set(db, memory);
  }
  const found = memory.byWorkspace.get(workspace.id) ?? (await settingsOf(reading(ctx), workspace.id));
  memory.byWorkspace.set(workspace.id, found);
  return found;
}

/** The same for any workspace. */
export async function settingsOf(db: Queries, workspaceId: number): Promise<Settings> {
  const rows = await settingsStore.listSettings(db, workspaceId);
  const defaults = workspaceId === DEFAULT_WORKSPACE_ID ? SETTINGS_OF_DEFAULT : DEFAULT_SETTINGS;
  if (rows.length === 0) return defaults;
  const settings: Record<string, unknown> = { ...defaults };
  for (const row of rows) settings[row.name] = JSON.parse(row.value);
  return settings as unknown as Settings; // rows are written by `changeSettings` only, which takes nothing else
}

/** Throws INVALID_STATE for stages that are still in use; which those are, rooms above know. */
export type RefuseGone = (ctx: TxCtx, gone: readonly Stage[]) => Promise<void>;

/** Changes some settings, as events. PERMISSION_DENIED for a quota, unless the caller administers the server. */
export async function changeSettings(ctx: Ctx, changes: Partial<Settings>, refuseGone: RefuseGone = neverGone): Promise<Settings> {
  checkSettings(ctx, changes);
  return transaction(ctx, async (inner) => {
    if (STAGE_SETTINGS.some((name) => changes[name] !== undefined)) await lockAccess(inner);
    const before = await getSettings(inner);
    const normalised = withStages(before, changes);
    const gone = goneStages(before, { ...before, ...normalised });
    await governChanges(inner, before, normalised);
    if (gone.length > 0) await refuseGone(inner, gone);
    // Before the first of them is written, so that nobody remembers what may be undone.
    await announceChange(inner);
    for (const [name, value] of Object.entries(normalised)) {
      await settingsStore.upsertSetting(inner.tx, inner.workspace.id, name as SettingName, JSON.stringify(value), inner.principal.id);
      const isText = name === 'name_message';
      recordAccess(inner, {
        type: 'setting.changed',
        data: isText ? { name } : { name, value },
        ...(isText ? { texts: { value: String(value) } } : {}),
      });
    }
    return getSettings(inner);
  });
}

/** Stages are places that policies are about; the level of members is a level that policies may ask for. */
async function governChanges(ctx: TxCtx, before: Settings, changes: Partial<Settings>): Promise<void> {
  const changed = (name: SettingName): boolean =>
    changes[name] !== undefined && JSON.stringify(changes[name]) !== JSON.stringify(before[name]);
  const workspaceId = ctx.workspace.id;
  // Together, as they were asked for: one approval is of all of them.
  const words = STAGE_SETTINGS.filter(changed).map((name) => `set ${name} to ${JSON.stringify(changes[name])}`);
  if (words.length > 0) await governSetting(ctx, { setting: 'stages', words: words.join(', '), workspaceId });
  const { member_level: level } = changes;
  if (level === undefined || level === 'NONE' || !changed('member_level')) return;
  await governSetting(ctx, { setting: 'memberships', words: `give members ${level}`, workspaceId, names: { level } });
}

async function neverGone(_ctx: TxCtx, gone: readonly Stage[]): Promise<void> {
  throw new TypeError(`the stages ${gone.join(', ')} are taken away where nobody looks whether they are in use`);
}

/** INVALID_PARAMETER_VALUE, in the workspace's own words, for a name of a model that its pattern doesn't take. */
export async function checkNaming(ctx: Ctx, name: string): Promise<void> {
  checkAllowed(ctx.workspace.name, await getSettings(ctx), name);
}

export function getUsage(ctx: Ctx): Promise<Usage> {
  return usageStore.get(reading(ctx), ctx.workspace.id);
}

/** INVALID_STATE where the workspace's files, with so many bytes more, would be over its quota. Answers how many there are left; undefined: any. */
export async function checkBytes(ctx: Ctx, more: number): Promise<number | undefined> {
  const settings = await getSettings(ctx);
  if (settings.quota_bytes === null) return undefined;
  const { bytes } = await getUsage(ctx);
  const problem = overQuota(
    ctx.workspace.name,
    settings,
    { models: 0, versions: 0, bytes: bytes + more },
    { models: 0, versions: 0, bytes: more },
  );
  if (problem) throw problem;
  return settings.quota_bytes - bytes;
}

/**
 * Counts what a change adds or takes away, in its transaction. RESOURCE_DOES_NOT_EXIST as in `demandOpen`; INVALID_STATE where that is over a quota. Servers that share a database may each
 * let the last one in at the same moment.
 */
export async function countUsage(ctx: TxCtx, change: Partial<Usage>): Promise<void> {
  const { models = 0, versions = 0, bytes = 0 } = change;
  if (models === 0 && versions === 0 && bytes === 0) return;
  await usageStore.add(ctx.tx, ctx.workspace.id, shardOf(ctx), { models, versions, bytes });
  if (models <= 0 && versions <= 0 && bytes <= 0) return;
  await demandOpen(ctx);
  const settings = await getSettings(ctx);
  if (settings.quota_models === null && settings.quota_versions === null && settings.quota_bytes === null) return;
  const problem = overQuota(ctx.workspace.name, settings, await getUsage(ctx), { models, versions, bytes });
  if (problem) throw problem;
}

/** Counts what another workspace held as this one's. INVALID_STATE as in `countUsage`. */
export async function takeUsage(ctx: TxCtx, from: WorkspaceRef): Promise<void> {
  const moved = await usageStore.get(ctx.tx, from.id);
  await usageStore.move(ctx.tx, from.id, ctx.workspace.id, shardOf(ctx));
  const problem = overQuota(ctx.workspace.name, await getSettings(ctx), await getUsage(ctx), moved);
  if (problem) throw problem;
}

const SHARDS = 64;
const shards = new WeakMap<Database, number>();

/** One process owns a SQLite database; of PostgreSQL's, two may draw the same row and then wait for each other. */
function shardOf(ctx: Ctx): number {
  if (ctx.db.dialect === 'sqlite') return 0;
  let shard = shards.get(ctx.db);
  if (shard === undefined) {
    shard = 1 + ((ctx.clock.randomBytes(1)[0] ?? 0) % SHARDS);
    shards.set(ctx.db, shard);
  }
  return shard;
}
