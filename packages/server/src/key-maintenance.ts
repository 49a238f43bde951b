/** Looking after keys: which there are and what hangs on them, and their rotation. On SQLite without a server, on PostgreSQL beside some. */
import { setTimeout as sleep } from 'node:timers/promises';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { notFound } from '@countersign/contract/problem.ts';
import * as artifacts from './features/artifacts/artifacts.ts';
import * as checkpoints from './features/checkpoints/checkpoints.ts';
import { record } from './features/events/events.ts';
import * as signIn from './features/sign-in/sign-in.ts';
import * as webhooks from './features/webhooks/webhooks.ts';
import { findWorkspace } from './features/workspaces/workspaces.ts';
import { type Ctx, transaction } from './platform/context.ts';
import type { MasterKeys } from './platform/secrets/master-keys.ts';
import { countByKey, listUnderOthers, replaceSealed, type SealedColumn, type SealedRow } from './platform/secrets/sealed-column-store.ts';
import { type Key, keyIdOf, open, seal } from './platform/secrets/sealing.ts';

/** Every column that SecretBox writes: with WORKSPACE_KEYS, all that would be lost with a master key that is taken away too early. */
export const SECRETS: readonly SealedColumn[] = [webhooks.SECRETS, signIn.SECRETS, checkpoints.SECRETS];

/** How often a running server looks for a new master key. */
export const KEYS_EVERY_MS = 2_000;
/** After this every server that shares the file seals under the new key. */
const SETTLE_MS = 2 * KEYS_EVERY_MS;

export interface MasterKeyUse {
  readonly id: string;
  readonly isCurrent: boolean;
  /** False: something is stored under it, and it isn't where the keys are. */
  readonly isHere: boolean;
  readonly secrets: number;
  readonly workspaceKeys: number;
}

export interface WorkspaceKeyUse {
  readonly id: string;
  readonly workspace: string;
  /** For new blobs. */
  readonly isCurrent: boolean;
  readonly createdAt: number;
  readonly blobs: number;
  readonly masterKeyId: string;
}

export interface KeyList {
  /** The current one first. */
  readonly masterKeys: readonly MasterKeyUse[];
  /** By workspace, oldest first. */
  readonly workspaceKeys: readonly WorkspaceKeyUse[];
}

export async function listKeys(ctx: Ctx, masterKeys: MasterKeys): Promise<KeyList> {
  await masterKeys.refresh();
  const secrets = new Map<string, number>();
  for (const column of SECRETS) for (const [id, count] of await countByKey(ctx.db, column)) secrets.set(id, (secrets.get(id) ?? 0) + count);
  const rows = await artifacts.listWorkspaceKeys(ctx);
  const newest = new Map(rows.map((row) => [row.workspace, row.id]));
  const workspaceKeys = rows.map(({ wrapped, ...row }) => ({
    ...row,
    isCurrent: newest.get(row.workspace) === row.id,
    masterKeyId: keyIdOf(wrapped) ?? '',
  }));
  const here = masterKeys.list().map((key) => key.id);
  const ids = new Set([...here, ...secrets.keys(), ...workspaceKeys.map((key) => key.masterKeyId)]);
  return {
    workspaceKeys,
    masterKeys: [...ids].map((id) => ({
      id,
      isCurrent: id === here[0],
      isHere: here.includes(id),
      secrets: secrets.get(id) ?? 0,
      workspaceKeys: workspaceKeys.filter((key) => key.masterKeyId === id).length,
    })),
  };
}

export interface Rotated {
  /** Of the key that everything hangs on now. */
  readonly keyId: string;
  /** False: a new key was there already, given by the operator or by a rotation that was cut off. */
  readonly isNew: boolean;
  readonly secrets: number;
  readonly workspaceKeys: number;
  /** Stored under keys that aren't here any more, or changed: left as they are. */
  readonly unreadable: number;
  /** Keys that nothing hangs on any more. */
  readonly unused: readonly string[];
}

