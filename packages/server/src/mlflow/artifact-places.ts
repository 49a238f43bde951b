/** Where an artifact URI leads: paths of this server, the sealed tree of a version, or a folder that the operator named. */
import { fileURLToPath } from 'node:url';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid, notFound } from '@countersign/contract/problem.ts';
import * as artifacts from '../features/artifacts/artifacts.ts';
import type { FileRoots } from '../platform/blobs/file-roots.ts';
import type { Ctx } from '../platform/context.ts';
import type { Download } from './artifact-download.ts';

/** What the rooms above know of locations; wired by app.ts. */
export interface ArtifactSources {
  readonly getRunArtifactUri: (ctx: Ctx, runId: string) => Promise<string>;
  readonly getLoggedModelArtifactUri: (ctx: Ctx, modelId: string) => Promise<string>;
  /** Undefined for a version that is absent or not sealed. */
  readonly findSealedTree: (ctx: Ctx, versionId: number) => Promise<{ readonly treeId: number } | undefined>;
  /** The artifact URI that get-download-uri answers. */
  readonly getDownloadLocation: (ctx: Ctx, name: string, version: string) => Promise<string>;
  readonly reportDamage: (ctx: Ctx, versionId: number, path: string) => Promise<void>;
  /** Folders of the operator, for artifact locations with `file:`. */
  readonly fileRoots?: FileRoots;
}

export interface PlaceEntry {
  /** Below the place, whatever directory was listed. */
  readonly path: string;
  readonly isDirectory: boolean;
  readonly sizeBytes: number;
}

/** Paths are below the place and parsed. */
export interface Place {
  /** Sorted by path; empty for what is absent or a file. */
  readonly list: (directory: string) => Promise<PlaceEntry[]>;
  readonly find: (path: string) => Promise<Download | undefined>;
  readonly isDirectory: (path: string) => Promise<boolean>;
}

export function placeOf(ctx: Ctx, sources: ArtifactSources, uri: string): Promise<Place> {
  const stored = artifacts.storedPathOf(uri);
  if (stored !== undefined) return storedPlace(ctx, sources, stored);
  return folderPlace(sources, localFolder(uri));
}

/** Below a path of the artifact root. Paths of sealed versions are read from their trees. */
export async function storedPlace(ctx: Ctx, sources: ArtifactSources, root: string): Promise<Place> {
  const sealed = artifacts.sealedPathOf(root);
  if (sealed) return sealedPlace(ctx, sources, sealed.versionId, sealed.rest);
  return {
    list: async (directory) => below(root, await artifacts.list(ctx, artifacts.joinPath(root, directory))),
    isDirectory: (path) => artifacts.isDirectory(ctx, artifacts.joinPath(root, path)),
    find: async (path) => {
      const file = await artifacts.find(ctx, artifacts.joinPath(root, path));
      return (
        file && {
          ...file,
          whole: () => artifacts.readWhole(ctx, file).catch((error: unknown) => throwAsMissing(error, path)),
          chunks: (range) => artifacts.readChunks(ctx, file, range),
        }
      );
    },
  };
}

function throwAsMissing(error: unknown, path: string): never {
  if ((error as { code?: string }).code !== 'ENOENT') throw error;
  throw notFound(`No such artifact: '${clip(path)}': its bytes are missing on the server's disk. Upload it again.`);
}

async function sealedPlace(ctx: Ctx, sources: ArtifactSources, versionId: number, root: string): Promise<Place> {
  const found = await sources.findSealedTree(ctx, versionId);
  if (found === undefined) return NOTHING;
  const { treeId } = found;
  return {
    list: async (directory) => below(root, await artifacts.listTree(ctx, treeId, artifacts.joinPath(root, directory))),
    isDirectory: async (path) => (await artifacts.listTree(ctx, treeId, artifacts.joinPath(root, path))).length > 0,
    find: async (path) => {
      const file = await artifacts.findInTree(ctx, treeId, artifacts.joinPath(root, path));
      if (file === undefined) return undefined;
      const onDamage = (): Promise<void> => sources.reportDamage(ctx, versionId, file.path);
      return {
        ...file,
        whole: () => artifacts.readVerifiedWhole(ctx, file, onDamage),
        chunks: (range) => artifacts.readVerifiedChunks(ctx, file, range, onDamage),
      };
    },
  };
}

const NOTHING: Place = { list: async () => [], find: async () => undefined, isDirectory: async () => false };

function below(root: string, entries: artifacts.ArtifactEntry[]): PlaceEntry[] {
  return root === '' ? entries : entries.map((entry) => ({ ...entry, path: entry.path.slice(root.length + 1) }));
}

/** A folder of the server's disk, or a sentence for storage that only clients reach. */
function localFolder(uri: string): string {
  if (/^file:/i.test(uri)) {
    try {
      return fileURLToPath(uri.replace(/^file:(?!\/\/)/i, 'file://'));
    } catch {
      throw invalid(`The artifact location '${clip(uri)}' is no file: URI of this machine.`);
    }
  }
  if (uri.startsWith('/')) return uri;
  throw invalid(
    `The artifacts are at '${clip(uri)}', which this server doesn't serve. Read them with the MLflow client, which goes to that storage itself.`,
  );
}

async function folderPlace(sources: ArtifactSources, folder: string): Promise<Place> {
  const roots = namedFolders(sources);
  return {
    list: async (directory) =>
      (await roots.list(folder, directory)).map((entry) => ({ ...entry, path: artifacts.joinPath(directory, entry.name) })),
    isDirectory: async (path) => (await roots.list(folder, path)).length > 0,
    find: async (path) => {
      const file = await roots.find(folder, path);
      if (file === undefined) return undefined;
      const { sizeBytes, updatedAt } = file;
      return {
        path,
        sizeBytes,
        updatedAt,
        sha256: undefined,
        whole: async () => Buffer.concat(await roots.read(file).toArray()),
        chunks: (range) => roots.read(file, range),
      };
    },
  };
}

function namedFolders(sources: ArtifactSources): FileRoots {
  if (sources.fileRoots !== undefined) return sources.fileRoots;
  throw invalid('This artifact location is a folder on disk, and the server may use none. Its operator can name folders at the start.');
}

/** Into a folder that the operator named. */
export async function writeOutside(sources: ArtifactSources, uri: string, path: string, bytes: Uint8Array): Promise<void> {
  await namedFolders(sources).write(localFolder(uri), path, bytes);
}
