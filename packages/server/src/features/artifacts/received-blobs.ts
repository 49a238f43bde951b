/** Bytes on their way into a row: stored first, kept by a row in the transaction that refers to it, then settled. */
import type { Readable } from 'node:stream';
import type { StoredBytes } from '../../platform/blobs/blob-store.ts';
import { type Ctx, type TxCtx, transaction } from '../../platform/context.ts';
import { domainOf, SERVER_DOMAIN } from './artifact-rules.ts';
import * as store from './artifact-store.ts';
import type { WorkspaceKey } from './workspace-keys.ts';

/** Bytes that are stored, and in no row yet. */
export type Received = StoredBytes & { readonly domain: string; readonly key: WorkspaceKey | undefined };

/** Encrypted where a key is given. */
export async function receive(ctx: Ctx, bytes: Readable, key: WorkspaceKey | undefined): Promise<Received> {
  const domain = key === undefined ? SERVER_DOMAIN : domainOf(ctx.workspace.id);
  return { ...(await ctx.blobs.put(domain, bytes, key)), domain, key };
}

export interface Kept {
  readonly id: number;
  /** Of an encrypted blob: the file that counts. */
  readonly fileId: string | undefined;
}

/** Its row: refer to it in the same transaction. */
export async function keep({ tx, clock }: TxCtx, received: Received): Promise<Kept> {
  const row = encryptedRow(received);
  return row ? store.keepEncryptedBlob(tx, row, clock.now()) : { id: await store.keepBlob(tx, received, clock.now()), fileId: undefined };
}

function encryptedRow({ encryption, key, ...blob }: Received): store.EncryptedRow | undefined {
  return encryption && key && { ...blob, fileId: encryption.fileId, wrappedKey: encryption.wrappedKey, workspaceKeyPk: key.pk };
}

/** After the commit: of two files with equal bytes one goes: the new one, unless the old one isn't to be relied on. */
export async function settle(ctx: Ctx, received: Received, kept: Kept | undefined): Promise<void> {
  const row = encryptedRow(received);
  if (row === undefined || received.encryption === undefined || kept?.fileId === undefined || kept.fileId === row.fileId) return;
  const { fileId } = kept;
  const isThere = await ctx.blobs.has({ ...received, encryption: { ...received.encryption, fileId } });
  const isReplaced = !isThere && (await transaction(ctx, ({ tx }) => store.replaceFile(tx, kept.id, fileId, row))) > 0;
  if (!isReplaced) await ctx.blobs.remove(received, Number.POSITIVE_INFINITY);
}
