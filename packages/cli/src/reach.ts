/** How a command reaches what it asks: a server that runs, or the data itself. One set of flags for all nouns. */
import { readFileSync } from 'node:fs';
import { invalid } from '@countersign/contract/problem.ts';
import type { OptionName } from '@countersign/server/platform/config/options.ts';
import type { Command } from 'commander';
import type { Caller } from './caller.ts';
import { addSettings, DATA_OPTIONS, settingsInput } from './setting-options.ts';

interface ReachFlags {
  readonly server?: string;
  readonly workspace?: string;
  readonly tokenFile?: string;
  readonly tokenStdin?: boolean;
  readonly passwordStdin?: boolean;
}

export function addReach(command: Command): Command {
  command
    .option('--server <URL>', 'ask a running server [COUNTERSIGN_SERVER, MLFLOW_TRACKING_URI]; without one the data is opened')
    .option('--token-file <FILE>', 'file with the token for it [COUNTERSIGN_TOKEN, MLFLOW_TRACKING_TOKEN hold one]')
    .option('--token-stdin', 'read the token for it from standard input')
    .option('--workspace <NAME>', 'in this workspace [MLFLOW_WORKSPACE]; "default" without it');
  return addSettings(command, DATA_OPTIONS);
}

export interface ReachOptions {
  /** Where there is no data yet, makes it. */
  readonly makesData?: boolean;
}

/** Finds out whom to ask, and does the work. Messages name flags and variables. */
export async function withCaller(command: Command, work: (caller: Caller) => Promise<void>, options: ReachOptions = {}): Promise<void> {
  const flags: ReachFlags = command.opts();
  const { env } = process;
  const workspace = flags.workspace ?? (env.MLFLOW_WORKSPACE || undefined);
  const url = serverOf(command, flags);
  if (url !== undefined) {
    const { httpCaller } = await import('./http-caller.ts');
    const authorization = await authorizationOf(flags);
    const place = { url, authorization, workspace, authorityFile: env.MLFLOW_TRACKING_SERVER_CERT_PATH || undefined };
    const asJob = async (): Promise<Caller | undefined> => {
      const { showAgain } = await import('./job-identity.ts');
      const fresh = await showAgain(place, env);
      return fresh && httpCaller(fresh);
    };
    return work({ ...httpCaller(place), asJob });
  }
  if (flags.tokenFile !== undefined || flags.tokenStdin)
    throw invalid('A token is for a server: name it with --server. Whoever can open the data needs none.');
  const { readServerConfig } = await import('@countersign/server/platform/config/server-config.ts');
  const config = await readServerConfig(settingsInput(command));
  const { withDataCaller } = await import('./data-caller.ts');
  await withDataCaller(config, { workspace, makesData: options.makesData ?? false }, work);
}

/** A flag that names data wins over a variable that names a server. */
function serverOf(command: Command, flags: ReachFlags): string | undefined {
  const dataFlag = DATA_OPTIONS.find((name) => name !== 'config' && command.getOptionValueSource(camel(name)) === 'cli');
  if (flags.server !== undefined) {
    if (dataFlag !== undefined) throw invalid(`--server and --${dataFlag} name two places. Leave one of them out.`);
    return flags.server;
  }
  if (dataFlag !== undefined) return undefined;
  const { COUNTERSIGN_SERVER: own, MLFLOW_TRACKING_URI: upstream } = process.env;
  return own || (upstream && /^https?:/i.test(upstream) ? upstream : undefined);
}

function camel(name: OptionName): string {
  return name.replace(/-([a-z])/g, (_all, letter: string) => letter.toUpperCase());
}

async function authorizationOf(flags: ReachFlags): Promise<string | undefined> {
  if (flags.tokenFile !== undefined && flags.tokenStdin)
    throw invalid('--token-file and --token-stdin name two tokens. Leave one of them out.');
  if (flags.tokenStdin && flags.passwordStdin)
    throw invalid('Standard input holds one secret: give the token by --token-file, or in COUNTERSIGN_TOKEN.');
  if (flags.tokenFile !== undefined) return bearer(readTokenFile(flags.tokenFile), `The file ${flags.tokenFile}`);
  if (flags.tokenStdin) {
    const { readStdinLine } = await import('./secret-input.ts');
    return bearer(await readStdinLine(), 'Standard input');
  }
  const { env } = process;
  if (env.COUNTERSIGN_TOKEN) return bearer(env.COUNTERSIGN_TOKEN, 'COUNTERSIGN_TOKEN');
  // In the order of MLflow's client.
  if (env.MLFLOW_TRACKING_USERNAME && env.MLFLOW_TRACKING_PASSWORD)
    return `Basic ${Buffer.from(`${env.MLFLOW_TRACKING_USERNAME}:${env.MLFLOW_TRACKING_PASSWORD}`, 'utf8').toString('base64')}`;
  return env.MLFLOW_TRACKING_TOKEN ? bearer(env.MLFLOW_TRACKING_TOKEN, 'MLFLOW_TRACKING_TOKEN') : undefined;
}

function bearer(text: string, from: string): string {
  const token = text.trim();
  if (/^[\x21-\x7e]+$/.test(token)) return `Bearer ${token}`;
  throw invalid(`${from} must hold a token and nothing else.`);
}

function readTokenFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw invalid(`The token file ${path} can't be read (${(error as { code?: string }).code ?? 'unknown error'}).`);
  }
}
