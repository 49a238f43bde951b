/** What all searches share: the bounds of a page, and the way from a token to a plan and back. */
import type { Int64 } from '@countersign/contract/mlflow/message.ts';
import { invalid } from '@countersign/contract/problem.ts';
import sql, { join, raw, type Sql } from 'sql-template-tag';
import type { Queries, SqlValue } from './database.ts';
import { afterRow, orderBy, type ReadKey } from './search-order.ts';
import { allOf, type FoundRow, type KeyValue, type SearchPlan, type SortKey } from './search-plan.ts';
import type { Searches } from './search-runner.ts';
import { boundLimit } from './search-sql.ts';
import { type PageStart, pageOf, readToken, startOf } from './search-token.ts';

/** A plan that doesn't know its page yet. */
export type OpenPlan = Omit<SearchPlan, 'limit' | 'offset' | 'after'>;

export interface PageRequest {
  readonly size: number;
  /** Empty: the first page. */
  readonly token: string;
  /** Names the order and scope of the rows; a token of another order serves by its offset alone. */
  readonly order: string;
  /** Kept in the token. */
  readonly also?: object;
}

export interface FoundPage {
  readonly pks: readonly number[];
  /** Only where there are more rows. */
  readonly nextPageToken: string | undefined;
}

/** Throws INVALID_PARAMETER_VALUE for a token that isn't one. */
export async function findPage(searches: Searches, plan: OpenPlan, page: PageRequest): Promise<FoundPage> {
  const start = readToken(page.token, page.order, plan.keys);
  const rows = await searches.find({ ...plan, ...startOf(start), limit: page.size + 1 });
  return pageOf(rows, { size: page.size, start, order: page.order, also: page.also ?? {} });
}

/** As `findPage`, but by one statement where `few` answers the rows to sort; undefined where they are too many for that. */
export async function findFewOrPage(
  db: Queries,
  searches: Searches,
  page: PageRequest & { readonly keys: readonly SortKey[] },
  by: { readonly few: (offset: number) => Promise<FewRows | undefined>; readonly plan: () => OpenPlan },
): Promise<FoundPage> {
  const { size, order, keys } = page;
  const start = readToken(page.token, order, keys);
  const few = await by.few(start.offset);
  const limit = size + 1;
  const rows = few === undefined ? await searches.find({ ...by.plan(), ...startOf(start), limit }) : await findFew(db, few, start, limit);
  return pageOf(rows, { size, start, order });
}

/** Rows so few that sorting all of them by one statement costs less than a plan. Their keys have a value in every row. */
export interface FewRows {
  readonly pk: Sql;
  readonly from: Sql;
  readonly where: readonly Sql[];
  readonly keys: readonly SortKey[];
}

async function findFew(db: Queries, { pk, from, where, keys }: FewRows, start: PageStart, limit: number): Promise<FoundRow[]> {
  const read: ReadKey[] = keys.map((key) => ({ key, rank: 0, value: key.value }));
  const columns = join([sql`${pk} AS pk`, ...keys.map(({ value }, i) => sql`${value} AS ${raw(`v${i}`)}`)]);
  const conditions = start.after === undefined ? where : [...where, afterRow(read, start.after)];
  const { offset } = startOf(start);
  const query = sql`SELECT ${columns} FROM ${from} WHERE ${allOf(conditions)} ORDER BY ${orderBy(read)} LIMIT ${boundLimit(limit)} OFFSET ${offset}`;
  const rows = await db.all<{ pk: number; [key: string]: KeyValue['value'] }>(query.sql, ...(query.values as SqlValue[])); // composed from SqlValues only
  return rows.map((row) => ({ pk: row.pk, keys: keys.map((_key, i) => ({ rank: 0, value: row[`v${i}`] ?? null })) }));
}

/** Throws INVALID_PARAMETER_VALUE outside of 1 to `most`. */
export function checkPageSize(size: Int64, most: number): number {
  const wanted = Number(size);
  if (wanted >= 1 && wanted <= most) return wanted;
  throw invalid(
    `Invalid value ${size} for parameter 'max_results' supplied. It must be ${wanted < 1 ? 'a positive integer' : `at most ${most}`}`,
  );
}
