/** Keys of key domains: each encrypts the keys of its domain's blobs, and is itself stored wrapped by the master key. */
import { Problem } from '@countersign/contract/problem.ts';
import type { MasterKeys } from '../secrets/master-keys.ts';
import { KEY_BYTES, type Key, keyIdOf, open, type RandomBytes, seal, toKey } from '../secrets/sealing.ts';
import type { DomainKey } from './blob-store.ts';

/** Bound into what is wrapped, so that it can't stand in for a secret. */
export const DOMAIN_KEY_OWNER = 'countersign.domain-key';
/** Unwrapped ones kept in memory; beyond it all are asked for again. */
const KNOWN_MAX = 10_000;

export class DomainKeys {
  readonly #master: MasterKeys;
  readonly #randomBytes: RandomBytes;
  readonly #known = new Map<string, Key>();

  constructor(master: MasterKeys, randomBytes: RandomBytes) {
    this.#master = master;
    this.#randomBytes = randomBytes;
  }

  make(): DomainKey {
    const key = toKey(this.#randomBytes(KEY_BYTES));
    return { id: key.id, wrapped: seal(key.bytes, this.#master.current(), DOMAIN_KEY_OWNER, this.#randomBytes) };
  }

  /** INVALID_STATE where its master key isn't here, or the stored bytes were changed. */
  async open({ id, wrapped }: DomainKey): Promise<Key> {
    const known = this.#known.get(id);
    if (known) return known;
    const masterId = keyIdOf(wrapped) ?? 'of an unknown form';
    if (this.#master.find(masterId) === undefined) await this.#master.refresh();
    const master = this.#master.find(masterId);
    if (master === undefined) {
      throw new Problem(
        'INVALID_STATE',
        `These artifacts are encrypted, and the master key ${masterId} is not in ${this.#master.origin}. Put it there; nothing else can read them.`,
      );
    }
    const bytes = open(wrapped, master, DOMAIN_KEY_OWNER);
    const key = bytes && toKey(bytes);
    if (key?.id !== id)
      throw new Problem('INVALID_STATE', `The stored key ${id} of encrypted artifacts was changed. Restore it from a backup.`);
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(id, key);
    return key;
  }
}
