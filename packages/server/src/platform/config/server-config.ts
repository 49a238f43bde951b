/** Settings → what the server runs with. Everything that can't be honoured is refused here, with a sentence, before anything is touched. */
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { invalid } from '@countersign/contract/problem.ts';
import type { TlsFiles } from '../http/tls-pair.ts';
import type { KeyConfig } from '../secrets/master-keys.ts';
import { SIGNING_KEY_VARIABLE, type SigningKeyConfig } from '../secrets/signing-keys.ts';
import { type DatabasePlace, localFolderOf, readDatabaseUrl } from './locations.ts';
import { ALL_OPTIONS, type Option, type OptionName } from './options.ts';
import { ORIGINS, readSettings, type Setting, type Settings, type SettingsInput } from './sources.ts';

export interface ServerConfig {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Undefined: plain HTTP. */
  readonly tls: TlsFiles | undefined;
  /** Absolute http(s) URL without query and without a slash at its end: where people and CI jobs reach the server. */
  readonly publicUrl: string | undefined;
  /** Absolute. */
  readonly dataDir: string;
  readonly database: DatabasePlace;
  /** Absolute. */
  readonly blobDir: string;
  /** Where the keys are that everything encrypted at rest hangs on. Secret: never in a log. */
  readonly masterKeys: KeyConfig;
  /** Where the operator keeps the key that signs checkpoints, if he does. Secret: never in a log. */
  readonly checkpointKeys: SigningKeyConfig;
  /** Below which experiments get their artifact location: `mlflow-artifacts:/`, an absolute folder or another URI. */
  readonly artifactRoot: string;
  /** Folders of `file:` locations that the server may read. Absolute. */
  readonly fileRoots: readonly string[];
  readonly serves: 'all' | 'artifacts' | 'all-but-artifacts';
  readonly guards: GuardConfig;
  readonly accounts: AccountConfig;
  /** '' or '/…' without a slash at its end. */
  readonly staticPrefix: string;
  readonly webhooks: WebhookConfig;
  readonly logLevel: LogLevel;
  readonly searchTimeoutMs: number;
  /** False: everything is in the default one. */
  readonly hasWorkspaces: boolean;
  /** For the log: which settings are ignored, and why. */
  readonly notes: readonly string[];
}

export interface AccountConfig {
  /** The start is refused without any, on loopback too. */
  readonly demanded: boolean;
  /** Made at a start without accounts. Its password is secret: never in a log. */
  readonly firstAdmin: FirstAdmin | undefined;
}

export interface FirstAdmin {
  readonly name: string;
  readonly password: string;
}

export interface GuardConfig {
  /** False: neither Host nor Origin is looked at. */
  readonly enabled: boolean;
  /**
   * Patterns with `*`; undefined for MLflow's default. Any where the server listens beyond loopback, which takes accounts: what a page gets by
   * pointing a name of its own at the server (DNS rebinding) is the address, not the credentials.
   */
  readonly allowedHosts: readonly string[] | undefined;
  readonly allowedOrigins: readonly string[];
  /** The Host header of whoever comes by the public URL; allowed in any case. */
  readonly publicHost?: string | undefined;
  /** Undefined: the header is not sent. */
  readonly frameOptions: 'SAMEORIGIN' | 'DENY' | undefined;
}

export interface WebhookConfig {
  readonly urls: {
    /** Lower case. */
    readonly schemes: readonly string[];
    /** True: receivers may be at addresses that are not the public internet's. */
    readonly allowPrivate: boolean;
  };
  readonly retriesMax: number;
  readonly timeoutMs: number;
}

const LOG_LEVELS = { debug: 'debug', info: 'info', warning: 'warn', warn: 'warn', error: 'error', critical: 'error' } as const;
export type LogLevel = (typeof LOG_LEVELS)[keyof typeof LOG_LEVELS];

