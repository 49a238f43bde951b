/** How events are hashed. Pure; these formats are on disk for ever. */
import { createHash } from 'node:crypto';

export type EventFact = string | number | boolean | null | readonly EventFact[] | { readonly [key: string]: EventFact };
export type EventFacts = { readonly [key: string]: EventFact };

/** The `prev` of event 1: SHA-256 of the server's random id. */
export function firstPrevious(serverId: string): Buffer {
  return createHash('sha256').update(serverId, 'utf8').digest();
}

/** SHA-256("countersign.event.v1\n" ‖ seq, 8 bytes big-endian ‖ prev, 32 bytes ‖ body, UTF-8). */
export function chainHash(seq: number, previous: Uint8Array, body: string): Buffer {
  const position = Buffer.alloc(8);
  position.writeBigUInt64BE(BigInt(seq));
  return createHash('sha256').update('countersign.event.v1\n').update(position).update(previous).update(body, 'utf8').digest();
}

/** Binds an event to a text that can be erased later: SHA-256(salt ‖ text). */
export function commitment(salt: Uint8Array, text: string): string {
  return createHash('sha256').update(salt).update(text, 'utf8').digest('hex');
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
  for (const name of Object.keys(fact).sort()) {
    const value = fact[name];
    // JavaScript moves numbers before all other names, and assigning to this one makes no member.
    if (/^\d|^__proto__$/.test(name)) throw new TypeError(`an event can't name a fact '${name}'`);
    if (value !== undefined) ordered[name] = inOrder(value);
  }
  return ordered;
}

function isList(fact: object): fact is readonly EventFact[] {
  return Array.isArray(fact);
}
