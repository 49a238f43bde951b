/** Collects in the background for as long as the process lives. */
import type { Ctx } from '../../platform/context.ts';
import { type CollectOptions, collectGarbage, collectOrphans } from './artifact-gc.ts';
import { SERVER_DOMAIN } from './artifact-rules.ts';

export interface CollectorOptions extends CollectOptions {
  readonly intervalMs: number;
  /** A pass that failed; the next one starts at its time all the same. */
  readonly onError: (error: unknown) => void;
}

export interface Collector {
  /** Resolves when a pass that runs has ended. */
  readonly stop: () => Promise<void>;
}

/** Age of a temporary file that no living upload can own any more: an upload that writes nothing for so long is gone. */
const ABANDONED_MS = 24 * 3_600_000;

/** Prepares the store and sweeps it at once, then collects at every interval. Nothing waits for it. */
export function startCollector(ctx: Ctx, options: CollectorOptions): Collector {
  let cursor: string | undefined;
  const collect = async (): Promise<void> => {
    await collectGarbage(ctx, options);
    cursor = await collectOrphans(ctx, cursor, options.graceMs);
  };
  const guarded = (work: () => Promise<unknown>): Promise<void> => work().then(() => {}, options.onError);
  let running = guarded(async () => {
    await ctx.blobs.prepare(SERVER_DOMAIN);
    await ctx.blobs.sweep(ABANDONED_MS);
  });
  let isRunning = false;
  const timer = setInterval(() => {
    // A pass longer than the interval is not doubled.
    if (isRunning) return;
    isRunning = true;
    running = running
      .then(() => guarded(collect))
      .finally(() => {
        isRunning = false;
      });
  }, options.intervalMs);
  timer.unref();
  return {
    stop: () => {
      clearInterval(timer);
      return running;
    },
  };
}
