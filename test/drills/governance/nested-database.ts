/** A database inside of a transaction that never commits: what is done can be undone, so a drill tries many ways from one moment. */
import type { Database, Tx } from '@countersign/server/platform/db/database.ts';

export interface NestedDatabase extends Database {
  /** Undoes whatever the work did. */
  trying<T>(work: () => Promise<T>): Promise<T>;
}

/** Events are not written there: nobody looks at them before a commit. */
export function nestedDatabase(tx: Tx): NestedDatabase {
  let depth = 0;
  async function inside<T>(isKept: boolean, work: () => Promise<T>): Promise<T> {
    const name = `try_${depth++}`;
    await tx.run(`SAVEPOINT ${name}`);
    let hasEnded = false;
    try {
      const answer = await work();
      hasEnded = true;
      return answer;
    } finally {
      if (!hasEnded || !isKept) await tx.run(`ROLLBACK TO ${name}`);
      await tx.run(`RELEASE ${name}`);
      depth--;
    }
  }
  const inner: Tx = {
    dialect: tx.dialect,
    batch: tx.batch,
    one: (...query) => tx.one(...query),
    all: (...query) => tx.all(...query),
    run: (...query) => tx.run(...query),
    defer: () => {},
  };
  return {
    ...inner,
    write: (work) => inside(true, () => work(inner)),
    setCommitHook: () => {},
    close: async () => {},
    trying: (work) => inside(false, work),
  };
}
