/** What is sent at once costs one system call, however many statements it is; and what waits for each other's answers is sent one by one. */
import type pg from 'pg';

export interface Client {
  query(config: pg.QueryConfig): Promise<pg.QueryResult>;
}

/**
 * Statements of several closures, in the order in which they come: those that wait go out together, as soon as they are as many as those whose answers
 * aren't in. So the database always has something to do, and closures that began together stay together.
 */
export class StatementBunches implements Client {
  readonly #send: Client['query'];
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;
  #isFlushing = false;

  constructor(send: Client['query']) {
    this.#send = send;
  }

  query(config: pg.QueryConfig): Promise<pg.QueryResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        this.#underWay += 1;
        this.#send(config)
          .finally(() => {
            this.#underWay -= 1;
            this.#flushSoon();
          })
          .then(resolve, reject);
      });
      this.#flushSoon();
    });
  }

  /** Sends what waits, so that nothing of it comes after what the caller sends next. */
  flush(): void {
    for (const send of this.#waiting.splice(0)) send();
  }

  /** Once all that an answer sets going has come to its next statement. */
  #flushSoon(): void {
    if (this.#isFlushing || this.#waiting.length === 0 || this.#waiting.length < this.#underWay) return;
    this.#isFlushing = true;
    process.nextTick(() => {
      this.#isFlushing = false;
      this.flush();
    });
  }
}
