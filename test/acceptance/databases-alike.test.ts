/** One session, played against SQLite and against PostgreSQL: the answers are the same, but for ids and times. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase } from '../support/postgres.ts';
import { type RunningServer, startServer } from '../support/server.ts';
import { playSession, type Session } from './database-session.ts';

interface Played {
  readonly call: string;
  readonly answer: string;
}

/** What two servers may say differently: random ids (numbered as they come up), times, tokens, hashes over them; 2 and 2.0; and spaces in JSON. */
function normaliser(): (text: string) => string {
  const ids = new Map<string, string>();
  const numbered = (id: string): string => {
    if (!ids.has(id)) ids.set(id, `id-${ids.size}`);
    return ids.get(id) ?? id;
  };
  return (text) =>
    text
      .replace(/("(?:next_page_token)"\s*:\s*)"[^"]*"/g, '$1"…"')
      .replace(
        /("(?:\w*_timestamp(?:_ms)?|\w+_at|\w+_time|as_of|hash|body)"\s*:\s*)("(?:[^"\\]|\\.)*"|-?\d+)/g,
        (whole, name: string, value: string) => (isRecent(value) ? `${name}"…"` : whole),
      )
      .replace(/("value":)(-?\d[^,}]*)/g, (_whole, name: string, value: string) => name + String(Number(value)))
      .replace(/m-[0-9a-f]{32}|\b[0-9a-f]{32}\b/g, numbered)
      .replace(/page_token=[^&\s]+|"page_token":"[^"]*"/g, 'page_token=…')
      // Made by the clock.
      .replace(/"checkpoints":\d+/g, '"checkpoints":…');
}

/** A time of the server's clock, or a text; start times that a client gave are kept. */
function isRecent(value: string): boolean {
  return value.startsWith('"') || Math.abs(Number(value) - Date.now()) < 3_600_000;
}

async function play(server: RunningServer): Promise<Played[]> {
  const played: Played[] = [];
  const normalise = normaliser();
  const ask: Session['ask'] = async (method, path, body) => {
    const response = await fetch(server.url + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    // Numbers stay as they are written, up to the spaces between tokens.
    const compact = text.replace(/"(?:[^"\\]|\\.)*"|\s+/g, (token) => (token.startsWith('"') ? token : ''));
    played.push({
      call: normalise(`${method} ${decodeURIComponent(path)} ${JSON.stringify(body) ?? ''}`),
      answer: normalise(`${response.status} ${compact}`),
    });
    return JSON.parse(text || 'null');
  };
  const put: Session['put'] = async (path, bytes) => {
    const response = await fetch(`${server.url}/api/2.0/mlflow-artifacts/artifacts/${path}`, { method: 'PUT', body: bytes });
    played.push({ call: normalise(`PUT ${path}`), answer: String(response.status) });
  };
  await playSession({ ask, put });
  return played;
}

const servers: RunningServer[] = [];
beforeAll(async () => {
  servers.push(await startServer(), await startServer({ databaseUrl: await createDatabase() }));
});
afterAll(async () => {
  for (const server of servers) await server.stop();
});

test('a session of hundreds of calls is answered alike by SQLite and PostgreSQL', { timeout: 300_000 }, async () => {
  const [sqlite = [], postgres = []] = await Promise.all(servers.map(play));
  process.stderr.write(`databases alike: ${sqlite.length} calls\n`);
  const different = sqlite.flatMap((one, n) => {
    const other = postgres[n];
    return one.call === other?.call && one.answer === other.answer
      ? []
      : [{ call: one.call, sqlite: one.answer, postgres: `${other?.call === one.call ? '' : other?.call}${other?.answer}` }];
  });
  expect(different.slice(0, 10)).toEqual([]);
  expect(postgres).toHaveLength(sqlite.length);
  expect(sqlite.length).toBeGreaterThan(150);
  expect(sqlite.filter(({ answer }) => answer.startsWith('5'))).toEqual([]);
});
