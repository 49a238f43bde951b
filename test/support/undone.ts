import type { Ctx } from '@countersign/server/platform/context.ts';

/** What comes of it in a transaction that is undone. */
export async function undone<T>(ctx: Ctx, work: (inner: Ctx) => Promise<T>): Promise<T> {
  const results: T[] = [];
  const isUndone = new Error('undone');
  await ctx.db
    .write(async (tx) => {
      results.push(await work({ ...ctx, tx }));
      throw isUndone;
    })
    .catch((error: unknown) => {
      if (error !== isUndone) throw error;
    });
  const last = results.at(-1);
  if (last === undefined) throw new TypeError('there is a result, or it was thrown');
  return last;
}
