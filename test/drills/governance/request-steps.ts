/** Steps of a drill on requests, on what passes by itself, and on the two exceptions. */
import * as breakGlass from '@countersign/server/features/break-glass/break-glass.ts';
import * as requests from '@countersign/server/features/requests/requests.ts';
import * as transitions from '@countersign/server/features/transitions/transitions.ts';
import { ALIASES, NAMES, onVersion, openRequest, STAGES, type Steps } from './step-subjects.ts';

export const requestSteps: Steps = {
  ask: [
    9,
    onVersion(({ ctx, scene: { chance } }, { name, version }) => {
      const target = chance.pick([
        { kind: 'stage', stage: chance.pick(STAGES) },
        { kind: 'alias', alias: chance.pick(ALIASES) },
        { kind: 'tag', key: 'risk', value: 'low' },
        { kind: 'entry' },
        { kind: 'rename', newName: chance.pick(NAMES) },
      ] as const);
      return requests.create(ctx, name, { target, version, change: target.kind === 'entry' || chance.is(0.1) ? 'leave' : 'enter' });
    }),
  ],
  reject: [1, (doing) => requests.reject(doing.ctx, openRequest(doing))],
  cancel: [1, (doing) => requests.cancel(doing.ctx, openRequest(doing))],
  apply: [4, (doing) => requests.apply(doing.ctx, openRequest(doing))],
  rollback: [
    7,
    async ({ ctx, scene: { chance, seen } }) => {
      const target = chance.pick(['stage:Production', 'stage:Production', 'alias:champion']);
      const rows = await ctx.db.all<{ id: number }>(
        "SELECT version_id AS id FROM events WHERE type IN ('model-version.stage-entered', 'alias.set') AND target = ? AND body LIKE ? ORDER BY seq DESC LIMIT 10",
        target,
        '%"admission":"policy"%',
      );
      const row = seen.versions.get(chance.maybe(rows)?.id ?? -1);
      const name = row && seen.models.get(row.model)?.name;
      if (row === undefined || name === undefined) return;
      await requests.rollback(ctx, name, row.number, target, 'worse than before');
    },
  ],
  'break-glass': [
    4,
    async ({ ctx, by, scene }) => {
      const { ledger, store, chance, seen } = scene;
      const closed = (seen.policies.get(ctx.workspace.id) ?? []).filter(({ document }) => document.break_glass !== undefined);
      const policyName = chance.maybe(closed)?.name ?? 'none';
      const { id } = await transitions.openBreakGlass(ctx, { policyName, reason: 'it burns', ticket: 'T-1' });
      ledger.noteOpening({ id, policy: `${ctx.workspace.id} ${policyName}`, by: by.id, at: store.now() });
      scene.hot.add(by);
    },
  ],
  review: [
    3,
    async ({ ctx, by, scene: { ledger, chance } }) => {
      const opening = chance.maybe(await breakGlass.list(ctx, { limit: 10 }));
      if (opening === undefined) return;
      await breakGlass.review(ctx, opening.id, 'seen');
      ledger.noteReview(opening.id, by.id);
    },
  ],
  sweep: [2, ({ scene: { store } }) => requests.sweep(store.ctx)],
  wait: [4, async ({ scene: { store, chance } }) => store.wait(chance.pick([60_000, 700_000, 4_000_000, 30_000_000, 90_000_000]))],
};
