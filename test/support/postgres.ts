/** Databases of the run's real PostgreSQL, which the first request starts. */
import { inject } from 'vitest';

/** The URL of a new, empty database. */
export async function createDatabase(): Promise<string> {
  return ask('POST');
}

export interface PostgresCluster {
  /** The URL of a new, empty database. */
  createDatabase(): Promise<string>;
  /** Drops the databases that were made here, whoever is connected. */
  stop(): Promise<void>;
}

/** A test file's share of the run's PostgreSQL. */
export async function startPostgres(): Promise<PostgresCluster> {
  const urls: string[] = [];
  return {
    createDatabase: async () => {
      const url = await createDatabase();
      urls.push(url);
      return url;
    },
    stop: async () => {
      for (const url of urls) await ask('DELETE', url);
    },
  };
}

async function ask(method: string, body?: string): Promise<string> {
  const answer = await fetch(inject('postgresDoor'), { method, ...(body === undefined ? {} : { body }) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text;
}
