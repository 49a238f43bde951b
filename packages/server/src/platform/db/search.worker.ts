/** The thread that runs long searches on SQLite, with a connection of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import { Problem } from '@countersign/contract/problem.ts';
import { revivePlan } from './search-plan.ts';
import { findThoroughly, type WorkerQuestion, type WorkerReply, type WorkerSetup } from './search-runner.ts';
import { open, SqliteQueries } from './sqlite.ts';

const setup = workerData as WorkerSetup; // as search-runner.ts starts it
const db = new SqliteQueries(open(setup.file));
const port = parentPort;

async function answer({ id, plan }: WorkerQuestion): Promise<WorkerReply> {
  try {
    return { id, rows: await findThoroughly(db, revivePlan(plan), setup.timeoutMs) };
  } catch (error) {
    return error instanceof Problem ? { id, problem: error.message } : { id, failure: error };
  }
}

port?.on('message', (question: WorkerQuestion) => {
  void answer(question).then((reply) => port.postMessage(reply));
});
