import { expect, it } from 'vitest';
import { startJob } from './background-job.ts';

const soon = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms));

it('a job runs again after a failure, one run at a time, and its stop waits for the run under way', async () => {
  let runs = 0;
  let running = 0;
  const errors: unknown[] = [];
  const job = startJob({
    firstAfterMs: 1,
    everyMs: 1,
    run: async () => {
      expect(++running).toBe(1);
      await soon(5);
      running--;
      if (++runs === 1) throw new Error('once');
    },
    onError: (error) => errors.push(error),
  });
  await expect.poll(() => runs).toBeGreaterThan(2);
  await job.stop();
  expect(running).toBe(0);
  expect(errors).toHaveLength(1);
  const before = runs;
  await soon(20);
  expect(runs).toBe(before);
});
