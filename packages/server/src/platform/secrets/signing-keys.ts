/** Keys for signing that the operator keeps: Ed25519, from a file or the environment, newest first. Read anew whenever they are needed. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Problem } from '@countersign/contract/problem.ts';

export interface SigningKeyConfig {
  /** Absolute; PEM (PKCS #8), several one after another. */
  readonly file: string | undefined;
  /** The same as PEM, or the base64 inside of it by comma or white space. */
  readonly fromEnvironment: string | undefined;
}

export interface SigningKeys {
  /** In words, for messages. */
  readonly origin: string;
  /** Newest first, at least one. INVALID_STATE where they can't be read. */
  list(): readonly KeyObject[];
}

export const SIGNING_KEY_VARIABLE = 'COUNTERSIGN_CHECKPOINT_KEY';

/** Undefined: the operator keeps none. */
export function openSigningKeys({ file, fromEnvironment }: SigningKeyConfig): SigningKeys | undefined {
  if (fromEnvironment !== undefined) {
    const origin = `the variable ${SIGNING_KEY_VARIABLE}`;
    return { origin, list: () => readKeys(fromEnvironment, origin) };
  }
  if (file === undefined) return undefined;
  const origin = `the file ${file}`;
  return { origin, list: () => readKeys(readText(file, origin), origin) };
}

function readText(file: string, origin: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Problem('INVALID_STATE', `The keys in ${origin} can't be read: ${(error as Error).message}.`, { cause: error });
  }
}

const PEM = /-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END PRIVATE KEY-----/g;

/** The message names no part of a key. */
function readKeys(text: string, origin: string): KeyObject[] {
  const blocks = text.includes('-----') ? [...text.matchAll(PEM)].map((match) => match[1] ?? '') : text.split(/[\s,]+/);
  const keys = blocks.filter((block) => block.trim() !== '').map((block, index) => readKey(block, index, origin));
  if (keys.length > 0) return keys;
  throw new Problem('INVALID_STATE', `There is no key in ${origin}. Make one with: openssl genpkey -algorithm ed25519.`);
}

function readKey(base64: string, index: number, origin: string): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = createPrivateKey({ key: Buffer.from(base64, 'base64'), format: 'der', type: 'pkcs8' });
  } catch {
    // The one refusal below says what is needed.
  }
  if (key?.asymmetricKeyType === 'ed25519') return key;
  throw new Problem(
    'INVALID_STATE',
    `Key ${index + 1} in ${origin} must be an Ed25519 key without passphrase. Make one with: openssl genpkey -algorithm ed25519.`,
  );
}
