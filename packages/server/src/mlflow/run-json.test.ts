import { beforeEach, describe, expect, test } from 'vitest';
import { openContext } from '../../../../test/support/context.ts';
import * as runs from '../features/runs/runs.ts';
import type { Ctx } from '../platform/context.ts';
import { parseExact } from '../platform/http/json.ts';
import { runJson } from './run-json.ts';

let ctx: Ctx;
let runId: string;

beforeEach(async () => {
  ctx = await openContext();
  runId = (await runs.create(ctx, { experimentId: 0, userId: 'a "b"', name: 'n', startTime: 2n ** 60n + 1n, tags: [] })).info.runId;
});

async function shown(): Promise<unknown> {
  return parseExact(runJson(await runs.getRunText(ctx, runId)));
}

function info(): object {
  return {
    run_uuid: runId,
    experiment_id: '0',
    run_name: 'n',
    user_id: 'a "b"',
    status: 'RUNNING',
    start_time: 2n ** 60n + 1n,
    artifact_uri: `mlflow-artifacts:/0/${runId}/artifacts`,
    lifecycle_stage: 'active',
    run_id: runId,
  };
}

describe('a run on the wire', () => {
  test('shows no empty list, and inputs and outputs all the same', async () => {
    expect(await shown()).toEqual({ info: info(), data: { tags: [{ key: 'mlflow.runName', value: 'n' }] }, inputs: {}, outputs: {} });
  });

  test('shows all that was logged, exactly', async () => {
    const text = 'a key, quote " backslash \\ newline \n tab \t bell \u0007 ü \u2028 😀';
    const points = [
      { key: 'a', value: Number.NaN, timestamp: 1, step: 0 },
      { key: 'b', value: 0.1 + 0.2, timestamp: 2, step: 2n ** 62n + 1n },
      { key: 'c', value: -1e-300, timestamp: 3, step: -1 },
    ];
    await runs.logBatch(ctx, runId, {
      metrics: points,
      params: [{ key: 'p', value: text }],
      tags: [{ key: text.slice(0, 5), value: text }],
    });
    const dataset = {
      name: 'd',
      digest: '1',
      sourceType: 's',
      source: '{}',
      schema: undefined,
      profile: 'p',
      tags: [{ key: 'k', value: text }],
    };
    await runs.logInputs(ctx, runId, { datasets: [dataset], modelIds: ['m-1'] });
    await runs.logOutputs(ctx, runId, [{ modelId: 'm-2', step: 3 }]);
    expect(await shown()).toEqual({
      info: info(),
      data: {
        metrics: [{ ...points[0], value: 'NaN' }, points[1], points[2]],
        params: [{ key: 'p', value: text }],
        tags: [
          { key: text.slice(0, 5), value: text },
          { key: 'mlflow.runName', value: 'n' },
        ],
      },
      inputs: {
        dataset_inputs: [
          { tags: [{ key: 'k', value: text }], dataset: { name: 'd', digest: '1', source_type: 's', source: '{}', profile: 'p' } },
        ],
        model_inputs: [{ model_id: 'm-1' }],
      },
      outputs: { model_outputs: [{ model_id: 'm-2', step: 3 }] },
    });
  });
});
