/** Many rows of VALUES on SQLite: a statement for some of them at once takes half the time of as many statements; one for all gains no more. */
import type { Queries, SqlValue } from './database.ts';

export interface ManyRows {
  readonly columns: number;
  readonly rows: number;
  readonly one: string;
  readonly many: string;
}

/** `sql` is given what follows VALUES; `rows` go into one statement. */
export function manyRows(columns: number, rows: number, sql: (values: string) => string): ManyRows {
  const row = `(${Array(columns).fill('?').join(', ')})`;
  return { columns, rows, one: sql(row), many: sql(Array(rows).fill(row).join(', ')) };
}

/** `cells` holds one row after another. */
export async function runManyRows(tx: Queries, { columns, rows, one, many }: ManyRows, cells: readonly SqlValue[]): Promise<void> {
  let i = 0;
  for (const step = columns * rows; i + step <= cells.length; i += step) await tx.run(many, ...cells.slice(i, i + step));
  for (; i < cells.length; i += columns) await tx.run(one, ...cells.slice(i, i + columns));
}
