/**
 * Which stages a workspace has. Read at almost every call and changed once a year, so they are remembered: as of a count of changes of access,
 * which every change of settings moves. Nothing uncommitted is remembered.
 */
import { DEFAULT_SETTINGS, type Settings } from '@countersign/contract/settings.ts';
import type { Stages } from '@countersign/contract/stages.ts';
import type { Ctx } from '../../platform/context.ts';
import type { Database, Queries, Tx } from '../../platform/db/database.ts';
import { getEpoch, knownEpoch } from '../accounts/accounts.ts';
import * as settingsStore from './settings-store.ts';

const WORKSPACES_MAX = 10_000;
const DEFAULTS: Stages = { stages: DEFAULT_SETTINGS.stages, stage_edges: null };

interface Remembered {
  readonly epoch: number;
  readonly stages: Stages;
}

const remembered = new WeakMap<Database, Map<number, Remembered>>();
/** On PostgreSQL, what a transaction holds until its commit. */
const held = new WeakMap<Tx, Map<number, Stages>>();

/** As of now. In a transaction those that decide about a change: none comes or goes before its commit. */
export async function getStages(ctx: Pick<Ctx, 'db' | 'tx' | 'workspace'>): Promise<Stages> {
  const { db, tx, workspace } = ctx;
  if (tx?.dialect === 'postgres') return holdStages(tx, workspace.id);
  // One process changes SQLite, one transaction after another: what is remembered holds in each of them.
  const epoch = knownEpoch(db);
  const found = remembered.get(db)?.get(workspace.id);
  if (found !== undefined && found.epoch === epoch) return found.stages;
  if (tx) return read(tx, workspace.id, false);
  const current = epoch ?? (await getEpoch(db, -1));
  const stages = await read(db, workspace.id, false);
  if (knownEpoch(db) === current) remember(db, workspace.id, { epoch: current, stages });
  return stages;
}

async function holdStages(tx: Tx, workspaceId: number): Promise<Stages> {
  const ofTransaction = held.get(tx) ?? new Map<number, Stages>();
  held.set(tx, ofTransaction);
  const stages = ofTransaction.get(workspaceId) ?? (await read(tx, workspaceId, true));
  ofTransaction.set(workspaceId, stages);
  return stages;
}

/** After the transaction itself changed them. */
export function forgetHeld(tx: Tx): void {
  held.delete(tx);
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
