import canonicalize from 'canonicalize';
import { expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { transaction } from '../../platform/context.ts';
import * as events from './events.ts';

it('what is stored of an event is canonical JSON', async () => {
  const ctx = await openContext();
  await transaction(ctx, async (inner) => {
    events.record(inner, { type: 'setting.changed', data: { value: ['b', 'a'], name: 'é', nothing: null, deep: { z: 1.5, a: true } } });
    events.record(inner, {
      type: 'model-version.tag-set',
      modelId: 2,
      versionId: 3,
      target: 'stage:Production',
      data: {},
      texts: { value: 'x', 'tag:a': 'y', Description: 'z' },
    });
  });
  const recorded = await events.list(ctx.db, { workspaceId: ctx.workspace.id, limit: 10 });
  expect(recorded).toHaveLength(2);
  for (const { body } of recorded) expect(body).toBe(canonicalize(JSON.parse(body)));
  expect(await events.verifyChain(ctx.db)).toMatchObject({ ok: true });
});
