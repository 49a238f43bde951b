/**
 * Signed checkpoints over the record: made in the background and on demand, kept, and proved by. Whoever keeps one elsewhere can show later that
 * the record was cut or rewritten behind it. What a checkpoint is to the byte: checkpoint-rules.ts.
 */
import { invalid } from '@countersign/contract/problem.ts';
import { type Ctx, reading, transaction } from '../../platform/context.ts';
import type { Queries } from '../../platform/db/database.ts';
import { type BackgroundJob, startJob } from '../../platform/jobs/background-job.ts';
import * as events from '../events/events.ts';
import { STORED_LEVEL } from './checkpoint-proofs.ts';
import {
  type CheckpointKey,
  checkpointLine,
  checkpointText,
  digestOf,
  NO_CHECKPOINT,
  type SignedCheckpoint,
  signBytes,
  signText,
} from './checkpoint-rules.ts';
import { chooseNextKey, chooseSigner, type KeyFacts, type Signer, type SignerMeans } from './checkpoint-signer.ts';
import * as store from './checkpoint-store.ts';
import { serverIdOf, shown } from './kept-checkpoints.ts';
import { frontierBytes, GrowingTree, readFrontier, type TreeNode } from './merkle-rules.ts';

export { CheckpointAudit } from './checkpoint-audit-rules.ts';
export { proveConsistency, proveInclusion, proveInclusions } from './checkpoint-proofs.ts';
export {
  type Checkpoint,
  type CheckpointKey,
  checkpointLine,
  checkpointNote,
  isSignedBy,
  keyIdOf,
  readCheckpoint,
  type SignedCheckpoint,
  verifierKey,
} from './checkpoint-rules.ts';
export type { SignerMeans } from './checkpoint-signer.ts';
export { SECRETS } from './checkpoint-store.ts';
export { provesConsistency, provesInclusion, readFrontier } from './merkle-rules.ts';
export { type RecordVerdict, verifyRecord } from './record-verification.ts';

/** A checkpoint is due after so many events, or so long after the one before where something happened. */
export const EVERY_EVENTS = 1000;
export const EVERY_MS = 60_000;
const LOOK_EVERY_MS = 2000;
/** After a failure that only an operator can end. */
const REST_MS = 60_000;
const ATTEMPTS_MAX = 5;

export interface Checkpoints {
  /** The newest that this process knows of, as one line: from memory. */
  readonly newestLine: () => string | undefined;
  /** One over all events that there are now: the newest, or a new one. Undefined where there is none. INVALID_STATE without its key. */
  make(ctx: Ctx): Promise<SignedCheckpoint | undefined>;
  /** As `make`, with what signs other statements by the key of that checkpoint. */
  makeToSign(ctx: Ctx): Promise<{ readonly checkpoint: SignedCheckpoint; readonly sign: (statement: Uint8Array) => Buffer } | undefined>;
  /** One that is due is made; what another replica made is noticed. */
  look(ctx: Ctx): Promise<void>;
  /** A new key signs from now on. `isLost`: the old one can't vouch for it. INVALID_STATE where it would have to. */
  rotateKey(ctx: Ctx, isLost: boolean): Promise<CheckpointKey>;
}

export function openCheckpoints(means: SignerMeans): Checkpoints {
  return new Checkpointer(means);
}

/** In the background, until it is stopped. Several replicas share the work. */
export function startCheckpointing(ctx: Ctx, checkpoints: Checkpoints, onError: (error: unknown) => void): BackgroundJob {
  let restUntil = 0;
  const run = async (): Promise<void> => {
    if (ctx.clock.now() < restUntil) return;
    try {
      await checkpoints.look(ctx);
    } catch (error) {
      restUntil = ctx.clock.now() + REST_MS;
      throw error;
    }
  };
  return startJob({ firstAfterMs: LOOK_EVERY_MS, everyMs: LOOK_EVERY_MS, run, onError });
}

class Checkpointer implements Checkpoints {
  readonly #means: SignerMeans;
  #newest: { readonly size: number; readonly line: string } | undefined;
  #waitingSince: number | undefined;
  #making: Promise<SignedCheckpoint | undefined> | undefined;

  constructor(means: SignerMeans) {
    this.#means = means;
  }

  readonly newestLine = (): string | undefined => this.#newest?.line;