/**
 * Brings all that hangs on master keys under the newest one, which is made where nothing waits for one that is there. A page in a transaction
 * and an event each, so a rotation that was cut off is gone on with by the next. INVALID_STATE where the operator has to give the new key.
 */
export async function rotateMasterKey(ctx: Ctx, masterKeys: MasterKeys, settleMs = SETTLE_MS): Promise<Rotated> {
  const before = (await listKeys(ctx, masterKeys)).masterKeys;
  const isWaiting = before.some((key) => key.isHere && !key.isCurrent && key.secrets + key.workspaceKeys > 0);
  const isGiven = masterKeys.isGiven && before.filter((key) => key.isHere).length > 1;
  const isNew = !isWaiting && !isGiven;
  if (isNew) await masterKeys.add();
  const current = masterKeys.current();
  const first = await moveAll(ctx, masterKeys, current);
  // A server that hadn't seen the new key yet may have stored something under the old one.
  if (isNew && ctx.db.dialect === 'postgres') await sleep(settleMs);
  const second = isNew ? await moveAll(ctx, masterKeys, current) : { secrets: 0, workspaceKeys: 0 };
  const after = (await listKeys(ctx, masterKeys)).masterKeys;
  return {
    keyId: current.id,
    isNew,
    secrets: first.secrets + second.secrets,
    workspaceKeys: first.workspaceKeys + second.workspaceKeys,
    unreadable: after.filter((key) => !key.isCurrent).reduce((sum, key) => sum + key.secrets + key.workspaceKeys, 0),
    unused: after.filter((key) => !key.isCurrent && key.secrets + key.workspaceKeys === 0).map((key) => key.id),
  };
}

async function moveAll(ctx: Ctx, masterKeys: MasterKeys, current: Key): Promise<{ secrets: number; workspaceKeys: number }> {
  let secrets = 0;
  for (const column of SECRETS) secrets += await moveColumn(ctx, masterKeys, current, column);
  return { secrets, workspaceKeys: await moveColumn(ctx, masterKeys, current, artifacts.WORKSPACE_KEYS) };
}

async function moveColumn(ctx: Ctx, masterKeys: MasterKeys, current: Key, column: SealedColumn): Promise<number> {
  let count = 0;
  for (let after = -1; ; ) {
    const page = await transaction(ctx, async (inner) => {
      const rows = await listUnderOthers(inner.tx, column, current.id, after);
      const sealed = rows.flatMap((row) => resealed(row, masterKeys, current, ctx.clock.randomBytes) ?? []);
      for (const each of sealed) await replaceSealed(inner.tx, column, each.id, each.sealed);
      if (sealed.length > 0)
        record(inner, { type: 'master-key.rotated', data: { key_id: current.id, of: column.table, count: sealed.length } });
      return { last: rows.at(-1)?.id, count: sealed.length };
    });
    count += page.count;
    if (page.last === undefined) return count;
    after = page.last;
  }
}

/** Undefined for what no key here opens: one lost must not keep the others from being moved. */
function resealed(
  row: SealedRow,
  masterKeys: MasterKeys,
  current: Key,
  randomBytes: (size: number) => Buffer,
): { id: number; sealed: Buffer } | undefined {
  const key = masterKeys.find(keyIdOf(row.sealed) ?? '');
  const plain = key && open(row.sealed, key, row.owner);
  return plain && { id: row.id, sealed: seal(plain, current, row.owner, randomBytes) };
}

/** A new key for the workspace's new files; answers its id. RESOURCE_DOES_NOT_EXIST. */
export async function rotateWorkspaceKey(ctx: Ctx, masterKeys: MasterKeys, name: string): Promise<string> {
  const workspace = await findWorkspace(ctx.db, name);
  if (workspace === undefined) throw notFound(`There is no workspace '${clip(name)}'.`);
  await masterKeys.refresh();
  return (await artifacts.rotateWorkspaceKey({ ...ctx, workspace })).id;
}
