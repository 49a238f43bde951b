/** Work that is done again and again beside requests, one run at a time. */

export interface JobOptions {
  readonly firstAfterMs: number;
  /** From the end of a run to the start of the next. */
  readonly everyMs: number;
  readonly run: () => Promise<void>;
  readonly onError: (error: unknown) => void;
}

export interface BackgroundJob {
  /** Starts no further run; resolves when the one under way has ended. */
  stop(): Promise<void>;
}

/** A failed run is told and tried again at its next time. The process doesn't stay alive for it. */
export function startJob(options: JobOptions): BackgroundJob {
  let running: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  const plan = (afterMs: number): void => {
    if (isStopped) return;
    timer = setTimeout(() => {
      running = options
        .run()
        .catch(options.onError)
        .finally(() => plan(options.everyMs));
    }, afterMs).unref();
  };
  plan(options.firstAfterMs);
  return {
    stop: async () => {
      isStopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
