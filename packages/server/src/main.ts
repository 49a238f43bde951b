/** The process: read the configuration, start, stop on a signal. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pino from 'pino';
import { createApp, localContext } from './app.ts';
import { openChain } from './features/events/events.ts';
import { ensureDefaultExperiment } from './features/experiments/experiments.ts';
import { migrations } from './migrations/migrations.ts';
import { LocalBlobStore } from './platform/blobs/local-blob-store.ts';
import { systemClock } from './platform/context.ts';
import type { Database } from './platform/db/database.ts';
import { migrate } from './platform/db/migrate.ts';
import { createSearches, SEARCH_TIMEOUT_MS } from './platform/db/search-runner.ts';
import { SqliteDatabase } from './platform/db/sqlite.ts';

export async function main(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '5000' },
      'data-dir': { type: 'string', default: './countersign-data' },
      'database-url': { type: 'string' },
      'default-artifact-root': { type: 'string' },
    },
    allowPositionals: true,
  });
  const log = pino({ level: 'info' }, pino.destination(2));
  const dataDir = values['data-dir'];
  mkdirSync(dataDir, { recursive: true });
  const url = values['database-url'];
  const db: Database = url
    ? new (await import('./platform/db/postgres.ts')).PostgresDatabase(url)
    : new SqliteDatabase(join(dataDir, 'countersign.db'));
  await migrate(db, migrations, (sentence) => log.info(sentence));
  await openChain(db, systemClock);
  const artifactRoot = values['default-artifact-root'] ?? process.env.MLFLOW_DEFAULT_ARTIFACT_ROOT ?? 'mlflow-artifacts:/';
  const searches = createSearches({
    db,
    file: url ? undefined : join(dataDir, 'countersign.db'),
    timeoutMs: Number(process.env.COUNTERSIGN_SEARCH_TIMEOUT_MS) || SEARCH_TIMEOUT_MS,
  });
  const parts = { db, searches, blobs: new LocalBlobStore(join(dataDir, 'blobs')), artifactRoot, log };
  await ensureDefaultExperiment(localContext(parts), artifactRoot);
  const server = createApp(parts);
  server.listen(Number(values.port), values.host, () => log.info(`listening on http://${values.host}:${values.port}`));
  const stop = (): void => {
    server.close(() => void db.close().then(() => process.exit(0)));
    server.closeIdleConnections();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

if (import.meta.main) await main(process.argv.slice(2));
