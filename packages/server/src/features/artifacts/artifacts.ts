/**
 * Files of runs, logged models and versions: paths that point at immutable blobs, and sealed trees of them. Bytes are stored first, then
 * the row is committed, so a path never points at half a file.
 */
import { hash } from 'node:crypto';
import { Readable } from 'node:stream';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid, notFound } from '@countersign/contract/problem.ts';
import { type BlobName, type ByteRange, CHUNK_BYTES } from '../../platform/blobs/blob-store.ts';
import { type Ctx, reading, type TxCtx, transaction, type WorkspaceRef } from '../../platform/context.ts';
import type { Database } from '../../platform/db/database.ts';
import { checkBytes, countUsage, getSettings } from '../workspaces/workspaces.ts';
import {
  digestTree,
  domainOf,
  foldersAbove,
  type ManifestEntry,
  parseFilePath,
  parsePath,
  parseWritablePath,
  SERVER_DOMAIN,
  sortByPath,
} from './artifact-rules.ts';
import * as store from './artifact-store.ts';
import { limited } from './limited-bytes.ts';
import { type Kept, keep, type Received, receive, settle } from './received-blobs.ts';
import { missingUnlessBusy, verifiedChunks } from './verified-chunks.ts';
import * as keys from './workspace-keys.ts';

export { type Collected, type CollectOptions, collectGarbage, collectOrphans } from './artifact-gc.ts';
export {
  joinPath,
  type ManifestEntry,
  parsePath,
  parseWritablePath,
  rootOfWorkspace,
  SEALED_ROOT,
  type SealedPath,
  sealedPathOf,
  storedPathOf,
  WORKSPACES_ROOT,
} from './artifact-rules.ts';
export { DamagedFile } from './verified-chunks.ts';
export { type ListedKey, WORKSPACE_KEYS, type WorkspaceKey } from './workspace-keys.ts';

type ReadCtx = Pick<Ctx, 'db' | 'tx' | 'workspace'>;

/** A file as it is read: its blob, and when the path came to point at it. */
export interface ArtifactFile extends BlobName {
  readonly path: string;
  readonly blobId: number;
  /** Epoch ms. */
  readonly updatedAt: number;
}

export interface ArtifactEntry {
  /** Full, from the artifact root (or the root of the tree). */
  readonly path: string;
  readonly isDirectory: boolean;
  /** 0 for directories. */
  readonly sizeBytes: number;
}

/** A sealed tree of files. Its id is for the database, its digest for everybody. */
export interface Tree {
  readonly id: number;
  /** SHA-256 of the manifest, lowercase hex. */
  readonly digest: string;
  /** Root in the manner of OpenSSF Model Signing. */
  readonly signingRoot: string;
  readonly fileCount: number;
  readonly sizeBytes: number;
}

/**
 * Stores the bytes and points the path at them, replacing what it pointed at. Resolves when both are durable. `sizeBytes`, where it is known
 * before, lets a refusal come early.
 * INVALID_PARAMETER_VALUE for a path that isn't one, below a file, or a directory, and for an upload cut off; INVALID_STATE over the
 * workspace's quota; STORAGE_FULL.
 */
export async function put(ctx: Ctx, path: string, bytes: Readable, sizeBytes = 0): Promise<void> {
  await storeAt(ctx, parseWritablePath(path), bytes, sizeBytes);
}

async function storeAt(ctx: Ctx, target: string, bytes: Readable, sizeBytes = 0): Promise<void> {
  const above = foldersAbove(target);
  const [inTheWay, settings] = await Promise.all([store.findInTheWay(reading(ctx), ctx.workspace.id, target, above), getSettings(ctx)]);
  refuseInTheWay(target, inTheWay);
  const allowed = settings.quota_bytes === null ? bytes : await withinQuota(ctx, target, bytes, sizeBytes);
  const received = await receive(ctx, allowed, settings.encrypt_artifacts ? await keyForUploads(ctx) : undefined);
  const kept = await transaction(ctx, async (inner) => {
    const { tx, workspace, principal, clock } = inner;
    refuseInTheWay(target, await store.findInTheWay(tx, workspace.id, target, above));
    const before = await store.sizeOfFile(tx, workspace.id, target);
    const blob = await keep(inner, received);
    await store.putFile(tx, workspace.id, target, blob.id, clock.now(), principal.id);
    await countUsage(inner, { bytes: received.sizeBytes - before });
    return blob;
  });
  await settle(ctx, received, kept);
}

/** Refused before a byte is read where the size is known, else at the first byte that is too many. */
async function withinQuota(ctx: Ctx, target: string, bytes: Readable, sizeBytes: number): Promise<Readable> {
  const replaced = await store.sizeOfFile(reading(ctx), ctx.workspace.id, target);
  const left = await checkBytes(ctx, Math.max(sizeBytes - replaced, 0));
  return left === undefined ? bytes : limited(bytes, Math.max(left, 0) + replaced, ctx.workspace.name);
}

