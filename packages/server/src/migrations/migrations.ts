import type { Migration } from '../platform/db/migrate.ts';
import { ground } from './0001-ground.ts';
import { search } from './0002-search.ts';

/** In order; never edited after a release. */
export const migrations: readonly Migration[] = [ground, search];
