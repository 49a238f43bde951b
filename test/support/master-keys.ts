/** Master keys in a file of the test's own. */
import { systemClock } from '@countersign/server/platform/context.ts';
import { type MasterKeys, openMasterKeys } from '@countersign/server/platform/secrets/master-keys.ts';
import { createSecretBox, type SecretBox } from '@countersign/server/platform/secrets/secret-box.ts';

export function keysInFile(file: string): MasterKeys {
  return openMasterKeys({ file, fromEnvironment: undefined, command: undefined }, systemClock.randomBytes);
}

export function secretBox(file: string): SecretBox {
  return createSecretBox(keysInFile(file), systemClock.randomBytes);
}
