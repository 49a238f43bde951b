import { PAGE_SIZE } from '@countersign/contract/schemas.ts';
import type { versionEndpoints } from '@countersign/contract/versions.ts';
import * as catalog from '../features/catalog/catalog.ts';
import * as models from '../features/models/models.ts';
import * as requests from '../features/requests/requests.ts';
import * as transitions from '../features/transitions/transitions.ts';
import * as versions from '../features/versions/versions.ts';
import type { FileRoots } from '../platform/blobs/file-roots.ts';
import { decodeOffset, encodeOffset } from '../platform/db/page-token.ts';
import { answerVersion, answerVersions, done } from './answers.ts';
import type { Handlers } from './handlers.ts';

export const versionHandlers = (fileRoots?: FileRoots): Handlers<(typeof versionEndpoints)[number]['id']> => ({
  searchVersions: async (ctx, { query }) => {
    const page = await versions.search(ctx, {
      filter: query.filter,
      orderBy: query.order_by ?? [],
      limit: query.limit ?? PAGE_SIZE,
      pageToken: query.page_token,
    });
    return { versions: await answerVersions(ctx, page.items), next_page_token: page.nextPageToken ?? null };
  },
  listVersions: async (ctx, { params, query }) => {
    const limit = query.limit ?? PAGE_SIZE;
    const belowVersion = decodeOffset(query.page_token) || undefined;
    const found = await versions.listOfModel(ctx, await models.get(ctx, params.name), { belowVersion, limit: limit + 1 });
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return {
      versions: await answerVersions(ctx, page),
      next_page_token: found.length > limit && last ? encodeOffset(last.version) : null,
    };
  },
  registerVersion: async (ctx, { params, body }) =>
    answerVersion(
      ctx,
      await requests.registerVersion(ctx, {
        name: params.name,
        source: body.source,
        runId: body.run_id ?? '',
        loggedModelId: body.logged_model_id || undefined,
        runLink: body.run_link ?? '',
        description: body.description,
        tags: models.lastWins(body.tags ?? []),
      }),
    ),
  getVersion: async (ctx, { params }) => answerVersion(ctx, await versions.get(ctx, params.name, params.version)),
  updateVersion: async (ctx, { params, body }) =>
    answerVersion(ctx, await versions.setDescription(ctx, params.name, params.version, body.description ?? undefined)),
  deleteVersion: (ctx, { params }) => done(requests.deleteVersion(ctx, params.name, params.version)),
  listVersionFiles: async (ctx, { params }) => {
    const { tree, files } = await catalog.getManifest(ctx, params.name, params.version);
    return {
      digest: tree.digest,
      signing_root: tree.signingRoot,
      files: files.map(({ path, sha256, sizeBytes }) => ({ path, sha256, size_bytes: sizeBytes })),
    };
  },
  sealVersion: async (ctx, { params }) => answerVersion(ctx, await transitions.sealVersion(ctx, params.name, params.version, fileRoots)),
  setVersionTag: (ctx, { params, body }) => done(requests.setVersionTag(ctx, params.name, params.version, params.key, body.value)),
  deleteVersionTag: (ctx, { params }) => done(requests.setVersionTag(ctx, params.name, params.version, params.key, null)),
  listDeletedVersions: async (ctx, { params }) => {
    const deleted = await versions.listDeleted(ctx, await models.get(ctx, params.name));
    return { versions: await answerVersions(ctx, deleted) };
  },
  restoreVersion: async (ctx, { params }) => answerVersion(ctx, await requests.restoreVersion(ctx, params.name, params.version)),
});
