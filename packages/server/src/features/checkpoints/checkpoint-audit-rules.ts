/** Holds checkpoints against the events that they are over, and against the keys that may sign them. Pure; fed in the record's order. */
import {
  type Checkpoint,
  type CheckpointKey,
  checkpointText,
  digestOf,
  isSignedBy,
  keyIdOf,
  keyText,
  NO_CHECKPOINT,
  type SignedCheckpoint,
} from './checkpoint-rules.ts';
import { type Frontier, GrowingTree } from './merkle-rules.ts';

export interface AuditStart {
  readonly serverId: string;
  /** Where the events don't begin with the first: the checkpoint that they go on from, and the frontier of its tree. */
  readonly after?: { readonly checkpoint: SignedCheckpoint; readonly frontier: Frontier };
  /** 32 bytes, known from elsewhere: then one of the keys must be it, and what is newest must be signed by it or by one that follows from it. */
  readonly trustedKey?: Uint8Array | undefined;
}

/** Each `take…` answers what is wrong, as the end of a sentence about what it was given; undefined where nothing is. */
export class CheckpointAudit {
  readonly #serverId: string;
  readonly #trustedKey: Uint8Array | undefined;
  readonly #tree: GrowingTree;
  readonly #keys: CheckpointKey[] = [];
  #newest: SignedCheckpoint | undefined;
  #newestKey = 0;
  #trustedNumber = 0;

  constructor({ serverId, after, trustedKey }: AuditStart) {
    this.#serverId = serverId;
    this.#trustedKey = trustedKey;
    this.#tree = new GrowingTree(after?.frontier);
    this.#newest = after?.checkpoint;
  }

  get newest(): SignedCheckpoint | undefined {
    return this.#newest;
  }

  get size(): number {
    return this.#tree.size;
  }

  get frontier(): Frontier {
    return this.#tree.frontier;
  }

  /** Of the events so far. */
  root(): Buffer {
    return this.#tree.root();
  }

  takeEvent(hash: Uint8Array): void {
    this.#tree.append(hash);
  }

  takeKey(key: CheckpointKey): string | undefined {
    const before = this.#keys.at(-1)?.number ?? 0;
    if (key.number !== before + 1) return `is number ${key.number}, and number ${before + 1} is due`;
    const isTrusted = this.#trustedKey !== undefined && key.publicKey.equals(this.#trustedKey);
    const isFirst = key.number === 1;
    if (key.signedBy !== key.number - (isFirst ? 0 : 1) && !(key.signedBy === key.number && isTrusted))
      return 'is not signed by the one before it, which may have been lost: say with --key that you trust it';
    const signer = key.signedBy === key.number ? key : this.#keys.at(-1);
    if (signer === undefined || !isSignedBy(keyText(this.#serverId, key), key.signature, signer.publicKey))
      return isFirst ? 'is not signed by itself' : 'has a signature that is not of the key before it';
    this.#keys.push(key);
    if (isTrusted) this.#trustedNumber = key.number;
    return undefined;
  }

  takeCheckpoint(checkpoint: SignedCheckpoint): string | undefined {
    const refusal = this.#refusePlace(checkpoint) ?? this.#refuseSignature(checkpoint);
    if (refusal !== undefined) return refusal;
    if (!checkpoint.root.equals(this.#tree.root())) return 'has another root than the events before it';
    this.#newest = checkpoint;
    return undefined;
  }

  #refusePlace(checkpoint: Checkpoint): string | undefined {
    if (checkpoint.serverId !== this.#serverId) return `is of another server, ${checkpoint.serverId}`;
    if (checkpoint.size !== this.#tree.size) return `is over ${checkpoint.size} events, and ${this.#tree.size} stand before it`;
    const previous = this.#newest === undefined ? NO_CHECKPOINT : digestOf(this.#newest);
    if (!checkpoint.previous.equals(previous)) return 'does not go on from the checkpoint before it';
    if (checkpoint.time < (this.#newest?.time ?? 0)) return 'is older than the checkpoint before it';
    return undefined;
  }

  /** Also for the one that the events go on from, once the keys are there. */
  refuseStart(): string | undefined {
    const start = this.#newest;
    if (start === undefined) return undefined;
    if (start.serverId !== this.#serverId) return `is of another server, ${start.serverId}`;
    if (start.size !== this.#tree.size || !start.root.equals(this.#tree.root())) return 'has another root than the frontier beside it';
    return this.#refuseSignature(start);
  }

  #refuseSignature(checkpoint: SignedCheckpoint): string | undefined {
    const text = checkpointText(checkpoint);
    const signer = this.#keys.find(
      (key) => keyIdOf(this.#serverId, key.publicKey) === checkpoint.keyId && isSignedBy(text, checkpoint.signature, key.publicKey),
    );
    if (signer === undefined) return 'has a signature that is of none of the keys';
    if (signer.number < this.#newestKey) return `is signed by key ${signer.number}, after key ${this.#newestKey} had taken its place`;
    this.#newestKey = signer.number;
    return undefined;
  }

  /** Whether a checkpoint that somebody kept is signed by one of the keys, whatever it says. */
  isOfOurs(checkpoint: SignedCheckpoint): boolean {
    const text = checkpointText(checkpoint);
    return checkpoint.serverId === this.#serverId && this.#keys.some((key) => isSignedBy(text, checkpoint.signature, key.publicKey));
  }

  /** At the end: what speaks against its signature, where a key is trusted. */
  refuseTrust(): string | undefined {
    if (this.#trustedKey === undefined) return undefined;
    if (this.#trustedNumber === 0) return 'is signed by other keys than the one that you trust';
    if (this.#newest !== undefined && this.#newestKey < this.#trustedNumber)
      return `is signed by key ${this.#newestKey}, which was there before the one that you trust`;
    return undefined;
  }

  /** 8 hex digits, of the key that signed the newest checkpoint. */
  get signerId(): string | undefined {
    const signer = this.#keys.find((key) => key.number === this.#newestKey);
    return signer && keyIdOf(this.#serverId, signer.publicKey);
  }
}
