/** Texts encrypted at rest (AES-256-GCM) under a key that is a file of its own, made at first use and readable by its owner only. */
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { Problem } from '@countersign/contract/problem.ts';

const FORMAT = 1;
const KEY_BYTES = 32;
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES;

export interface SecretBox {
  /** Layout: format, id of the key, nonce, ciphertext, tag. `owner` is bound in: the bytes are of no use in another row. */
  seal(text: string, owner: string): Buffer;
  /** INVALID_STATE where the key is another one, or the bytes were changed. */
  open(sealed: Uint8Array, owner: string): string;
}

export function createSecretBox(options: { keyFile: string; randomBytes: (size: number) => Buffer }): SecretBox {
  let known: Buffer | undefined;
  const key = (mayMake: boolean): Buffer => {
    known ??= readKey(options.keyFile) ?? (mayMake ? makeKey(options.keyFile, options.randomBytes) : undefined);
    if (known === undefined) throw unreadable(options.keyFile, 'the file is not there');
    return known;
  };
  return {
    seal: (text, owner) => {
      const nonce = options.randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key(true), nonce).setAAD(Buffer.from(owner, 'utf8'));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([Buffer.of(FORMAT), keyId(key(true)), nonce, body, cipher.getAuthTag()]);
    },
    open: (sealed, owner) => {
      const bytes = Buffer.from(sealed);
      if (bytes[0] !== FORMAT || bytes.length < HEAD_BYTES + TAG_BYTES) throw unreadable(options.keyFile, 'the stored form is unknown');
      if (!bytes.subarray(1, 1 + KEY_ID_BYTES).equals(keyId(key(false)))) {
        throw unreadable(options.keyFile, 'it was stored under another key');
      }
      const decipher = createDecipheriv('aes-256-gcm', key(false), bytes.subarray(1 + KEY_ID_BYTES, HEAD_BYTES));
      decipher.setAAD(Buffer.from(owner, 'utf8')).setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        return Buffer.concat([decipher.update(bytes.subarray(HEAD_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8');
      } catch (error) {
        throw unreadable(options.keyFile, 'the stored bytes were changed', error);
      }
    },
  };
}

function keyId(key: Buffer): Buffer {
  return createHash('sha256').update('countersign.secret-box.key\n').update(key).digest().subarray(0, KEY_ID_BYTES);
}

function readKey(file: string): Buffer | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unreadable(file, `the file can't be read: ${(error as Error).message}`, error);
  }
  const key = Buffer.from(text, 'base64');
  if (key.length !== KEY_BYTES) throw unreadable(file, `it must hold ${KEY_BYTES} bytes in base64, and holds ${key.length}`);
  return key;
}

/** Written aside and linked, so that nobody reads half a key and of two processes one wins. */
function makeKey(file: string, randomBytes: (size: number) => Buffer): Buffer {
  const aside = `${file}.${randomBytes(8).toString('hex')}`;
  writeFileSync(aside, `${randomBytes(KEY_BYTES).toString('base64')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    linkSync(aside, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(aside);
  }
  return readKey(file) ?? makeKey(file, randomBytes);
}

function unreadable(file: string, why: string, cause?: unknown): Problem {
  return new Problem(
    'INVALID_STATE',
    `A stored secret can't be read with the key in ${file}: ${why}. Put the right key file there, or set the secret again.`,
    { cause },
  );
}
