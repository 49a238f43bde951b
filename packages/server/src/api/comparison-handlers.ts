import { COMPARED_FILES_MAX, type comparisonEndpoints } from '@countersign/contract/comparisons.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid } from '@countersign/contract/problem.ts';
import * as catalog from '../features/catalog/catalog.ts';
import type { Handlers } from './handlers.ts';

/** `5` is of the same model, `NAME/5` of another. Names hold no slash. */
function parseOther(text: string, name: string): catalog.VersionName {
  const parts = /^(?:([^/]+)\/)?(\d{1,15})$/.exec(text);
  if (!parts) throw invalid(`'${clip(text)}' is no version for 'with'. Give its number, or NAME/NUMBER for one of another model.`);
  return { name: parts[1] ?? name, version: Number(parts[2]) };
}

function side({ version, digest, sources }: catalog.ComparedSide) {
  return { id: version.id, name: version.name, version: version.version, digest, facts_from: [...sources] };
}

type Metric = number | 'NaN';

function metricValue(value: Metric | null) {
  if (value === null || typeof value === 'string' || Number.isFinite(value)) return value;
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? 'Infinity' : '-Infinity';
}

function deltaOf(from: Metric | null, to: Metric | null): number | null {
  const delta = Number(to ?? 'NaN') - Number(from ?? 'NaN');
  return Number.isFinite(delta) ? delta : null;
}

function fileRef({ path, sha256, sizeBytes }: { path: string; sha256: string; sizeBytes: number }) {
  return { path, sha256, size_bytes: sizeBytes };
}

function answerFiles(files: NonNullable<catalog.Comparison['files']>) {
  const { added, removed, changed, sameCount } = files;
  return {
    same_count: sameCount,
    added: added.slice(0, COMPARED_FILES_MAX).map(fileRef),
    removed: removed.slice(0, COMPARED_FILES_MAX).map(fileRef),
    changed: changed.slice(0, COMPARED_FILES_MAX).map(({ path, from, to }) => ({ path, from: fileRef(from), to: fileRef(to) })),
    is_truncated: Math.max(added.length, removed.length, changed.length) > COMPARED_FILES_MAX,
  };
}

export const comparisonHandlers: Handlers<(typeof comparisonEndpoints)[number]['id']> = {
  compareVersions: async (ctx, { params, query }) => {
    const found = await catalog.compareVersions(ctx, params, parseOther(query.with, params.name));
    return {
      from: side(found.from),
      to: side(found.to),
      same_bytes: found.hasSameBytes,
      params: found.params,
      metrics: found.metrics.map(({ name, change, from, to }) => ({
        name,
        change,
        from: metricValue(from),
        to: metricValue(to),
        delta: deltaOf(from, to),
      })),
      tags: found.tags,
      signature: { ...found.signature, breaks: [...found.signature.breaks] },
      requirements: found.requirements,
      flavors: found.flavors,
      files: found.files && answerFiles(found.files),
    };
  },
};
