/** Texts encrypted at rest under the master key: secrets of webhooks, of identity providers. */
import { Problem } from '@countersign/contract/problem.ts';
import type { MasterKeys } from './master-keys.ts';
import { keyIdOf, open, type RandomBytes, seal } from './sealing.ts';

export interface SecretBox {
  /** `owner` is bound in: the bytes are of no use in another row. */
  seal(text: string, owner: string): Buffer;
  /** INVALID_STATE where the key is another one, or the bytes were changed. */
  open(sealed: Uint8Array, owner: string): string;
}

export function createSecretBox(keys: MasterKeys, randomBytes: RandomBytes): SecretBox {
  return {
    seal: (text, owner) => seal(Buffer.from(text, 'utf8'), keys.current(), owner, randomBytes),
    open: (sealed, owner) => {
      const id = keyIdOf(sealed);
      if (id === undefined) throw unreadable(keys, 'the stored form is unknown');
      const key = keys.find(id);
      if (key === undefined) throw unreadable(keys, `it was stored under another key, ${id}`);
      const plain = open(sealed, key, owner);
      if (plain === undefined) throw unreadable(keys, 'the stored bytes were changed');
      return plain.toString('utf8');
    },
  };
}

function unreadable(keys: MasterKeys, why: string): Problem {
  return new Problem(
    'INVALID_STATE',
    `A stored secret can't be read with the master keys in ${keys.origin}: ${why}. Put the right key there, or set the secret again.`,
  );
}
