/** What a use-case is given: who asks, where, the clock, and the ways to the database and the blobs. */
import { randomBytes } from 'node:crypto';
import type { Access, TokenScope } from '@countersign/contract/access.ts';
import type { BlobStore } from './blobs/blob-store.ts';
import { type Database, type Queries, type Tx, Unprepared } from './db/database.ts';
import type { Searches } from './db/search-runner.ts';

/** The authenticated principal; never what a client claims about itself. */
export interface Principal {
  readonly id: number;
  readonly kind: 'local' | 'user' | 'service' | 'ci';
  readonly name: string;
  /** Of a job: the account whose access it has. Everybody else is an account. */
  readonly accountId?: number;
}

/** Whose grants, groups and tokens count for a principal; what it does is written down under its own id. */
export function accountIdOf({ id, accountId }: Principal): number {
  return accountId ?? id;
}

/** Where a call over the network comes from. */
export interface Origin {
  /** Whose call it is: what the server does meanwhile by itself comes from nowhere. Undefined: of whoever turns out to sign in. */
  readonly principalId: number | undefined;
  readonly address: string;
  /** Undefined where a password or no credential at all was sent. */
  readonly tokenId: number | undefined;
}

export interface WorkspaceRef {
  readonly id: number;
  readonly name: string;
}

/** Time and chance come in here; nothing else reads them. */
export interface Clock {
  /** Epoch ms. */
  now(): number;
  randomBytes(size: number): Buffer;
}

export const systemClock: Clock = { now: () => Date.now(), randomBytes: drawRandomBytes };

/** A call for a few bytes costs as much as one for thousands, so ids and salts are cut from a larger draw, each byte given out once. */
const DRAW_BYTES = 4096;
/** Keys are longer, and drawn by themselves. */
const CUT_BYTES_MAX = 16;
let drawn = Buffer.alloc(0);

function drawRandomBytes(size: number): Buffer {
  if (size > CUT_BYTES_MAX) return randomBytes(size);
  if (size > drawn.length) drawn = randomBytes(DRAW_BYTES);
  const cut = drawn.subarray(0, size);
  drawn = drawn.subarray(size);
  return cut;
}

export interface Ctx {
  readonly db: Database;
  /** The transaction to join, if the caller already has one. */
  readonly tx: Tx | undefined;
  readonly blobs: BlobStore;
  readonly searches: Searches;
  readonly clock: Clock;
  readonly principal: Principal;
  readonly origin?: Origin | undefined;
  readonly workspace: WorkspaceRef;
  /** What the principal may do in the workspace. */
  readonly access: Access;
  /** Undefined: no token limits it. */
  readonly tokenScope: TokenScope | undefined;
  /** Below which experiments get their artifact location: `mlflow-artifacts:/`, or what the operator named. */
  readonly artifactRoot: string;
  /** Tells the caller what stops nothing; undefined where nobody reads it. */
  readonly warn?: ((text: string) => void) | undefined;
  /** What this transaction needs from storage was fetched before it; the rest it may wait for. */
  readonly isPrepared?: boolean | undefined;
}

export interface TxCtx extends Ctx {
  readonly tx: Tx;
}

/** Where to read: the transaction, if there is one, sees its own changes. */
export function reading(ctx: Pick<Ctx, 'db' | 'tx'>): Queries {
  return ctx.tx ?? ctx.db;
}

/**
 * Joins the caller's transaction, or opens one; resolves after the commit. Only doors call this. `lane`: see `Database.write`. What turns out to need
 * something from storage is undone, and made again when that was fetched, so that nobody waits for storage while he holds what others wait for.
 */
export async function transaction<T>(ctx: Ctx, work: (ctx: TxCtx) => Promise<T>, lane?: string): Promise<T> {
  if (ctx.tx) return work({ ...ctx, tx: ctx.tx });
  try {
    return await ctx.db.write((tx) => work({ ...ctx, tx }), lane);
  } catch (error) {
    if (!(error instanceof Unprepared)) throw error;
    await error.prepare();
    return ctx.db.write((tx) => work({ ...ctx, tx, isPrepared: true }), lane);
  }
}

/** 32 lowercase hex characters, the form of MLflow's run ids. */
export function randomHex(clock: Clock): string {
  return clock.randomBytes(16).toString('hex');
}