/** Makes the workspace's first key. */
async function keyForUploads(ctx: Ctx): Promise<keys.WorkspaceKey> {
  return (await keys.findCurrentKey(ctx)) ?? transaction(ctx, async (inner) => (await keys.findCurrentKey(inner)) ?? keys.makeKey(inner));
}

/** A new key for the workspace's new blobs; those that are there stay under theirs. An event. */
export function rotateWorkspaceKey(ctx: Ctx): Promise<keys.WorkspaceKey> {
  return transaction(ctx, keys.makeKey);
}

/** Keys of all workspaces, oldest first. */
export function listWorkspaceKeys(ctx: Ctx): Promise<keys.ListedKey[]> {
  return keys.listKeys(ctx);
}

function refuseInTheWay(target: string, other: { path: string } | undefined): void {
  if (other === undefined) return;
  throw invalid(
    target.startsWith(`${other.path}/`)
      ? `Invalid path '${clip(target)}': '${clip(other.path)}' is a file, so nothing can be stored below it. Delete that file first or use another path.`
      : `Invalid path '${clip(target)}': it is a directory. Store the file under another path.`,
  );
}

export interface IncomingFile {
  readonly path: string;
  open(): Readable;
}

/** Copies files below a directory that no client may write to; `dropCopied` ends it. */
export async function copyIn(ctx: Ctx, directory: string, files: AsyncIterable<IncomingFile>): Promise<void> {
  for await (const file of files) await storeAt(ctx, parseFilePath(`${directory}/${file.path}`), file.open());
}

/** The rows of `copyIn`; a tree sealed from them keeps their blobs. */
export function dropCopied(ctx: TxCtx, directory: string): Promise<void> {
  return removeFiles(ctx, parseFilePath(directory));
}

async function removeFiles(ctx: TxCtx, path: string): Promise<void> {
  await countUsage(ctx, { bytes: -(await store.removeFiles(ctx.tx, ctx.workspace.id, path)) });
}

/** All files of the workspace are the other's from now on, at the paths that they have. */
export async function moveAll(ctx: TxCtx, to: WorkspaceRef): Promise<void> {
  await store.moveFiles(ctx.tx, ctx.workspace.id, to.id);
}

export const COPIED_FILES_MAX = store.TREE_FILES_MAX;

/** One level, sorted by the bytes of the path; empty where the directory is absent or a file. `''` is the root. */
export async function list(ctx: ReadCtx, directory: string): Promise<ArtifactEntry[]> {
  return toEntries(await store.listFolder(reading(ctx), ctx.workspace.id, parsePath(directory)), directory);
}

function toEntries(rows: store.EntryRow[], directory: string): ArtifactEntry[] {
  if (rows.length > store.LIST_MAX) {
    throw invalid(`'${clip(directory)}' holds more than ${store.LIST_MAX} entries, which can't be listed at once. List its directories.`);
  }
  return sortByPath(rows.map((row) => ({ path: row.path, isDirectory: row.is_directory === 1, sizeBytes: row.size })));
}

export async function find(ctx: ReadCtx, path: string): Promise<ArtifactFile | undefined> {
  return toFile(await store.findFile(reading(ctx), ctx.workspace.id, parsePath(path)));
}

function toFile(row: store.FileRow | undefined): ArtifactFile | undefined {
  return row && { ...store.toBlobName(row), path: row.path, blobId: row.blob_id, updatedAt: row.updated_at };
}

export async function isDirectory(ctx: ReadCtx, path: string): Promise<boolean> {
  const folder = parsePath(path);
  return folder === '' || (await store.hasFilesBelow(reading(ctx), ctx.workspace.id, folder)) !== undefined;
}

/** Unchecked: what isn't sealed promises nothing. */
export function read(ctx: Pick<Ctx, 'blobs'>, file: ArtifactFile, range?: ByteRange): Readable {
  return ctx.blobs.read(file, range);
}

/** The same in pieces, as BlobStore.chunks. */
export function readChunks(ctx: Pick<Ctx, 'blobs'>, file: ArtifactFile, range?: ByteRange): AsyncGenerator<Buffer> {
  return ctx.blobs.chunks(file, range);
}

/** A small file in one piece, unchecked. */
export function readWhole(ctx: Pick<Ctx, 'blobs'>, file: ArtifactFile): Promise<Buffer> {
  return ctx.blobs.readWhole(file);
}

/** Removes a file, or a directory with all below it; nothing happens where there is none. Its root, and sealed files, are refused. */
export async function remove(ctx: Ctx, path: string): Promise<void> {
  const target = parseWritablePath(path);
  await transaction(ctx, (inner) => removeFiles(inner, target));
}

