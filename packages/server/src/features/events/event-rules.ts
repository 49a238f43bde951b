/** How events are hashed. Pure; these formats are on disk for ever. */
import { hash } from 'node:crypto';

export type EventFact = string | number | boolean | null | readonly EventFact[] | { readonly [key: string]: EventFact };
export type EventFacts = { readonly [key: string]: EventFact };

/** The `prev` of event 1: SHA-256 of the server's random id. */
export function firstPrevious(serverId: string): Buffer {
  return hash('sha256', serverId, 'buffer');
}

const CHAIN_MARK = Buffer.from('countersign.event.v1\n');
const PREVIOUS_AT = CHAIN_MARK.length + 8;
const BODY_AT = PREVIOUS_AT + 32;
/** What is hashed is put together here; larger bodies get a buffer of their own. */
const link = Buffer.alloc(BODY_AT + 4096);
CHAIN_MARK.copy(link);

/** SHA-256("countersign.event.v1\n" ‖ seq, 8 bytes big-endian ‖ prev, 32 bytes ‖ body, UTF-8). */
export function chainHash(seq: number, previous: Uint8Array, body: string): Buffer {
  const end = BODY_AT + Buffer.byteLength(body);
  const whole = end <= link.length ? link : Buffer.alloc(end);
  if (whole !== link) CHAIN_MARK.copy(whole);
  whole.writeUInt32BE(Math.floor(seq / 2 ** 32), CHAIN_MARK.length);
  whole.writeUInt32BE(seq % 2 ** 32, CHAIN_MARK.length + 4);
  whole.set(previous, PREVIOUS_AT);
  whole.write(body, BODY_AT, 'utf8');
  // Node's own buffers of digests live outside of its heap, and cost twice the hashing.
  return Buffer.from(hash('sha256', whole.subarray(0, end), 'hex'), 'hex');
}

/** Binds an event to a text that can be erased later: SHA-256(salt ‖ text). */
export function commitment(salt: Uint8Array, text: string): string {
  const whole = Buffer.allocUnsafe(salt.length + Buffer.byteLength(text));
  whole.set(salt);
  whole.write(text, salt.length, 'utf8');
  return hash('sha256', whole, 'hex');
}

export const SALT_BYTES = 16;

/**
 * Whether a text is the one that was committed to. Of salt and text together only the whole is hashed: with a salt of another length, the end of one could be
 * the beginning of the other, and half a sentence would be the text.
 */
export function isCommitted(committed: unknown, salt: Uint8Array, text: string): boolean {
  return salt.length === SALT_BYTES && text.isWellFormed() && commitment(salt, text) === committed;
}

/**
 * Facts with their members in the order of RFC 8785, in which JSON.stringify then writes them, numbers and strings as the RFC asks. A general
 * library takes three times as long. Throws TypeError on what has no such form.
 */
export function inOrder(fact: EventFact): EventFact {
  if (typeof fact === 'number' && !Number.isFinite(fact)) throw new TypeError(`${fact} has no JSON form`);
  if (fact === null || typeof fact !== 'object') return fact;
  if (isList(fact)) return fact.map(inOrder);
  const ordered: Record<string, EventFact> = {};
  for (const name of sortedNames(fact)) {
    const value = fact[name];
    // JavaScript moves numbers before all other names, and assigning to this one makes no member.
    if (name === '__proto__' || (name >= '0' && name < ':')) throw new TypeError(`an event can't name a fact '${name}'`);
    if (value !== undefined) ordered[name] = inOrder(value);
  }
  return ordered;
}

/** Most facts are written in order: looking costs less than sorting. By UTF-16 code units, as the RFC asks. */
function sortedNames(fact: object): readonly string[] {
  const names = Object.keys(fact);
  for (let i = 1; i < names.length; i++) if ((names[i - 1] ?? '') > (names[i] ?? '')) return names.sort();
  return names;
}

function isList(fact: object): fact is readonly EventFact[] {
  return Array.isArray(fact);
}
