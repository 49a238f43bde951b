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
