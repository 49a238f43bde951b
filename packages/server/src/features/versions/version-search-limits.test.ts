import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Problem } from '@countersign/contract/problem.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrations } from '../../migrations/migrations.ts';
import { migrate } from '../../platform/db/migrate.ts';
import { createSearches } from '../../platform/db/search-runner.ts';
import { SqliteDatabase } from '../../platform/db/sqlite.ts';
import { parseModelVersionFilter, parseModelVersionOrderBy } from '../../platform/search/model-version-search-grammar.ts';
import { searchPage, type VersionQuery } from './version-search.ts';

const VERSIONS = 30_000;

function queryOf(filter: string, orderBy: readonly string[] = []): VersionQuery {
  return {
    workspaceId: 0,
    filter: parseModelVersionFilter(filter),
    orderBy: parseModelVersionOrderBy(orderBy),
    size: 10,
    token: '',
  };
}

/** Every version has the source's end and the tag, so no index can help. */
const hopeless = queryOf("source_path LIKE '%/nowhere' AND tags.p LIKE '%7'");

describe('a search of many model versions', () => {
  const folder = mkdtempSync(join(tmpdir(), 'searches-'));
  const file = join(folder, 'search.db');
  const db = new SqliteDatabase(file);
  beforeAll(async () => {
    await migrate(db, migrations, () => {});
    await db.write(async (tx) => {
      await tx.run(
        "INSERT INTO registered_models (workspace_id, name, created_at, updated_at, written_by) VALUES (0, 'm', 0, 0, 0), (0, 'n', 0, 0, 0)",
      );
      await tx.run(
        'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) ' +
          'INSERT INTO model_versions (id, model_id, workspace_id, version, source, storage_location, run_id, run_link, stage, lineage, seal_state, created_at, updated_at, written_by) ' +
          "SELECT i, 1 + i % 2, 0, (i + 1) / 2, 's3://b/' || i, '', '', '', 'None', 'none', 'unsealed', i, i, 0 FROM n",
        VERSIONS,
      );
      await tx.run("INSERT INTO model_version_tags SELECT id, 'p', 'v' || id, NULL, 0 FROM model_versions");
    });
  });
  afterAll(async () => {
    await db.close();
    rmSync(folder, { recursive: true });
  });

  test('goes to another thread where it would have to look at most of them, and is answered alike there', async () => {
    const searches = createSearches({ db, file, timeoutMs: 60_000 });
    const onThisThread = createSearches({ db, file: undefined, timeoutMs: 60_000 });
    try {
      for (const query of [
        hopeless,
        queryOf('', ['name DESC', 'version_number ASC']),
        queryOf("tags.p LIKE '%77'", ['creation_timestamp']),
      ]) {
        expect(await searchPage(db, searches, query)).toEqual(await searchPage(db, onThisThread, query));
      }
    } finally {
      await searches.close();
    }
  });

  test('stops at the time limit, and says what to narrow', async () => {
    const searches = createSearches({ db, file, timeoutMs: 0 });
    try {
      const refusal: unknown = await searchPage(db, searches, hopeless).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(Problem);
      expect((refusal as Problem).status).toBe(400);
      expect((refusal as Problem).message).toMatch(/model versions was stopped .*narrow 'attribute.source_path LIKE', 'tag.p LIKE'/);
      expect((refusal as Problem).message).not.toContain('experiment');
      await expect(searchPage(db, searches, queryOf('', ['name']))).rejects.toThrow('Leave out order_by');
      await expect(searchPage(db, searches, queryOf("name = 'm' AND source_path LIKE '%/nowhere'"))).rejects.toThrow('was stopped');
    } finally {
      await searches.close();
    }
  });

  test('is answered at once by a rare tag, however many there are', async () => {
    const searches = createSearches({ db, file, timeoutMs: 0 });
    expect((await searchPage(db, searches, queryOf("tags.p = 'v29'", ['name']))).pks).toEqual([29]);
  });
});
