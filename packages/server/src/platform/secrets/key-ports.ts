/** Where master keys come from: what each source answers, and what a service that keeps them does. */
import type { Key } from './sealing.ts';

export interface MasterKeys {
  /** In words, for messages: `the file /srv/master.key`. */
  readonly origin: string;
  /** The operator gives each key himself; `add` refuses. */
  readonly isGiven: boolean;
  /** Newest first; empty before the first use. */
  list(): readonly Key[];
  /** Under which new things are stored. Where the keys lie in a file, the first one is made here. */
  current(): Key;
  find(id: string): Key | undefined;
  /** Reads them again where they may have changed: another process may have added one. INVALID_STATE where they can't be read. */
  refresh(): Promise<void>;
  /** Makes a new current key, durably. INVALID_STATE where the operator gives the keys himself. */
  add(): Promise<Key>;
}

/** A service that keeps keys, and gives none away: it encrypts and decrypts small things. */
export interface KeyService {
  /** Encrypts 32 bytes. The answer says by itself under which key of the service. */
  wrap(key: Uint8Array): Promise<Buffer>;
  /** Fails for what it didn't wrap. */
  unwrap(wrapped: Uint8Array): Promise<Buffer>;
}
