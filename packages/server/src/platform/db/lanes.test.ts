import { Problem } from '@countersign/contract/problem.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startPostgres } from '../../../../../test/support/postgres.ts';
import type { Tx } from './database.ts';
import { PostgresDatabase } from './postgres.ts';

const postgres = startPostgres();
afterAll(async () => (await postgres).stop());

describe('lanes of a batch on PostgreSQL', () => {
  let db: PostgresDatabase;
  let steps: string[];

  beforeAll(async () => {
    db = new PostgresDatabase(await (await postgres).createDatabase());
    await db.write(async (tx) => {
      await tx.run('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)');
    });
  });
  beforeEach(() => {
    steps = [];
  });
  afterEach(async () => {
    db.setCommitHook(async () => () => {});
    await db.write((tx) => tx.run('DELETE FROM notes'));
  });
  afterAll(() => db.close());

  /** Two statements, each told before it goes out and after its answer. */
  const note = (id: number, lane?: string): Promise<void> =>
    db.write(async (tx) => {
      steps.push(`begin ${id}`);
      await tx.one('SELECT id FROM notes WHERE id = ?', id);
      await tx.run('INSERT INTO notes (id, text) VALUES (?, ?)', id, `note ${id}`);
      tx.defer(id);
      steps.push(`end ${id}`);
    }, lane);

  const ids = async (): Promise<number[]> => (await db.all<{ id: number }>('SELECT id FROM notes ORDER BY id')).map(({ id }) => id);

  it('take turns, each in its own order', async () => {
    await Promise.all([note(1, 'a'), note(2, 'b'), note(3, 'a')]);
    expect(steps.indexOf('begin 2')).toBeLessThan(steps.indexOf('end 1'));
    expect(steps.indexOf('begin 3')).toBeGreaterThan(steps.indexOf('end 1'));
    expect(await ids()).toEqual([1, 2, 3]);
  });

  it('leave alone what is in none', async () => {
    await Promise.all([note(1), note(2, 'a'), note(3), note(4, 'b')]);
    for (const id of [1, 3]) expect(steps.indexOf(`end ${id}`)).toBe(steps.indexOf(`begin ${id}`) + 1);
  });

  it('hand over what they deferred before what is in none does', async () => {
    const seen: unknown[] = [];
    db.setCommitHook(async (_tx, items) => {
      seen.push(...items);
      return () => {};
    });
    await Promise.all([note(1), note(3, 'b'), note(2, 'a'), note(4, 'b')]);
    expect(seen).toEqual([2, 3, 4, 1]);
  });

  it('a refusal leaves the others alone', async () => {
    const refused = db.write(async (tx) => {
      await tx.one('SELECT id FROM notes WHERE id = 9');
      throw new Problem('RESOURCE_DOES_NOT_EXIST', 'there is no note 9');
    }, 'b');
    const results = await Promise.allSettled([note(1, 'a'), refused, note(2, 'c')]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(steps.filter((step) => step === 'begin 1')).toHaveLength(1);
  });

  it.each([
    ['writes and fails', async (tx: Tx) => void (await tx.run('INSERT INTO notes (id, text) VALUES (9, ?)', 'lost'))],
    ['meets an error of the database', async (tx: Tx) => void (await tx.one('SELECT 1 / (id - id) FROM notes WHERE id = 5'))],
  ])('one that %s is undone alone', async (_what, work) => {
    await note(5);
    const failing = db.write(async (tx) => {
      await work(tx);
      throw new Error('no');
    }, 'b');
    const results = await Promise.allSettled([note(1, 'a'), failing, note(2, 'c'), note(3)]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(await ids()).toEqual([1, 2, 3, 5]);
  });

  it('what a closure leaves running when it fails reaches no other transaction', async () => {
    let late: Promise<PromiseSettledResult<unknown>[]> = Promise.resolve([]);
    const failing = db.write(async (tx) => {
      late = Promise.allSettled([tx.one('SELECT pg_sleep(0.05)').then(() => tx.run('INSERT INTO notes (id, text) VALUES (9, ?)', 'late'))]);
      throw new Error('no');
    }, 'a');
    await expect(failing).rejects.toThrow('no');
    expect(await late).toMatchObject([{ status: 'rejected', reason: { message: expect.stringContaining('after its closure had ended') } }]);
    await note(1);
    expect(await ids()).toEqual([1]);
  });

  it('of two that write the same row the one that comes later sees the other', async () => {
    const upsert = (lane: string): Promise<void> =>
      db.write(async (tx) => {
        const found = await tx.one<{ text: string }>('SELECT text FROM notes WHERE id = 7');
        if (found === undefined) await tx.run('INSERT INTO notes (id, text) VALUES (7, ?)', lane);
        else await tx.run('UPDATE notes SET text = ? WHERE id = 7', `${found.text}${lane}`);
      }, lane);
    // Which lanes mustn't do: the conflict is noticed, and each runs again by itself.
    await Promise.all([upsert('a'), upsert('b')]);
    expect(await db.one('SELECT text FROM notes WHERE id = 7')).toEqual({ text: 'ab' });
  });
});
