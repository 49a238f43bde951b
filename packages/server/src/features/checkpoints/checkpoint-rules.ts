/**
 * What is signed of the record, to the byte: checkpoints, and the line of keys that sign them. These formats are kept by others for ever
 * (docs/decisions/0008-checkpoints.md). Pure.
 */
import { createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto';
import { HASH_BYTES } from './merkle-rules.ts';

export interface Checkpoint {
  readonly serverId: string;
  /** How many events it is over. */
  readonly size: number;
  /** Of RFC 6962, over the hashes of the events. */
  readonly root: Buffer;
  /** Epoch ms; never before that of the checkpoint before. */
  readonly time: number;
  /** `digestOf` the checkpoint before; 32 bytes 0 for the first. */
  readonly previous: Buffer;
}

export interface SignedCheckpoint extends Checkpoint {
  /** 8 hex digits: which key is to be tried. */
  readonly keyId: string;
  readonly signature: Buffer;
}

export const NO_CHECKPOINT = Buffer.alloc(HASH_BYTES);

/** Origin of the checkpoint and name of the key, as C2SP's tlog-checkpoint and signed-note have them. */
function nameOf(serverId: string): string {
  return `countersign/${serverId}`;
}

/** What is signed: the text of C2SP's tlog-checkpoint, with two lines of ours. */
export function checkpointText({ serverId, size, root, time, previous }: Checkpoint): string {
  return `${nameOf(serverId)}\n${size}\n${root.toString('base64')}\ntime ${time}\nprevious ${previous.toString('base64')}\n`;
}

/** SHA-256 of its text: what the next one calls `previous`. */
export function digestOf(checkpoint: Checkpoint): Buffer {
  return hash('sha256', checkpointText(checkpoint), 'buffer');
}

/** The signed note: text, empty line, signature. */
export function checkpointNote(checkpoint: SignedCheckpoint): string {
  return `${checkpointText(checkpoint)}\n— ${nameOf(checkpoint.serverId)} ${markOf(checkpoint).toString('base64')}\n`;
}

function markOf({ keyId, signature }: SignedCheckpoint): Buffer {
  return Buffer.concat([Buffer.from(keyId, 'hex'), signature]);
}

const LINE_MARK = 'csc1';

/** The same in one line without white space, for headers and commands. */
export function checkpointLine(checkpoint: SignedCheckpoint): string {
  const { serverId, size, time, root, previous } = checkpoint;
  return [
    LINE_MARK,
    serverId,
    size,
    time,
    root.toString('base64url'),
    previous.toString('base64url'),
    markOf(checkpoint).toString('base64url'),
  ].join('.');
}

const NUMBER = '(0|[1-9]\\d{0,15})';
const NOTE = new RegExp(
  `^countersign/([0-9a-f]{32})\\n${NUMBER}\\n([A-Za-z0-9+/=]{44})\\ntime ${NUMBER}\\nprevious ([A-Za-z0-9+/=]{44})\\n\\n— countersign/\\1 ([A-Za-z0-9+/=]{92})\\n$`,
);
const LINE = new RegExp(`^${LINE_MARK}\\.([0-9a-f]{32})\\.${NUMBER}\\.${NUMBER}\\.([\\w-]{43})\\.([\\w-]{43})\\.([\\w-]{91})$`);

/** From a note or from a line; undefined for anything else, also for one that isn't written as it would be here. */
export function readCheckpoint(text: string): SignedCheckpoint | undefined {
  const note = NOTE.exec(text);
  if (note !== null) {
    const [, serverId = '', size, root, time, previous, mark] = note;
    const read = checkpointOf({ serverId, size, time, root, previous, mark }, 'base64');
    return checkpointNote(read) === text ? read : undefined;
  }
  const line = LINE.exec(text.trim());
  if (line === null) return undefined;
  const [, serverId = '', size, time, root, previous, mark] = line;
  const read = checkpointOf({ serverId, size, time, root, previous, mark }, 'base64url');
  return checkpointLine(read) === text.trim() ? read : undefined;
}

type Words = Readonly<Record<'size' | 'time' | 'root' | 'previous' | 'mark', string | undefined>> & { readonly serverId: string };

function checkpointOf(words: Words, encoding: 'base64' | 'base64url'): SignedCheckpoint {
  const mark = Buffer.from(words.mark ?? '', encoding);
  return {
    serverId: words.serverId,
    size: Number(words.size),
    time: Number(words.time),
    root: Buffer.from(words.root ?? '', encoding),
    previous: Buffer.from(words.previous ?? '', encoding),
    keyId: mark.toString('hex', 0, 4),
    signature: mark.subarray(4),
  };
}

/** A key of the server's, as everybody may know it. The first is number 1. */
export interface CheckpointKey {
  readonly number: number;
  /** 32 bytes. */
  readonly publicKey: Buffer;
  readonly createdAt: number;
  /** Number of the key that vouches for it: the one before, or itself where it is the first or that one was lost. */
  readonly signedBy: number;
  readonly signature: Buffer;
}

/** The first bytes of SHA-256(name ‖ newline ‖ 1 for Ed25519 ‖ key), in hex: C2SP's signed-note. */
export function keyIdOf(serverId: string, publicKey: Uint8Array): string {
  return hash('sha256', Buffer.concat([Buffer.from(`${nameOf(serverId)}\n`), Buffer.of(1), publicKey]), 'hex').slice(0, 8);
}

/** The text form of a public key that verifiers of signed notes take. */
export function verifierKey(serverId: string, publicKey: Uint8Array): string {
  return `${nameOf(serverId)}+${keyIdOf(serverId, publicKey)}+${Buffer.concat([Buffer.of(1), publicKey]).toString('base64')}`;
}

/** What a key signs of the next one, or of itself. */
export function keyText(serverId: string, { number, publicKey, createdAt, signedBy }: Omit<CheckpointKey, 'signature'>): string {
  return `countersign.checkpoint-key.v1\n${serverId}\n${number}\n${publicKey.toString('base64')}\n${createdAt}\n${signedBy}\n`;
}

const PRIVATE_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
const PUBLIC_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

/** An Ed25519 key of 32 random bytes (RFC 8410). */
export function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PRIVATE_HEAD, seed]), format: 'der', type: 'pkcs8' });
}

/** Its 32 bytes, of a private or a public key. */
export function publicBytesOf(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(PUBLIC_HEAD.length);
}

export function signText(text: string, key: KeyObject): Buffer {
  return signBytes(Buffer.from(text, 'utf8'), key);
}

/** Whatever else is signed by this key begins with a mark of its own, so that nothing can stand for a checkpoint. */
export function signBytes(bytes: Uint8Array, key: KeyObject): Buffer {
  return sign(null, bytes, key);
}

export function isSignedBy(statement: string | Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.concat([PUBLIC_HEAD, publicKey]), format: 'der', type: 'spki' });
  return verify(null, typeof statement === 'string' ? Buffer.from(statement, 'utf8') : statement, key, signature);
}
