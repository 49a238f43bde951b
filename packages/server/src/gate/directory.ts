/**
 * Who is who and may do what, as this process remembers it. A request reads one number, the count of changes of access; what changed since is
 * forgotten, for the principals it concerns alone. So a revoked token or grant ends at once, on every replica.
 */
import { hash } from 'node:crypto';
import type { Access, TokenScope } from '@countersign/contract/access.ts';
import { levelOf, RANK } from '@countersign/contract/levels.ts';
import * as access from '../features/access/access.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as tokens from '../features/tokens/tokens.ts';
import * as workspaces from '../features/workspaces/workspaces.ts';
import type { Principal, WorkspaceRef } from '../platform/context.ts';
import type { Database } from '../platform/db/database.ts';
import { Lru } from './lru.ts';

/** A principal, its grants, and what they come to in each workspace that it asked for. */
export interface Known {
  readonly account: accounts.Account;
  readonly principal: Principal;
  readonly grants: access.PlacedGrant[];
  readonly byWorkspace: Map<number, Access>;
}

export interface KnownToken {
  readonly token: tokens.Token;
  readonly scope: TokenScope;
  /** When its use was last written down, epoch ms. */
  notedAt: number;
}

const PRINCIPALS_MAX = 10_000;
const TOKENS_MAX = 50_000;
const WORKSPACES_MAX = 10_000;

export class Directory {
  /** The reading that is about to begin. */
  #next: Promise<void> | undefined;
  readonly #db: Database;
  #epoch = -1;
  #isOpen: boolean | undefined;
  readonly #principals = new Lru<number, Known>(PRINCIPALS_MAX);
  readonly #tokens = new Lru<string, KnownToken>(TOKENS_MAX);
  readonly #workspaces = new Lru<string, WorkspaceRef>(WORKSPACES_MAX);
  readonly #memberRanks = new Lru<number, number>(WORKSPACES_MAX);

  constructor(db: Database) {
    this.#db = db;
  }

  /** Counts changes; what was looked up before it moved may be out of date. */
  get epoch(): number {
    return this.#epoch;
  }

  /**
   * Forgets what changed since the last call. On PostgreSQL, whoever comes in one turn of the event loop shares one reading, which begins when all of
   * them have come.
   */
  refresh(): Promise<void> {
    if (this.#db.dialect === 'sqlite') return this.#follow();
    this.#next ??= new Promise((resume) => setImmediate(resume)).then(() => {
      this.#next = undefined;
      return this.#follow();
    });
    return this.#next;
  }

  async #follow(): Promise<void> {
    const epoch = await accounts.getEpoch(this.#db, this.#epoch);
    if (epoch === this.#epoch) return;
    if (this.#epoch < 0 || epoch - this.#epoch > accounts.CHANGES_KEPT || epoch < this.#epoch) {
      this.#forgetAll(epoch);
      return;
    }
    const changes = await accounts.listChanges(this.#db, this.#epoch);
    const added = new Map<number, access.PlacedGrant | undefined>();
    for (const { grant_id: id } of changes) if (id !== null) added.set(id, await access.findReaching(this.#db, id));
    for (const change of changes) {
      // Another request may have come to the same changes meanwhile.
      if (change.epoch <= this.#epoch) continue;
      this.#apply(change, change.grant_id === null ? undefined : added.get(change.grant_id));
      this.#epoch = change.epoch;
    }
  }

  #apply({ principal_id: id, grant_id }: accounts.AccessChange, grant: access.PlacedGrant | undefined): void {
    this.#isOpen = undefined;
    if (id === null) {
      this.#forgetAll(this.#epoch);
      return;
    }
    if (grant_id === null) {
      this.#principals.delete(id);
      // Tokens are few per principal and looked at again when they are used: which are its is not kept.
      this.#tokens.clear();
      return;
    }
    const known = this.#principals.get(id);
    if (known === undefined || grant === undefined) return;
    known.grants.push(grant);
    known.byWorkspace.clear();
  }

  #forgetAll(epoch: number): void {
    this.#principals.clear();
    this.#tokens.clear();
    this.#workspaces.clear();
    this.#memberRanks.clear();
    this.#isOpen = undefined;
    this.#epoch = epoch;
  }

  /** Whether there are no accounts, so that whoever reaches the server is its local administrator. */
  async isOpen(): Promise<boolean> {
    if (this.#isOpen !== undefined) return this.#isOpen;
    const at = this.#epoch;
    const isOpen = !(await accounts.hasAccounts(this.#db));
    if (this.#epoch === at) this.#isOpen = isOpen;
    return isOpen;
  }

  /** Undefined for one that isn't there, was revoked or has expired. */
  async findToken(secret: string, now: number): Promise<KnownToken | undefined> {
    // Not the token itself: what is remembered can't be used elsewhere.
    const digest = hash('sha256', secret, 'base64');
    let known = this.#tokens.get(digest);
    if (known === undefined) {
      const at = this.#epoch;
      const token = await tokens.findBySecret(this.#db, secret);
      if (token === undefined || token.revokedAt !== null) return undefined;
      const endsAt = token.kind === 'session' ? undefined : (token.expiresAt ?? undefined);
      known = { token, scope: { ...tokens.readScopes(token.scopes), endsAt }, notedAt: token.lastUsedAt ?? 0 };
      if (this.#epoch === at) this.#tokens.set(digest, known);
    }
    const { expiresAt } = known.token;
    return expiresAt !== null && expiresAt <= now ? undefined : known;
  }

  /** Undefined for an account that may not act. */
  async findPrincipal(id: number): Promise<Known | undefined> {
    const remembered = this.#principals.get(id);
    if (remembered !== undefined) return remembered;
    const at = this.#epoch;
    const account = await accounts.findAccount(this.#db, id);
    if (account === undefined || account.state !== 'active' || account.kind === 'local') return undefined;
    const known: Known = {
      account,
      principal: { id, kind: account.kind, name: account.name },
      grants: await access.listReaching(this.#db, id),
      byWorkspace: new Map(),
    };
    if (this.#epoch === at) this.#principals.set(id, known);
    return known;
  }

  async accessOf(known: Known, workspaceId: number): Promise<Access> {
    const remembered = known.byWorkspace.get(workspaceId);
    if (remembered !== undefined) return remembered;
    const at = this.#epoch;
    const memberRank = await this.#memberRank(workspaceId);
    const compiled = access.compileFor(known.account, workspaceId, memberRank, known.grants);
    if (this.#epoch === at) known.byWorkspace.set(workspaceId, compiled);
    return compiled;
  }

  async #memberRank(workspaceId: number): Promise<number> {
    const remembered = this.#memberRanks.get(workspaceId);
    if (remembered !== undefined) return remembered;
    const at = this.#epoch;
    const level = (await workspaces.settingsOf(this.#db, workspaceId)).member_level;
    const rank = level === 'NONE' ? 0 : RANK[level];
    if (this.#epoch === at) this.#memberRanks.set(workspaceId, rank);
    return rank;
  }

  async findWorkspace(name: string): Promise<WorkspaceRef | undefined> {
    const remembered = this.#workspaces.get(name);
    if (remembered !== undefined) return remembered;
    const at = this.#epoch;
    const found = await workspaces.findWorkspace(this.#db, name);
    if (found !== undefined && this.#epoch === at) this.#workspaces.set(name, found);
    return found;
  }
}

/** For sentences. */
export function nameOfRank(rank: number): string {
  return levelOf(rank) ?? 'nothing';
}
