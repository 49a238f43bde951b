import type { Migration } from '../platform/db/migrate.ts';
import { ground } from './0001-ground.ts';

/** In order; never edited after a release. */
export const migrations: readonly Migration[] = [ground];
