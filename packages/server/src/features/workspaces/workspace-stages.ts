/**
 * Which stages a workspace has. Read at almost every call and changed once a year, so they are remembered: as of a count of changes of access,
 * which every change of settings moves. Nothing uncommitted is remembered.
 */
import { DEFAULT_SETTINGS, type Settings } from '@countersign/contract/settings.ts';
import type { Stages } from '@countersign/contract/stages.ts';
import type { Ctx, TxCtx } from '../../platform/context.ts';
import type { Database, Queries } from '../../platform/db/database.ts';
import { getEpoch, knownEpoch } from '../accounts/accounts.ts';
import * as settingsStore from './settings-store.ts';

const WORKSPACES_MAX = 10_000;
const DEFAULTS: Stages = { stages: DEFAULT_SETTINGS.stages, stage_edges: null };

interface Remembered {
  readonly epoch: number;
  readonly stages: Stages;
}

const remembered = new WeakMap<Database, Map<number, Remembered>>();

/** As of now, for whoever looks. */
export async function getStages(ctx: Pick<Ctx, 'db' | 'tx' | 'workspace'>): Promise<Stages> {
  const { db, tx, workspace } = ctx;
  // What it decides about must not be older than what it changes.
  if (tx?.dialect === 'postgres') return read(tx, workspace.id, false);
  const epoch = knownEpoch(db);
  const found = remembered.get(db)?.get(workspace.id);
  if (found !== undefined && found.epoch === epoch) return found.stages;
  if (tx) return read(tx, workspace.id, false);
  const current = epoch ?? (await getEpoch(db, -1));
  const stages = await read(db, workspace.id, false);
  if (knownEpoch(db) === current) remember(db, workspace.id, { epoch: current, stages });
  return stages;
}

/** Those that decide about a change: none comes or goes before its commit. */
export function holdStages(ctx: TxCtx): Promise<Stages> {
  // One process changes SQLite, one transaction after another.
  return ctx.db.dialect === 'sqlite' ? getStages(ctx) : read(ctx.tx, ctx.workspace.id, true);
}

function remember(db: Database, workspaceId: number, found: Remembered): void {
  const ofDatabase = remembered.get(db) ?? new Map<number, Remembered>();
  remembered.set(db, ofDatabase);
  if (ofDatabase.size >= WORKSPACES_MAX) ofDatabase.clear();
  ofDatabase.set(workspaceId, found);
}

async function read(db: Queries, workspaceId: number, isHeld: boolean): Promise<Stages> {
  const rows = await settingsStore.listStageSettings(db, workspaceId, isHeld);
  if (rows.length === 0) return DEFAULTS;
  const changed = Object.fromEntries(rows.map(({ name, value }) => [name, JSON.parse(value)])) as Partial<Settings>; // written by `changeSettings` only
  return { ...DEFAULTS, ...changed };
}
