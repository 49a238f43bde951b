/** The port to the keys that everything encrypted at rest hangs on. Several may be there during a rotation: the newest seals, all open. */

import { openEnvironmentKeys } from './environment-keys.ts';
import { createCommandService } from './key-command.ts';
import { openKeyFile } from './key-file.ts';
import type { MasterKeys } from './key-ports.ts';
import type { RandomBytes } from './sealing.ts';

export type { MasterKeys } from './key-ports.ts';

export interface KeyConfig {
  /** Absolute. */
  readonly file: string;
  /** Keys in base64, newest first, by comma or white space; then there is no file. */
  readonly fromEnvironment: string | undefined;
  /** The shell command of a key service; then the file holds wrapped keys only. */
  readonly command: string | undefined;
}

/** Reads nothing yet: what needs no key works without one. Whoever serves calls `refresh` first. */
export function openMasterKeys(config: KeyConfig, randomBytes: RandomBytes): MasterKeys {
  if (config.fromEnvironment !== undefined) return openEnvironmentKeys(config.fromEnvironment);
  const service = config.command === undefined ? undefined : createCommandService(config.command);
  return openKeyFile(config.file, service, randomBytes);
}
