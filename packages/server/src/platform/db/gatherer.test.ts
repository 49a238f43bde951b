import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Problem } from '@countersign/contract/problem.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqliteDatabase } from './sqlite.ts';

describe('gathered writes', () => {
  let folder: string;
  let db: SqliteDatabase;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-db-'));
    db = new SqliteDatabase(join(folder, 'test.db'));
    await db.write(async (tx) => {
      await tx.run('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)');
    });
  });

  afterEach(async () => {
    await db.close();
    rmSync(folder, { recursive: true });
  });

  const add = (id: number): Promise<number> => db.write((tx) => tx.run('INSERT INTO notes (id, text) VALUES (?, ?)', id, `note ${id}`));

  it('callers of a tick share one commit', async () => {
    const sizes: number[] = [];
    db.setCommitHook(async (_tx, items) => {
      sizes.push(items.length);
      return () => {};
    });
    await Promise.all([1, 2, 3].map((id) => db.write(async (tx) => tx.defer(id))));
    expect(sizes).toEqual([3]);
  });

  it('a closure that fails is undone alone, and so is what it deferred', async () => {
    const seen: unknown[] = [];
    db.setCommitHook(async (_tx, items) => {
      seen.push(...items);
      return () => {};
    });
    const failing = db.write(async (tx) => {
      await tx.run('INSERT INTO notes (id, text) VALUES (?, ?)', 2, 'lost');
      tx.defer('lost');
      throw new Error('no');
    });
    const results = await Promise.allSettled([add(1), failing, db.write(async (tx) => tx.defer('kept')), add(3)]);
    expect(results.map((each) => each.status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(await db.all('SELECT id FROM notes ORDER BY id')).toMatchObject([{ id: 1 }, { id: 3 }]);
    expect(seen).toEqual(['kept']);
  });

  it('a refusal before anything was written leaves the others alone, which run once', async () => {
    let runs = 0;
    const refusing = db.write(async (tx) => {
      await tx.one('SELECT id FROM notes WHERE id = 7');
      tx.defer('lost');
      throw new Problem('RESOURCE_DOES_NOT_EXIST', 'there is no note 7');
    });
    const counting = db.write(async (tx) => {
      runs += 1;
      await tx.run('INSERT INTO notes (id, text) VALUES (?, ?)', 1, 'x');
    });
    await expect(refusing).rejects.toThrow('there is no note 7');
    await counting;
    expect(runs).toBe(1);
    expect(await db.all('SELECT id FROM notes')).toMatchObject([{ id: 1 }]);
  });

  it('a closure that fails alone is undone', async () => {
    const failing = db.write(async (tx) => {
      await tx.one('INSERT INTO notes (id, text) VALUES (3, ?) RETURNING id', 'lost');
      throw new Problem('INVALID_STATE', 'no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await db.all('SELECT id FROM notes')).toEqual([]);
  });

  it('nothing is written when the commit hook fails', async () => {
    db.setCommitHook(async () => {
      throw new Error('the record could not be written');
    });
    const write = db.write(async (tx) => {
      await tx.run('INSERT INTO notes (id, text) VALUES (1, ?)', 'x');
      tx.defer('event');
    });
    await expect(write).rejects.toThrow('could not be written');
    expect(await db.all('SELECT id FROM notes')).toEqual([]);
  });

  it('readers see committed rows only', async () => {
    let seenInside: unknown;
    await db.write(async (tx) => {
      await tx.run('INSERT INTO notes (id, text) VALUES (9, ?)', 'x');
      seenInside = await db.one('SELECT id FROM notes WHERE id = 9');
    });
    expect(seenInside).toBeUndefined();
    expect(await db.one('SELECT id FROM notes WHERE id = 9')).toMatchObject({ id: 9 });
  });

  it('integers beyond 2^53 are read exactly, the others as numbers', async () => {
    await db.write((tx) => tx.run('INSERT INTO notes (id, text) VALUES (?, ?)', 9007199254740993n, 'big'));
    expect(await db.one('SELECT id, 5 AS small FROM notes')).toMatchObject({ id: 9007199254740993n, small: 5 });
  });
});
