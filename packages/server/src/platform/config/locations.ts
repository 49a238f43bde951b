/** Databases and folders as operators write them: URLs of SQLAlchemy, `file:` URIs, paths. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { invalid } from '@countersign/contract/problem.ts';

export type DatabasePlace =
  | { readonly kind: 'sqlite' /** Absolute. */; readonly file: string }
  | { readonly kind: 'postgres' /** May hold a password: never in a message. */; readonly url: string };

interface Named {
  readonly value: string;
  readonly base: string;
  readonly spelling: string;
}

/** `postgresql://…`, also with SQLAlchemy's driver in it (`postgresql+psycopg2://…`), or `sqlite:///path` (`sqlite:////path` is absolute). */
export function readDatabaseUrl({ value, base, spelling }: Named): DatabasePlace {
  const [, dialect] = /^([a-z0-9]+)(?:\+[a-z0-9_]+)?:\/\//i.exec(value) ?? [];
  switch (dialect?.toLowerCase()) {
    case 'postgres':
    case 'postgresql':
      return { kind: 'postgres', url: `postgresql${value.slice(value.indexOf('://'))}` };
    case 'sqlite': {
      const path = value
        .slice(value.indexOf('://') + '://'.length)
        .replace(/^\//, '')
        .replace(/\?.*$/s, '');
      if (path === '' || path === ':memory:') {
        throw invalid(`${spelling} names a database in memory, which would be lost at the end. Name a file: sqlite:///path/to/file.db.`);
      }
      return { kind: 'sqlite', file: resolve(base, path) };
    }
    case undefined:
    case 'file':
      throw invalid(
        `${spelling} names a folder. MLflow's folder store is not read here: leave it out for SQLite in the data folder, or give sqlite:///path/to/file.db or postgresql://….`,
      );
    default:
      throw invalid(`${spelling} names a database of kind '${dialect}'. Countersign keeps its data in sqlite:///… or postgresql://….`);
  }
}

/** The absolute folder of a path or a `file:` URI. */
export function localFolderOf({ value, base, spelling }: Named): string {
  if (/^file:/i.test(value)) {
    if (!/^file:\//i.test(value)) return resolve(base, value.slice('file:'.length));
    try {
      return fileURLToPath(value);
    } catch {
      throw invalid(`${spelling} is no file: URI of this machine: '${value}'. Write file:///path/to/folder.`);
    }
  }
  const [, scheme] = /^([a-z][a-z0-9+.-]+):/i.exec(value) ?? [];
  if (scheme) {
    throw invalid(`${spelling} names storage of kind '${scheme}:', which is not there yet. Give a local folder.`);
  }
  return resolve(base, value);
}