/**
 * The tree of all files below a directory as they are in this transaction; equal trees are one. Undefined without files, or where
 * `requires` isn't a file at its root. Refer to the tree in the same transaction: a tree nobody refers to is collected.
 */
export async function sealTree(ctx: TxCtx, directory: string, options: { readonly requires?: string } = {}): Promise<Tree | undefined> {
  const folder = parseFilePath(directory);
  const rows = await store.listForSeal(ctx.tx, ctx.workspace.id, folder);
  if (rows.length === 0) return undefined;
  if (rows.length > store.TREE_FILES_MAX) {
    throw invalid(
      `'${clip(folder)}' holds more than ${store.TREE_FILES_MAX} files. Put them into archives to register them as a model version.`,
    );
  }
  const entries = rows.map((row) => ({ path: row.path.slice(folder.length + 1), sha256: row.sha256, sizeBytes: row.size }));
  if (options.requires !== undefined && !entries.some((entry) => entry.path === options.requires)) return undefined;
  const files = rows.map((row, i) => ({ path: entries[i]?.path ?? '', blobId: row.blob_id }));
  return keepTree(ctx, treeDomain(ctx, rows), entries, files);
}

/** A tree with encrypted files belongs to its workspace: an equal one of another is a tree of its own. */
function treeDomain(ctx: TxCtx, files: readonly { readonly domain: string }[]): string {
  return files.every((file) => file.domain === SERVER_DOMAIN) ? SERVER_DOMAIN : domainOf(ctx.workspace.id);
}

/** Texts are in the database already; a tree in this domain has a digest and no files to read. */
const TEXT_DOMAIN = 'texts';

/**
 * The tree of a few texts, each under a name, as it stands for a version that has no files (a prompt). Same digest rule as for files; it
 * seals, but `listTree` finds nothing in it: the texts stay where the caller has them.
 */
export async function sealTexts(ctx: TxCtx, texts: Readonly<Record<string, string>>): Promise<Tree> {
  const entries = Object.entries(texts).map(([path, text]) => {
    const bytes = Buffer.from(text, 'utf8');
    return { path, sha256: hash('sha256', bytes), sizeBytes: bytes.length };
  });
  return keepTree(ctx, TEXT_DOMAIN, entries, []);
}

async function keepTree(ctx: TxCtx, domain: string, entries: readonly ManifestEntry[], files: readonly store.TreeFile[]): Promise<Tree> {
  const digests = digestTree(entries);
  const found = await store.findTreeByDigest(ctx.tx, domain, digests.digest);
  if (found) return toTree(found);
  const sizeBytes = entries.reduce((sum, entry) => sum + entry.sizeBytes, 0);
  const tree = { ...digests, fileCount: entries.length, sizeBytes };
  const id = await store.insertTree(ctx.tx, { domain, ...tree }, ctx.clock.now());
  if (id !== undefined) {
    if (files.length > 0) await store.insertTreeFiles(ctx.tx, id, files);
    return { id, ...tree };
  }
  // Another process was faster; its commit was waited for.
  const other = await store.findTreeByDigest(ctx.tx, domain, digests.digest);
  if (other === undefined) throw new TypeError('a tree in conflict is there');
  return toTree(other);
}

function toTree(row: store.TreeRow): Tree {
  return { id: row.id, digest: row.digest, signingRoot: row.signing_root, fileCount: row.file_count, sizeBytes: row.size };
}

/**
 * The tree as this workspace may hold it: bytes that lie in another key domain are copied into this one's, each chunk checked, and sealed as
 * the same manifest. The tree itself where nothing needs to be copied. Fails with DamagedFile where bytes differ from the seal.
 */
export async function copyTree(ctx: Ctx, treeId: number): Promise<Tree> {
  const rows = await store.listTreeFiles(reading(ctx), treeId);
  const key = (await getSettings(ctx)).encrypt_artifacts ? await keyForUploads(ctx) : undefined;
  const isOurs = (domain: string): boolean => domain === domainOf(ctx.workspace.id) || (key === undefined && domain === SERVER_DOMAIN);
  const tree = await findTree(ctx, treeId);
  if (tree === undefined) throw notFound(`There is no sealed tree ${treeId}.`);
  if (rows.every((row) => isOurs(row.domain))) return tree;
  const received = new Map<string, Received>();
  for (const row of rows) {
    if (isOurs(row.domain)) continue;
    const file = { ...store.toBlobName(row), path: row.path, blobId: row.blob_id, updatedAt: row.updated_at };
    // What is damaged fails here; whose it is records it when it is read there.
    const checked = readVerified(ctx, file, undefined, async () => {});
    received.set(row.path, await receive(ctx, checked, key));
  }
  const kept = new Map<string, Kept>();
  const copied = await transaction(ctx, async (inner) => {
    await store.holdTree(inner.tx, treeId);
    for (const [path, bytes] of received) kept.set(path, await keep(inner, bytes));
    const files = rows.map((row) => ({ path: row.path, blobId: kept.get(row.path)?.id ?? row.blob_id }));
    const entries = rows.map((row) => ({ path: row.path, sha256: row.sha256, sizeBytes: row.size }));
    return keepTree(inner, treeDomain(inner, [...rows.filter((row) => isOurs(row.domain)), ...received.values()]), entries, files);
  });
  for (const [path, bytes] of received) await settle(ctx, bytes, kept.get(path));
  return copied;
}

