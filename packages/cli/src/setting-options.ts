/** Flags from the table of settings, so that help, variables and file never differ. */
import { ALL_OPTIONS, type OptionName, type Option as Row } from '@countersign/server/platform/config/options.ts';
import type { SettingsInput } from '@countersign/server/platform/config/sources.ts';
import { type Command, Option } from 'commander';

/** Where the data is: what commands without a server need to know. */
export const DATA_OPTIONS: readonly OptionName[] = [
  'data-dir',
  'database-url',
  'blob-store',
  'master-key-file',
  'master-key-command',
  'checkpoint-key-file',
  'config',
  'backend-store-uri',
  'artifacts-destination',
];

/** Adds the named settings, or all. Values stay texts, defaults stay the table's: a flag that wasn't given must not hide a variable. */
export function addSettings(command: Command, names?: readonly OptionName[]): Command {
  for (const row of ALL_OPTIONS) {
    if (names && !names.includes(row.name)) continue;
    command.addOption(toOption(row));
    if ((row as Row).negatable) command.addOption(new Option(`--no-${row.name}`, 'The opposite.'));
  }
  return command;
}

function toOption(row: Row): Option {
  const short = row.short ? `-${row.short}, ` : '';
  const option = new Option(`${short}--${row.name}${row.argument ? ` <${row.argument}>` : ''}`, describe(row));
  return row.refused || (row.ignored && row.name !== 'workers') ? option.hideHelp() : option;
}

function describe(row: Row): string {
  const details = [
    row.default === undefined || (row.argument === undefined && row.default === 'false') ? undefined : `default: ${row.default}`,
    row.variables.length > 0 ? row.variables.join(', ') : undefined,
  ].filter((each) => each !== undefined);
  const about = row.ignored ? `Ignored: ${row.ignored}.` : row.about;
  return details.length > 0 ? `${about} [${details.join('; ')}]` : about;
}

/** What commander read, by the table's names. */
export function settingsInput(command: Command): SettingsInput {
  const flags: Record<string, string | boolean | undefined> = {};
  for (const row of ALL_OPTIONS) {
    const key = row.name.replace(/-([a-z])/g, (_all, letter: string) => letter.toUpperCase());
    // A negatable switch is true by commander's own default.
    if (command.getOptionValueSource(key) === 'cli') flags[row.name] = command.getOptionValue(key) as string | boolean; // texts and switches only
  }
  return { flags, env: process.env, workingDirectory: process.cwd() };
}
