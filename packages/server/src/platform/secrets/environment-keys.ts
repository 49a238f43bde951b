/** Master keys from the environment, where the operator's secret store puts them. */
import { invalid, Problem } from '@countersign/contract/problem.ts';
import type { MasterKeys } from './key-ports.ts';
import { KEY_BYTES, type Key, toKey } from './sealing.ts';

const VARIABLE = 'COUNTERSIGN_MASTER_KEY';

/** INVALID_PARAMETER_VALUE for anything but keys; the message names no value. */
export function openEnvironmentKeys(text: string): MasterKeys {
  const keys = text
    .split(/[\s,]+/)
    .filter((each) => each !== '')
    .map(readKey);
  const [newest] = keys;
  if (newest === undefined) throw invalid(`${VARIABLE} holds no key. Give ${KEY_BYTES} random bytes in base64: openssl rand -base64 32.`);
  return {
    origin: `the variable ${VARIABLE}`,
    isGiven: true,
    list: () => keys,
    current: () => newest,
    find: (id) => keys.find((key) => key.id === id),
    refresh: async () => {},
    add: async () => {
      throw new Problem(
        'INVALID_STATE',
        `The master keys come from ${VARIABLE}, so the new one does too: put it before the old one (new,old), start every server with both, then rotate.`,
      );
    },
  };
}

function readKey(text: string, index: number): Key {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === KEY_BYTES) return toKey(bytes);
  throw invalid(
    `Key ${index + 1} in ${VARIABLE} must be ${KEY_BYTES} bytes in base64, and is ${bytes.length}. Make one with: openssl rand -base64 32.`,
  );
}