/** For who is about to refer to it: it can't be collected before the transaction ends. */
export async function holdTree(ctx: TxCtx, treeId: number): Promise<Tree | undefined> {
  const row = await store.holdTree(ctx.tx, treeId);
  return row && toTree(row);
}

const TREES_MAX = 10_000;

/** A tree never changes, and its id is never given again once it was committed. Nothing uncommitted is remembered. */
const committedTrees = new WeakMap<Database, Map<number, Tree>>();

export async function findTree(ctx: ReadCtx, treeId: number): Promise<Tree | undefined> {
  const known = committedTrees.get(ctx.db) ?? new Map<number, Tree>();
  committedTrees.set(ctx.db, known);
  const found = known.get(treeId);
  if (found !== undefined) return found;
  const row = await store.findTree(reading(ctx), treeId);
  const tree = row && toTree(row);
  if (tree !== undefined && ctx.tx === undefined) {
    if (known.size >= TREES_MAX) known.clear();
    known.set(treeId, tree);
  }
  return tree;
}

/** Null: nothing is sealed. */
export async function digestOfTree(ctx: ReadCtx, treeId: number | null): Promise<string | null> {
  return treeId === null ? null : ((await findTree(ctx, treeId))?.digest ?? null);
}

/** One level of a sealed tree, as `list`. */
export async function listTree(ctx: ReadCtx, treeId: number, directory: string): Promise<ArtifactEntry[]> {
  return toEntries(await store.listTreeFolder(reading(ctx), treeId, parsePath(directory)), directory);
}

/** A file of a sealed tree; `updatedAt` is when the tree was sealed. */
export async function findInTree(ctx: ReadCtx, treeId: number, path: string): Promise<ArtifactFile | undefined> {
  return toFile(await store.findTreeFile(reading(ctx), treeId, parsePath(path)));
}

/** All files of a sealed tree in order of the bytes of their paths: what its digest is computed from. */
export async function treeManifest(ctx: ReadCtx, treeId: number): Promise<ManifestEntry[]> {
  const rows = await store.listTreeFiles(reading(ctx), treeId);
  return rows.map((row) => ({ path: row.path, sha256: row.sha256, sizeBytes: row.size }));
}

/** A sealed file of at most one chunk in one piece; undefined, after `onDamage`, where it is missing or differs. */
export async function readVerifiedWhole(
  ctx: Pick<Ctx, 'blobs'>,
  file: ArtifactFile,
  onDamage: () => Promise<void>,
): Promise<Buffer | undefined> {
  const bytes = await ctx.blobs.readWhole(file).catch(missingUnlessBusy);
  if (bytes !== undefined && hash('sha256', bytes) === file.sha256) return bytes;
  await ctx.blobs.distrust(file);
  await onDamage();
  return undefined;
}

/**
 * The bytes of a sealed file, each chunk checked before any byte of it is given out. At the first one that is missing or differs,
 * `onDamage` is awaited and the next piece fails: what came until then is right and too short. Pieces as BlobStore.chunks.
 */
export function readVerifiedChunks(
  ctx: Pick<Ctx, 'db' | 'tx' | 'blobs'>,
  file: ArtifactFile,
  range: ByteRange | undefined,
  onDamage: () => Promise<void>,
): AsyncGenerator<Buffer> {
  const digests = (): Promise<Uint8Array> => store.getChunkDigests(reading(ctx), file.blobId);
  return verifiedChunks(ctx.blobs, file, range, digests, async () => {
    await ctx.blobs.distrust(file);
    await onDamage();
  });
}

/** The same as a stream, whose pieces are the reader's own. */
export function readVerified(
  ctx: Pick<Ctx, 'db' | 'tx' | 'blobs'>,
  file: ArtifactFile,
  range: ByteRange | undefined,
  onDamage: () => Promise<void>,
): Readable {
  return Readable.from(copies(readVerifiedChunks(ctx, file, range, onDamage)), { objectMode: false, highWaterMark: CHUNK_BYTES });
}

async function* copies(chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk);
}
