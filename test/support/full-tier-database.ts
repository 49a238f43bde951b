/** In the full run the tests of searches run on PostgreSQL too: each of these files gets a database of its own by COUNTERSIGN_TEST_DATABASE_URL. */
import { afterAll, expect } from 'vitest';
import { isFull } from '../counts.ts';
import { startPostgres } from './postgres.ts';

const READS_THE_VARIABLE = /[\\/]packages[\\/]server[\\/]src[\\/]features[\\/]/;

if (isFull && READS_THE_VARIABLE.test(expect.getState().testPath ?? '') && process.env.COUNTERSIGN_TEST_DATABASE_URL === undefined) {
  const postgres = await startPostgres();
  process.env.COUNTERSIGN_TEST_DATABASE_URL = await postgres.createDatabase();
  afterAll(async () => {
    delete process.env.COUNTERSIGN_TEST_DATABASE_URL;
    await postgres.stop();
  });
}
