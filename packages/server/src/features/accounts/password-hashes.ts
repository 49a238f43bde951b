/** Passwords at rest: argon2id (RFC 9106), by Node's own implementation (OpenSSL). Parameters stand in the hash, so they can be raised. */
import { type Argon2Parameters, argon2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(argon2);
/** The first choice of the OWASP password storage cheat sheet for argon2id: 19 MiB, two passes. */
const COST = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 } as const;
export const SALT_BYTES = 16;
/** So many hashes at once: each takes its memory and a thread. */
const AT_ONCE_MAX = 2;

/** `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>`, the usual form. `salt`: 16 random bytes. */
export async function hashPassword(password: string, salt: Buffer): Promise<string> {
  const tag = await compute(password, salt, COST);
  return `$argon2id$v=19$m=${COST.memory},t=${COST.passes},p=${COST.parallelism}$${base64(salt)}$${base64(tag)}`;
}

/** Takes as long for an account without password as for one with it. */
export async function verifyPassword(password: string, hash: string | null): Promise<boolean> {
  const parsed = hash === null ? undefined : parse(hash);
  const { cost, salt, tag } = parsed ?? NOBODY;
  const same = timingSafeEqual(await compute(password, salt, cost), tag);
  return same && parsed !== undefined;
}

interface Cost {
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
  readonly tagLength: number;
}

/** What a password is held against where there is none: it costs the same, and nothing comes out of it. */
const NOBODY = { cost: COST, salt: Buffer.alloc(SALT_BYTES), tag: Buffer.alloc(COST.tagLength) };

function parse(hash: string): { cost: Cost; salt: Buffer; tag: Buffer } | undefined {
  const [, memory, passes, parallelism, salt, tag] = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/.exec(hash) ?? [];
  if (salt === undefined || tag === undefined) return undefined;
  const tagBytes = Buffer.from(tag, 'base64');
  const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism), tagLength: tagBytes.length };
  return { cost, salt: Buffer.from(salt, 'base64'), tag: tagBytes };
}

let running = 0;
const waiting: (() => void)[] = [];

async function compute(password: string, nonce: Buffer, cost: Cost): Promise<Buffer> {
  if (running >= AT_ONCE_MAX) await new Promise<void>((resume) => waiting.push(resume));
  else running += 1;
  try {
    const parameters: Argon2Parameters = { ...cost, nonce, message: password.normalize('NFC') };
    return (await derive('argon2id', parameters)) as Buffer; // promisify loses the callback's type
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
