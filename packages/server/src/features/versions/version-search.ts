/** Compiles a search of model versions. Prompt versions are left out unless the filter asks for them. */
import type { Comparison, Filter, Ordering } from '@countersign/contract/search.ts';
import sql, { join, raw, type Sql } from 'sql-template-tag';
import { compareNumber, compareText } from '../../platform/db/comparison-sql.ts';
import type { Queries, SqlValue } from '../../platform/db/database.ts';
import { splitPromptClauses } from '../models/models.ts';

/** Ids of a page, one more than `limit` where there are more. */
export async function searchIds(
  db: Queries,
  query: { workspaceId: number; filter: Filter; orderBy: readonly Ordering[]; limit: number; offset: number },
): Promise<number[]> {
  const { wantsPrompts, rest } = splitPromptClauses(query.filter);
  const conditions: Sql[] = [sql`v.deleted_at IS NULL`, sql`v.is_prompt = ${wantsPrompts ? 1 : 0}`];
  const name = rest.find((each) => each.entity === 'attribute' && each.key === 'name' && each.operator === '=');
  if (name?.value?.kind === 'string') {
    // One model: its own index gives the versions in order.
    conditions.push(
      sql`v.model_id = (SELECT id FROM registered_models WHERE workspace_id = ${query.workspaceId} AND name = ${name.value.text} AND deleted_at IS NULL)`,
    );
  } else {
    conditions.push(sql`v.workspace_id = ${query.workspaceId}`);
  }
  for (const each of rest) if (each !== name) conditions.push(condition(db, each));
  const statement = sql`SELECT v.id FROM model_versions v JOIN registered_models m ON m.id = v.model_id WHERE ${join(conditions, ' AND ')} ORDER BY ${order(query.orderBy, name !== undefined)} LIMIT ${query.limit + 1} OFFSET ${query.offset}`;
  return (await db.all<{ id: number }>(statement.sql, ...(statement.values as SqlValue[]))).map((row) => row.id);
}

function condition(db: Queries, comparison: Comparison): Sql {
  if (comparison.entity === 'tag') {
    const matches = compareText(db.dialect, { value: 't.value', folded: 't.folded' }, comparison);
    return sql`EXISTS (SELECT 1 FROM model_version_tags t WHERE t.version_id = v.id AND t.key = ${comparison.key} AND ${matches})`;
  }
  switch (comparison.key) {
    case 'name':
      return compareText(db.dialect, { value: 'm.name', folded: 'm.name_folded' }, comparison);
    case 'version_number':
      return compareNumber('v.version', comparison);
    case 'run_id':
      return compareText(db.dialect, { value: 'v.run_id', folded: 'NULL' }, comparison);
    default:
      return compareText(db.dialect, { value: 'v.source', folded: 'NULL' }, comparison);
  }
}

const COLUMNS: Readonly<Record<string, string>> = {
  name: 'm.name',
  version_number: 'v.version',
  creation_timestamp: 'v.created_at',
  last_updated_timestamp: 'v.updated_at',
};

function order(orderBy: readonly Ordering[], isOneModel: boolean): Sql {
  const given = orderBy.length > 0 ? orderBy : [{ key: 'last_updated_timestamp', descending: true }];
  const terms = given.map(({ key, descending }) => raw(`${COLUMNS[key] ?? 'v.updated_at'} ${descending ? 'DESC' : 'ASC'}`));
  const keys = given.map(({ key }) => key);
  if (!isOneModel && !keys.includes('name')) terms.push(raw('m.name ASC'));
  if (!keys.includes('version_number')) terms.push(raw('v.version DESC'));
  return join(terms, ', ');
}
