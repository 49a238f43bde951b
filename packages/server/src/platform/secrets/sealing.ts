/** Keys, and small things encrypted under them: AES-256-GCM with a random nonce, in one stored form. */
import { createCipheriv, createDecipheriv, createHash, createSecretKey, type KeyObject } from 'node:crypto';

export const KEY_BYTES = 32;
const FORMAT = 1;
export const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES;

export type RandomBytes = (size: number) => Buffer;

export interface Key {
  /** Says which key it is and nothing about it: 16 hex digits of a hash. */
  readonly id: string;
  /** 32 bytes. */
  readonly bytes: Buffer;
  /** The same as Node's ciphers take it at a tenth of the cost. */
  readonly object: KeyObject;
}

export function toKey(bytes: Buffer): Key {
  if (bytes.length !== KEY_BYTES) throw new TypeError(`a key has ${KEY_BYTES} bytes`);
  const digest = createHash('sha256').update('countersign.key.v1\n').update(bytes).digest();
  return { id: digest.toString('hex', 0, KEY_ID_BYTES), bytes, object: createSecretKey(bytes) };
}

/** Layout: format, id of the key, nonce, ciphertext, tag. `owner` is bound in: the bytes are of no use anywhere else. */
export function seal(plain: Uint8Array, key: Key, owner: string, randomBytes: RandomBytes): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key.object, nonce).setAAD(Buffer.from(owner, 'utf8'));
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([Buffer.of(FORMAT), Buffer.from(key.id, 'hex'), nonce, body, cipher.getAuthTag()]);
}

/** The id of the key that it was sealed under; undefined for bytes of another form. */
export function keyIdOf(sealed: Uint8Array): string | undefined {
  if (sealed[0] !== FORMAT || sealed.length < HEAD_BYTES + TAG_BYTES) return undefined;
  return bufferOf(sealed).toString('hex', 1, 1 + KEY_ID_BYTES);
}

/** Undefined where the bytes were changed, or belong to another owner or key. */
export function open(sealed: Uint8Array, key: Key, owner: string): Buffer | undefined {
  const bytes = bufferOf(sealed);
  const decipher = createDecipheriv('aes-256-gcm', key.object, bytes.subarray(1 + KEY_ID_BYTES, HEAD_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(owner, 'utf8')).setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(HEAD_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    // Why is not told apart on purpose: each means that these are not the bytes that were stored here.
    return undefined;
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
