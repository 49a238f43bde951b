import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { LoadJob, LoadResult } from './load-job.ts';
import { projectRoot } from './project-paths.ts';

/** Runs jobs, one at a time, in a process of their own so that measuring and generating don't share an event loop. */
export class LoadGenerator {
  private readonly worker: ChildProcess;

  constructor() {
    this.worker = fork(join(projectRoot, 'bench/load-worker.ts'), { serialization: 'advanced' });
  }

  run(job: LoadJob): Promise<LoadResult> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => reject(new Error(`the load generator ended with code ${code}`));
      this.worker.once('exit', onExit);
      this.worker.once('message', (result) => {
        this.worker.off('exit', onExit);
        resolve(result as LoadResult); // the worker sends nothing else
      });
      this.worker.send(job);
    });
  }

  close(): void {
    this.worker.disconnect();
  }
}