export async function readServerConfig(input: SettingsInput): Promise<ServerConfig> {
  return toServerConfig(await readSettings(input), {
    masterKey: input.env.COUNTERSIGN_MASTER_KEY || undefined,
    checkpointKey: input.env[SIGNING_KEY_VARIABLE] || undefined,
    firstAdmin: readFirstAdmin(input.env),
  });
}

/** What has no flag, which everybody on the machine could read. */
export interface Secrets {
  readonly masterKey: string | undefined;
  readonly checkpointKey: string | undefined;
  readonly firstAdmin: FirstAdmin | undefined;
}

export function toServerConfig(settings: Settings, { masterKey, checkpointKey, firstAdmin }: Secrets): ServerConfig {
  const notes = judgeForeign(settings);
  const text = (name: OptionName): string => settings.get(name)?.value ?? '';
  const isOn = (name: OptionName): boolean => readSwitch(settings.get(name));
  const host = text('host');
  const dataDir = folder(settings.get('data-dir')) ?? '';
  const database = chooseDatabase(settings) ?? { kind: 'sqlite', file: join(dataDir, 'countersign.db') };
  const blobs = strongest(settings, ['blob-store', 'artifacts-destination']);
  const blobDir = blobs ? localFolderOf(blobs) : join(dataDir, 'blobs');
  const serves = isOn('artifacts-only') ? 'artifacts' : isOn('serve-artifacts') ? 'all' : 'all-but-artifacts';
  if (serves === 'artifacts' && !isOn('serve-artifacts')) {
    throw invalid('--artifacts-only and --no-serve-artifacts leave nothing to serve. Leave one of them out.');
  }
  const artifactRoot = chooseArtifactRoot(settings.get('default-artifact-root'), serves);
  const publicUrl = readPublicUrl(settings.get('public-url'));
  return {
    host,
    port: wholeNumber(settings.get('port'), 0, 65_535),
    tls: readTlsFiles(settings),
    publicUrl,
    dataDir,
    database,
    blobDir,
    masterKeys: readMasterKeys(settings, dataDir, masterKey),
    checkpointKeys: readCheckpointKeys(settings, checkpointKey),
    artifactRoot: artifactRoot.uri,
    fileRoots: [artifactRoot.folder, settings.has('artifacts-destination') ? blobDir : undefined].filter((each) => each !== undefined),
    serves,
    guards: {
      enabled: !isOn('disable-security-middleware'),
      allowedHosts: settings.has('allowed-hosts') ? list(text('allowed-hosts')) : isLoopback(host) ? undefined : ['*'],
      // Forms of the server's own pages come from there.
      allowedOrigins: [...list(text('cors-allowed-origins')), ...(publicUrl === undefined ? [] : [new URL(publicUrl).origin])],
      publicHost: publicUrl === undefined ? undefined : new URL(publicUrl).host,
      frameOptions: readFrameOptions(settings.get('x-frame-options')),
    },
    accounts: { demanded: readAppName(settings.get('app-name')), firstAdmin },
    staticPrefix: readPrefix(text('static-prefix')),
    webhooks: readWebhooks(settings),
    logLevel: isOn('dev') ? 'debug' : readLogLevel(settings.get('log-level')),
    searchTimeoutMs: wholeNumber(settings.get('search-timeout-ms'), 1, 3_600_000),
    hasWorkspaces: readWorkspaces(settings),
    notes,
  };
}

function readTlsFiles(settings: Settings): TlsFiles | undefined {
  const certificate = folder(settings.get('tls-certificate'));
  const key = folder(settings.get('tls-key'));
  const keyPassphrase = folder(settings.get('tls-key-passphrase-file'));
  if (certificate !== undefined && key !== undefined) return { certificate, key, keyPassphrase };
  const given = (['tls-certificate', 'tls-key', 'tls-key-passphrase-file'] as const).find((name) => settings.has(name));
  if (given === undefined) return undefined;
  throw invalid(
    `${settings.get(given)?.spelling} alone gives no TLS. Name the certificate by --tls-certificate and its key by --tls-key, or leave all of them out.`,
  );
}

