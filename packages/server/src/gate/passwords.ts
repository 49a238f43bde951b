/** Name and password → account. A verified password is remembered for a short while, as a keyed hash, since checking one is slow on purpose. */
import { hash, randomBytes } from 'node:crypto';
import * as accounts from '../features/accounts/accounts.ts';
import type { Database } from '../platform/db/database.ts';
import type { Directory, Known } from './directory.ts';
import { FailureLimiter } from './failure-limiter.ts';
import { Lru } from './lru.ts';

const REMEMBERED_MS = 5 * 60_000;
const REMEMBERED_MAX = 10_000;

export class Passwords {
  /** Of this process alone: what is remembered says nothing to whoever reads its memory later. */
  readonly #key = randomBytes(32).toString('hex');
  readonly #remembered = new Lru<string, { readonly known: Known; readonly until: number }>(REMEMBERED_MAX);
  readonly #underWay = new Map<string, Promise<Known | undefined>>();
  readonly #db: Database;
  readonly #directory: Directory;
  readonly #limiter: FailureLimiter;
  readonly #now: () => number;

  constructor(db: Database, directory: Directory, now: () => number) {
    this.#db = db;
    this.#directory = directory;
    this.#now = now;
    this.#limiter = new FailureLimiter(now);
  }

  /** Undefined alike, after the same time, for a wrong password, an unknown name and an account that may not sign in. */
  async find(name: string, password: string, address: string): Promise<Known | undefined> {
    const key = hash('sha256', `${this.#key}${name}\0${password}`, 'base64');
    const remembered = this.#remembered.get(key);
    // A change of the account makes the directory forget it, and so this.
    if (
      remembered &&
      remembered.until > this.#now() &&
      (await this.#directory.findPrincipal(remembered.known.account.id)) === remembered.known
    ) {
      return remembered.known;
    }
    // A client's many connections begin together: one of them is enough to make the server hash.
    return this.#underWay.get(key) ?? this.#verify(key, name, password, address);
  }

  #verify(key: string, name: string, password: string, address: string): Promise<Known | undefined> {
    const verified = this.#look(key, name, password, address).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, verified);
    return verified;
  }

  async #look(key: string, name: string, password: string, address: string): Promise<Known | undefined> {
    const attempt = this.#limiter.begin(name, address);
    if (attempt === undefined) return undefined;
    let known: Known | undefined;
    try {
      const account = await accounts.findByPassword(this.#db, name, password);
      known = account && (await this.#directory.findPrincipal(account.id));
    } finally {
      attempt.end(known !== undefined);
    }
    if (known !== undefined) this.#remembered.set(key, { known, until: this.#now() + REMEMBERED_MS });
    return known;
  }
}
