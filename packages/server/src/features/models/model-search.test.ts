import type { Filter, Ordering } from '@countersign/contract/search.ts';
import { describe, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import type { Ctx } from '../../platform/context.ts';
import { parseRegisteredModelFilter } from '../../platform/search/registered-model-search-grammar.ts';
import { searchIds } from './model-search.ts';
import * as models from './models.ts';

const MODELS = 1100;
const LIMIT = 7;

async function contextWithModels(): Promise<Ctx> {
  const ctx = await openContext();
  await Promise.all(
    Array.from({ length: MODELS }, (_, i) =>
      models.create(ctx, {
        name: `${i % 2 === 0 ? 'Model' : 'net'}-${String(i).padStart(4, '0')}`,
        tags: [
          { key: 'team', value: `team-${i % 11}` },
          ...(i % 300 === 299 ? [{ key: 'rare', value: 'yes' }] : []),
          ...(i % 5 === 0 ? [{ key: models.PROMPT_TAG, value: 'true' }] : []),
        ],
      }),
    ),
  );
  return ctx;
}

const filters = [
  '',
  "name LIKE 'Model-0%' AND tags.team = 'team-3'",
  "name ILIKE '%EL-09%'",
  "name LIKE '%9'",
  "tags.rare = 'yes'",
  "tags.rare != 'no' AND name != 'net-0299'",
  "name = 'net-0299'",
  "tags.`mlflow.prompt.is_prompt` = 'true' AND tags.team = 'team-0'",
];
const orders: Ordering[][] = [
  [],
  [{ entity: 'attribute', key: 'name', descending: true }],
  [{ entity: 'attribute', key: 'last_updated_timestamp', descending: true }],
];

describe('many registered models', () => {
  it('are found in the same order as by one statement, page by page', async () => {
    const ctx = await contextWithModels();
    const find = (filter: Filter, orderBy: Ordering[], limit: number, offset: number): Promise<number[]> =>
      searchIds(ctx.db, ctx.searches, { workspaceId: 0, filter, orderBy, limit, offset });
    for (const text of filters) {
      const filter = parseRegisteredModelFilter(text);
      for (const orderBy of orders) {
        const whole = await find(filter, orderBy, MODELS, 0);
        const names = (await models.listByIds(ctx, whole)).map((model) => model.name);
        const expected = await namesByHand(ctx, filter, orderBy);
        expect(names, text).toEqual(expected);
        for (const offset of [0, LIMIT, 50]) {
          expect(await find(filter, orderBy, LIMIT, offset), text).toEqual(whole.slice(offset, offset + LIMIT + 1));
        }
      }
    }
  });
});

/** The rules of the search once more, over all models in memory. */
async function namesByHand(ctx: Ctx, filter: Filter, [order]: Ordering[]): Promise<string[]> {
  const rows = await ctx.db.all<{ id: number }>('SELECT id FROM registered_models');
  const all = await models.listByIds(
    ctx,
    rows.map((row) => row.id),
  );
  const { wantsPrompts, rest } = models.splitPromptClauses(filter);
  const kept = all.filter(
    (model) =>
      model.isPrompt === wantsPrompts &&
      rest.every(({ entity, key, operator, value }) => {
        const asked = value !== undefined && value.kind !== 'list' ? value.text : '';
        const texts = entity === 'tag' ? model.tags.filter((tag) => tag.key === key).map((tag) => tag.value) : [model.name];
        const pattern = new RegExp(`^${asked.replaceAll('%', '.*')}$`, operator === 'ILIKE' ? 'i' : '');
        return texts.some((text) => (operator === '=' ? text === asked : operator === '!=' ? text !== asked : pattern.test(text)));
      }),
  );
  const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);
  const sign = order?.descending ? -1 : 1;
  kept.sort((a, b) => {
    if (order?.key === 'last_updated_timestamp') return sign * (a.updatedAt - b.updatedAt) || byName(a, b);
    return sign * byName(a, b);
  });
  return kept.map((model) => model.name);
}