function readPublicUrl(setting: Setting | undefined): string | undefined {
  if (setting === undefined) return undefined;
  const url = URL.canParse(setting.value) ? new URL(setting.value) : undefined;
  const isPlain = url && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && !/[?#]/.test(setting.value);
  if (isPlain) return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
  throw invalid(
    `${setting.spelling} must be an absolute URL without user, query and fragment, as in https://registry.example, got '${setting.value.replace(/\/\/[^/@]*@/, '//…@')}'.`,
  );
}

function readMasterKeys(settings: Settings, dataDir: string, fromEnvironment: string | undefined): KeyConfig {
  const given = settings.get('master-key-file') ?? settings.get('master-key-command');
  if (fromEnvironment !== undefined && given !== undefined) {
    throw invalid(`COUNTERSIGN_MASTER_KEY and ${given.spelling} are two places for the master key. Leave one of them out.`);
  }
  return {
    file: folder(settings.get('master-key-file')) ?? join(dataDir, 'master.key'),
    fromEnvironment,
    command: settings.get('master-key-command')?.value,
  };
}

function readCheckpointKeys(settings: Settings, fromEnvironment: string | undefined): SigningKeyConfig {
  const given = settings.get('checkpoint-key-file');
  if (fromEnvironment !== undefined && given !== undefined)
    throw invalid(`${SIGNING_KEY_VARIABLE} and ${given.spelling} are two places for the key of the checkpoints. Leave one of them out.`);
  return { file: folder(given), fromEnvironment };
}

function readWorkspaces(settings: Settings): boolean {
  const [on, off] = [settings.get('enable-workspaces'), settings.get('disable-workspaces')];
  if (on && off && readSwitch(on) && readSwitch(off)) {
    throw invalid(`${on.spelling} and ${off.spelling} say the opposite of each other. Leave one of them out.`);
  }
  return on === undefined ? !readSwitch(off) : readSwitch(on);
}

/** MLflow's application names are those of its plugins; one asks for accounts. */
function readAppName(setting: Setting | undefined): boolean {
  if (setting === undefined) return false;
  if (setting.value === 'basic-auth') return true;
  throw invalid(`${setting.spelling} must be basic-auth, got '${setting.value}': other applications are plugins of MLflow's server.`);
}

/** Ours before MLflow's, each a pair. */
function readFirstAdmin(env: SettingsInput['env']): FirstAdmin | undefined {
  for (const start of ['COUNTERSIGN_ADMIN', 'MLFLOW_AUTH_ADMIN']) {
    const [name, password] = [env[`${start}_USERNAME`], env[`${start}_PASSWORD`]];
    if (!name && !password) continue;
    if (name && password) return { name, password };
    throw invalid(`${start}_USERNAME and ${start}_PASSWORD make the first administrator together. Give both or neither.`);
  }
  return undefined;
}

function readWebhooks(settings: Settings): WebhookConfig {
  const setting = settings.get('webhook-allowed-schemes');
  const schemes = list(setting?.value.toLowerCase() ?? '');
  if (schemes.length === 0 || schemes.some((each) => each !== 'https' && each !== 'http')) {
    throw invalid(`${setting?.spelling} must be https, http or both by comma, got '${setting?.value}'.`);
  }
  return {
    urls: { schemes, allowPrivate: readSwitch(settings.get('webhook-allow-private-ips')) },
    retriesMax: wholeNumber(settings.get('webhook-retries-max'), 0, 100),
    timeoutMs: wholeNumber(settings.get('webhook-timeout'), 1, 300) * 1000,
  };
}

/** Ignored options, as sentences; throws for those that are refused. */
function judgeForeign(settings: Settings): string[] {
  const notes: string[] = [];
  for (const option of ALL_OPTIONS as readonly (Option & { name: OptionName })[]) {
    const setting = settings.get(option.name);
    if (setting === undefined) continue;
    if (option.argument === undefined && option.default === undefined && !readSwitch(setting)) continue;
    if (option.refused) throw invalid(`${setting.spelling} can't be honoured. ${option.refused}`);
    if (option.ignored) notes.push(`${setting.spelling} is ignored: ${option.ignored}`);
  }
  return notes;
}

function chooseDatabase(settings: Settings): DatabasePlace | undefined {
  const chosen = strongest(settings, ['database-url', 'backend-store-uri']);
  const registry = settings.get('registry-store-uri');
  if (registry && registry.value !== chosen?.value) {
    throw invalid(
      `${registry.spelling} names another database than --database-url: runs and models share one here. Leave it out or name the same.`,
    );
  }
  return chosen && readDatabaseUrl(chosen);
}

/** Of two names for one thing: that of the stronger origin. */
function strongest(settings: Settings, names: readonly [OptionName, OptionName]): Setting | undefined {
  const [ours, theirs] = names.map((name) => settings.get(name));
  if (ours === undefined || theirs === undefined) return ours ?? theirs;
  if (ours.origin === theirs.origin && ours.value !== theirs.value) {
    throw invalid(`${ours.spelling} and ${theirs.spelling} name different places for the same thing. Leave one of them out.`);
  }
  return ORIGINS.indexOf(theirs.origin) > ORIGINS.indexOf(ours.origin) ? theirs : ours;
}

/** MLflow's server without artifact serving keeps them in ./mlruns. */
function chooseArtifactRoot(setting: Setting | undefined, serves: ServerConfig['serves']): { uri: string; folder?: string } {
  if (setting === undefined && serves !== 'all-but-artifacts') return { uri: 'mlflow-artifacts:/' };
  const { value, base } = setting ?? { value: './mlruns', base: process.cwd() };
  if (/^[a-z][a-z0-9+.-]+:/i.test(value) && !/^file:/i.test(value)) return { uri: value };
  const path = localFolderOf({ value, base, spelling: setting?.spelling ?? '--default-artifact-root' });
  return { uri: /^file:/i.test(value) ? pathToFileURL(path).href : path, folder: path };
}

function folder(setting: Setting | undefined): string | undefined {
  return setting && resolve(setting.base, setting.value);
}

/** `localhost`, `::1` and all of 127.0.0.0/8. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

function readSwitch(setting: Setting | undefined): boolean {
  if (setting === undefined) return false;
  const value = setting.value.trim().toLowerCase();
  if (['true', '1', 'yes', 'on', 't', 'y'].includes(value)) return true;
  if (['false', '0', 'no', 'off', 'f', 'n'].includes(value)) return false;
  throw invalid(`${setting.spelling} must be true or false, got '${setting.value}'.`);
}

function wholeNumber(setting: Setting | undefined, least: number, most: number): number {
  const value = setting?.value.trim() ?? '';
  const number = Number(value);
  if (/^\d{1,9}$/.test(value) && number >= least && number <= most) return number;
  throw invalid(`${setting?.spelling} must be a whole number from ${least} to ${most}, got '${value}'.`);
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

function readFrameOptions(setting: Setting | undefined): GuardConfig['frameOptions'] {
  const value = setting?.value.trim().toUpperCase();
  if (value === 'SAMEORIGIN' || value === 'DENY') return value;
  if (value === 'NONE') return undefined;
  throw invalid(`${setting?.spelling} must be SAMEORIGIN, DENY or NONE, got '${setting?.value}'.`);
}

function readPrefix(text: string): string {
  if (text === '') return '';
  if (/^(\/[\w.~-]+)+$/.test(text)) return text;
  throw invalid(`--static-prefix must begin with a '/', not end with one, and hold letters, digits and - . _ ~ only, got '${text}'.`);
}

function readLogLevel(setting: Setting | undefined): LogLevel {
  const value = setting?.value.trim().toLowerCase() ?? '';
  if (Object.hasOwn(LOG_LEVELS, value)) return LOG_LEVELS[value as keyof typeof LOG_LEVELS]; // just asked
  throw invalid(`${setting?.spelling} must be debug, info, warning or error, got '${setting?.value}'.`);
}
