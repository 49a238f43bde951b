/** Whatever is reported in whatever order, no report is lost or changed, and each run shows what was said of it last. */
import { CHECK_CONCLUSIONS } from '@countersign/contract/checks.ts';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { type Ctx, systemClock } from '../../platform/context.ts';
import * as models from '../models/models.ts';
import { readScopes } from '../tokens/tokens.ts';
import * as transitions from '../transitions/transitions.ts';
import * as versions from '../versions/versions.ts';
import * as checks from './checks.ts';

const MINUTE = 60_000;
let now = 1_800_000_000_000;
let ctx: Ctx;
beforeAll(async () => {
  ctx = await openContext({ clock: { ...systemClock, now: () => now } });
});
afterAll(() => ctx.db.close());

const step = fc.record({
  by: fc.constantFrom(1, 2),
  name: fc.constantFrom('unit', 'bias'),
  externalId: fc.constantFrom('a', 'b'),
  ended: fc.option(fc.constantFrom(...CHECK_CONCLUSIONS), { nil: undefined }),
  isQueued: fc.boolean(),
  metrics: fc.dictionary(fc.constantFrom('m', 'n'), fc.double(), { maxKeys: 2 }),
  summary: fc.constantFrom(undefined, 'one', 'two'),
  minutes: fc.constantFrom(0, 0, 1, 61),
});

let count = 0;

it('history loses no report', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const name = `M${++count}`;
      await models.create(ctx, { name, tags: [] });
      const source = { source: 's3://bucket/model', runId: '', loggedModelId: undefined, runLink: '', description: undefined, tags: [] };
      const version = await transitions.registerVersion(ctx, { name, ...source });
      /** What was answered to each report that changed something, in order. */
      const told: checks.Check[] = [];
      const runs = new Map<string, { check: checks.Check; isEnded: boolean }>();
      for (const { by, minutes, ended, isQueued, ...said } of steps) {
        now += minutes * MINUTE;
        const who: Ctx = {
          ...ctx,
          principal: { id: by, kind: 'ci', name: `job ${by}` },
          tokenScope: readScopes(['check:unit', 'check:bias']),
        };
        const status = ended !== undefined ? 'completed' : isQueued ? 'queued' : 'in_progress';
        const run = `${by} ${said.name} ${said.externalId}`;
        const before = runs.get(run);
        const reported = checks.report(who, name, 1, { ...said, status, conclusion: ended });
        if (before?.isEnded && ended === undefined) {
          await expect(reported).rejects.toMatchObject({ code: 'INVALID_STATE' });
          continue;
        }
        const { check, isNew, hasChanged } = await reported;
        expect(isNew).toBe(before === undefined);
        const isLate = ended === undefined && check.conclusion === 'timed_out';
        if (!isLate) expect(check).toMatchObject({ status, conclusion: ended ?? null });
        expect(check).toMatchObject({ summary: said.summary ?? null, metrics: said.metrics });
        if (hasChanged) {
          expect(check.id).toBeGreaterThan(told.at(-1)?.id ?? 0);
          told.push(check);
        } else expect(check.id).toBe(before?.check.id);
        runs.set(run, { check, isEnded: ended !== undefined });
      }
      const constant = ({ id, name: called, externalId, metrics, summary, startedAt, reportedBy, reportedAt, digest }: checks.Check) => ({
        ...{ id, called, externalId, metrics, summary, startedAt, reportedBy, reportedAt, digest },
      });
      const page = { beforeId: undefined, limit: 100 };
      const history = await checks.listOfVersion(ctx, await versions.get(ctx, name, 1), { ...page, history: true });
      expect(history.toReversed().map(constant)).toEqual(told.map(constant));
      const newest = await checks.listOfVersion(ctx, version, page);
      expect(newest.map(({ id }) => id)).toEqual([...runs.values()].map(({ check }) => check.id).sort((a, b) => b - a));
      const facts = (await checks.listReports(ctx, [version.id])).get(version.id) ?? [];
      expect(facts.map(({ id, metrics, by }) => ({ id, metrics, by }))).toEqual(
        told.map(({ id, metrics, reportedBy: by }) => ({ id, metrics, by })),
      );
    }),
    { numRuns: 60 },
  );
});
