/** Where each setting comes from: flag > variable > file > default. Texts only; what they mean is server-config.ts' business. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { invalid } from '@countersign/contract/problem.ts';
import { nearest } from './nearest.ts';
import { ALL_OPTIONS, type Option, type OptionName } from './options.ts';

/** The greater, the stronger. */
export const ORIGINS = ['default', 'file', 'variable', 'flag'] as const;
export type Origin = (typeof ORIGINS)[number];

export interface Setting {
  readonly value: string;
  readonly origin: Origin;
  /** As the operator wrote it: `--port`, `MLFLOW_PORT`, `port in /etc/countersign.yaml`. */
  readonly spelling: string;
  /** What relative paths in it start from: the working directory, or the file's folder. */
  readonly base: string;
}

export type Settings = ReadonlyMap<OptionName, Setting>;

export interface SettingsInput {
  /** By name without dashes; switches as booleans. */
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
}

export const FILE_NAME = 'countersign.yaml';

export async function readSettings(input: SettingsInput): Promise<Settings> {
  const file = await readSettingsFile(input);
  const settings = new Map<OptionName, Setting>();
  for (const option of ALL_OPTIONS) {
    const found = fromFlag(option, input) ?? fromVariable(option, input) ?? file.get(option.name) ?? fromDefault(option, input);
    if (found) settings.set(option.name, found);
  }
  return settings;
}

function fromFlag(option: Option, input: SettingsInput): Setting | undefined {
  const value = input.flags[option.name];
  if (value === undefined) return undefined;
  return {
    value: String(value),
    origin: 'flag',
    spelling: `--${value === false ? 'no-' : ''}${option.name}`,
    base: input.workingDirectory,
  };
}

/** An empty variable is an absent one. */
function fromVariable(option: Option, input: SettingsInput): Setting | undefined {
  for (const name of option.variables) {
    const value = input.env[name];
    if (value) return { value, origin: 'variable', spelling: name, base: input.workingDirectory };
  }
  return undefined;
}

function fromDefault(option: Option, input: SettingsInput): Setting | undefined {
  return option.default === undefined
    ? undefined
    : { value: option.default, origin: 'default', spelling: `--${option.name}`, base: input.workingDirectory };
}

async function readSettingsFile(input: SettingsInput): Promise<ReadonlyMap<string, Setting>> {
  const named = input.flags.config ?? (input.env.COUNTERSIGN_CONFIG || undefined);
  const path = typeof named === 'string' ? resolve(input.workingDirectory, named) : findUpward(input.workingDirectory);
  if (path === undefined) return new Map();
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw invalid(`The file of settings ${path} can't be read (${(error as { code?: string }).code ?? 'unknown error'}).`);
  }
  return parseSettingsFile(text, path);
}

function findUpward(start: string): string | undefined {
  for (let folder = start; ; folder = dirname(folder)) {
    const path = join(folder, FILE_NAME);
    if (existsSync(path)) return path;
    if (folder === dirname(folder)) return undefined;
  }
}

async function parseSettingsFile(text: string, path: string): Promise<ReadonlyMap<string, Setting>> {
  // The default export, since a bundle knows no names of a CommonJS module that is loaded on demand.
  const { default: yaml } = await import('yaml');
  let content: unknown;
  try {
    content = yaml.parse(text);
  } catch (error) {
    throw invalid(`${path} is not valid YAML: ${(error as Error).message.split('\n')[0]}`);
  }
  if (content === null || content === undefined) return new Map();
  if (typeof content !== 'object' || Array.isArray(content)) throw invalid(`${path} must hold settings, one in a line: "port: 5001".`);
  const settings = new Map<string, Setting>();
  const names = ALL_OPTIONS.map((option) => option.name).filter((name) => name !== 'config');
  for (const [key, value] of Object.entries(content)) {
    if (!(names as string[]).includes(key)) {
      const guess = nearest(key, names);
      throw invalid(`${path} has a key '${key}', which is no setting.${guess ? ` Did you mean '${guess}'?` : ''}`);
    }
    const texts: unknown[] = Array.isArray(value) ? value : [value];
    if (!texts.every((each) => ['string', 'number', 'boolean'].includes(typeof each))) {
      throw invalid(`'${key}' in ${path} must be a text, a number, true or false, or a list of texts.`);
    }
    settings.set(key, { value: texts.join(','), origin: 'file', spelling: `'${key}' in ${path}`, base: dirname(path) });
  }
  return settings;
}