  async make(ctx: Ctx): Promise<SignedCheckpoint | undefined> {
    // One that was begun before may not be over what the caller has just written.
    await this.#making?.catch(() => {});
    this.#making ??= this.#make(ctx).finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  async makeToSign(ctx: Ctx): ReturnType<Checkpoints['makeToSign']> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      // First the key: one that takes another's place is an event, which the checkpoint is then over.
      const signer = (await events.findEnd(ctx.db)).seq === 0 ? undefined : await this.#signer(ctx);
      const checkpoint = await this.make(ctx);
      if (checkpoint === undefined) return undefined;
      if (signer?.keyId === checkpoint.keyId) return { checkpoint, sign: (statement) => signBytes(statement, signer.privateKey) };
    }
    throw new Error(`the key that signs checkpoints was replaced ${ATTEMPTS_MAX} times meanwhile`);
  }

  async look(ctx: Ctx): Promise<void> {
    const [newest, end] = [await findNewest(ctx), await events.findEnd(ctx.db)];
    if (newest !== undefined) this.#know(newest);
    const waiting = end.seq - (newest?.size ?? 0);
    if (waiting <= 0) {
      this.#waitingSince = undefined;
      return;
    }
    const now = ctx.clock.now();
    this.#waitingSince ??= now;
    const since = newest === undefined ? this.#waitingSince : newest.time;
    if (waiting >= EVERY_EVENTS || now - since >= EVERY_MS) await this.make(ctx);
  }

  async rotateKey(ctx: Ctx, isLost: boolean): Promise<CheckpointKey> {
    const facts = await keyFacts(ctx);
    const next = chooseNextKey(this.#means, facts, isLost);
    if (await addKey(ctx, next)) return next;
    throw invalid('Somebody else has replaced the key at the same time. Look at the keys, and try again if it is still needed.');
  }

  async #make(ctx: Ctx): Promise<SignedCheckpoint | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const made = await this.#attempt(ctx);
      if (made === 'again') continue;
      if (made !== undefined) this.#know(made);
      return made;
    }
    throw new Error(`${ATTEMPTS_MAX} checkpoints were overtaken by those of other processes`);
  }

  async #attempt(ctx: Ctx): Promise<SignedCheckpoint | undefined | 'again'> {
    const before = await store.findNewest(ctx.db);
    const { serverId, seq } = await events.findEnd(ctx.db);
    if (before !== undefined && before.size >= seq) return shown(before, serverId);
    if (seq === 0) return undefined;
    const signer = await this.#signer(ctx);
    if (signer === undefined) return 'again';
    const { tree, nodes } = await growTo(ctx.db, before, seq);
    if (tree.size !== seq) throw new Error(`the record has ${tree.size} events, and its end is ${seq}: see countersign audit verify`);
    const unsigned = {
      serverId,
      size: seq,
      root: tree.root(),
      time: Math.max(ctx.clock.now(), before?.time ?? 0),
      previous: before === undefined ? NO_CHECKPOINT : digestOf({ ...before, serverId }),
    };
    const checkpoint = { ...unsigned, keyId: signer.keyId, signature: signText(checkpointText(unsigned), signer.privateKey) };
    const isKept = await transaction(ctx, async ({ tx }) => {
      if ((await store.lockKey(tx, signer.number)) !== signer.number) return false;
      if (!(await store.insert(tx, { ...checkpoint, frontier: frontierBytes(tree.frontier) }))) return false;
      await store.insertNodes(tx, nodes);
      return true;
    });
    return isKept ? checkpoint : 'again';
  }

  /** Undefined: a key was written, by this process or another. */
  async #signer(ctx: Ctx): Promise<Signer | undefined> {
    const chosen = chooseSigner(this.#means, await keyFacts(ctx));
    if (!('next' in chosen)) return chosen;
    await addKey(ctx, chosen.next);
    return undefined;
  }

  #know(checkpoint: SignedCheckpoint): void {
    if (this.#newest === undefined || this.#newest.size < checkpoint.size)
      this.#newest = { size: checkpoint.size, line: checkpointLine(checkpoint) };
  }
}

async function keyFacts(ctx: Ctx): Promise<KeyFacts> {
  const { serverId } = await events.findEnd(ctx.db);
  return { serverId, keys: await store.listKeys(ctx.db), clock: ctx.clock };
}

/** False where another one is there by now. The first is no event: nobody changed anything. */
function addKey(ctx: Ctx, key: store.KeyRow): Promise<boolean> {
  return transaction(ctx, async (inner) => {
    if (key.number > 1 && (await store.lockKey(inner.tx, key.number - 1)) !== key.number - 1) return false;
    if (!(await store.insertKey(inner.tx, key, inner.principal.id))) return false;
    if (key.number === 1) return true;
    await store.forgetPrivateKey(inner.tx, key.number - 1);
    const data = { number: key.number, public_key: key.publicKey.toString('base64'), signed_by: key.signedBy };
    events.record(inner, { type: 'checkpoint-key.rotated', data });
    return true;
  });
}

/** From the frontier of the one before, so that only new events are hashed. */
async function growTo(
  db: Queries,
  before: store.CheckpointRow | undefined,
  seq: number,
): Promise<{ tree: GrowingTree; nodes: readonly store.NodeRow[] }> {
  const tree = new GrowingTree(before && readFrontier(before.size, before.frontier));
  const nodes: store.NodeRow[] = [];
  const keep = ({ level, position }: TreeNode, hash: Buffer): void => {
    if (level >= STORED_LEVEL) nodes.push({ level, position, hash });
  };
  for await (const hash of events.listHashes(db, tree.size, seq)) tree.append(hash, keep);
  return { tree, nodes };
}

/** Undefined before the first. */
export async function findNewest(ctx: Ctx): Promise<SignedCheckpoint | undefined> {
  const row = await store.findNewest(reading(ctx));
  return row && shown(row, await serverIdOf(ctx));
}

/** A checkpoint with the frontier of its tree: all that is needed to go on from it. */
export interface KeptCheckpoint extends SignedCheckpoint {
  readonly frontier: Uint8Array;
}

export interface CheckpointQuery {
  readonly afterSize: number | undefined;
  readonly newestFirst: boolean;
  readonly limit: number;
}

export async function list(ctx: Ctx, query: CheckpointQuery): Promise<KeptCheckpoint[]> {
  const serverId = await serverIdOf(ctx);
  return (await store.list(reading(ctx), query)).map((row) => ({ ...row, serverId }));
}

/** Oldest first. */
export async function listKeys(ctx: Ctx): Promise<{ readonly serverId: string; readonly keys: readonly CheckpointKey[] }> {
  const keys = await store.listKeys(reading(ctx));
  return { serverId: await serverIdOf(ctx), keys: keys.map(({ sealed: _private, ...key }) => key) };
}
