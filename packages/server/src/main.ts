/** The process: start, say so, stop on a signal. What it runs with is decided by platform/config. */
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { Problem } from '@countersign/contract/problem.ts';
import type { Logger } from 'pino';
import { createApp, localContext } from './app.ts';
import { openCheckpoints, startCheckpointing } from './features/checkpoints/checkpoints.ts';
import { ensureDefaultExperiment } from './features/experiments/experiments.ts';
import { sweep } from './features/requests/requests.ts';
import { removeEnded } from './features/tokens/tokens.ts';
import { startDelivering } from './features/webhooks/webhooks.ts';
import { checkBeforeOpening, sentenceOnOpenness, settleAccounts } from './first-start.ts';
import { type Ground, openGround } from './ground.ts';
import { KEYS_EVERY_MS } from './key-maintenance.ts';
import { freeBytes, GRACE_MS } from './maintenance.ts';
import { FileRoots } from './platform/blobs/file-roots.ts';
import { ALL_OPTIONS } from './platform/config/options.ts';
import { readServerConfig, type ServerConfig } from './platform/config/server-config.ts';
import { systemClock } from './platform/context.ts';
import { createSearches } from './platform/db/search-runner.ts';
import { stopHttpServer } from './platform/http/server.ts';
import { readTlsPair, type TlsPair } from './platform/http/tls-pair.ts';
import { startRenewingCertificate } from './platform/http/tls-upkeep.ts';
import { startJob } from './platform/jobs/background-job.ts';
import { createSecretBox } from './platform/secrets/secret-box.ts';
import { openSigningKeys } from './platform/secrets/signing-keys.ts';
import { createLog } from './platform/telemetry/log.ts';

/** Requests that take longer are cut when the server stops. */
const DRAIN_MS = 30_000;
/** Bytes that nothing refers to are looked for after the start's rush, then four times a day. */
const GC_FIRST_MS = 10 * 60_000;
const GC_EVERY_MS = 6 * 3_600_000;
/** How late an expiry, or the end of a freeze, may be noticed. */
const SWEEP_EVERY_MS = 30_000;
/** Sessions and tokens of jobs are forgotten so long after their end. */
const ENDED_KEPT_MS = 7 * 86_400_000;

export interface RunningServer {
  /** `http://127.0.0.1:5000`, https with TLS, and the static prefix if there is one. */
  readonly url: string;
  /** Reads the TLS files again; the log says what came of it. Undefined without TLS. */
  readonly renewCertificate: (() => Promise<void>) | undefined;
  /** Takes no more requests, lets running ones end for at most 30 s, closes the database. */
  stop(): Promise<void>;
}

/**
 * Resolves when requests are answered. RESOURCE_CONFLICT for a taken port or folder; see `openGround` for the database's refusals, and
 * `readTlsPair` for those of the certificate. INVALID_STATE where accounts are demanded and there are none.
 */
export async function startServer(config: ServerConfig, log: Logger): Promise<RunningServer> {
  for (const note of config.notes) log.warn(note);
  checkBeforeOpening(config);
  const tls = config.tls && (await readTlsPair(config.tls));
  const ground = await openGround(config, (sentence) => log.info(sentence));
  try {
    return await serve(config, log, ground, tls);
  } catch (error) {
    await ground.close();
    throw error;
  }
}

async function serve(config: ServerConfig, log: Logger, ground: Ground, tls: TlsPair | undefined): Promise<RunningServer> {
  const { database, searchTimeoutMs, artifactRoot } = config;
  const { db, blobs, masterKeys, close } = ground;
  const searches = createSearches({ db, file: database.kind === 'sqlite' ? database.file : undefined, timeoutMs: searchTimeoutMs });
  await masterKeys.refresh();
  const secrets = createSecretBox(masterKeys, systemClock.randomBytes);
  const checkpoints = openCheckpoints({ secrets, givenKeys: openSigningKeys(config.checkpointKeys) });
  const webhooks = { ...config.webhooks, secrets, newestCheckpoint: checkpoints.newestLine };
  const fileRoots = new FileRoots(config.fileRoots);
  const parts = { db, searches, blobs, artifactRoot, fileRoots, webhooks, checkpoints, config, log, tls };
  const ctx = localContext(parts);
  const hasAccounts = await settleAccounts(ctx, config, log);
  await ensureDefaultExperiment(ctx, artifactRoot);
  const server = createApp(parts);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(error, config)));
    server.listen(config.port, config.host.replace(/^\[|\]$/g, ''), resolve);
  });
  server.on('error', (error) => log.error({ err: error }, 'the listening socket failed'));
  const certificate = startRenewingCertificate(server, config.tls, tls, log);
  const gc = startJob({
    firstAfterMs: GC_FIRST_MS,
    everyMs: GC_EVERY_MS,
    run: async () => log.info(await freeBytes(ctx, GRACE_MS), 'freed what nothing refers to'),
    onError: (error) => log.error({ err: error }, 'freeing what nothing refers to failed; it is tried again'),
  });
  const sweeping = startJob({
    firstAfterMs: SWEEP_EVERY_MS,
    everyMs: SWEEP_EVERY_MS,
    run: () => sweep(ctx),
    onError: (error) => log.error({ err: error }, 'looking after open requests failed; it is tried again'),
  });
  const ended = startJob({
    firstAfterMs: GC_FIRST_MS,
    everyMs: GC_EVERY_MS,
    run: async () => void (await removeEnded(ctx, systemClock.now() - ENDED_KEPT_MS)),
    onError: (error) => log.error({ err: error }, 'forgetting ended sessions failed; it is tried again'),
  });
  const keys = startJob({
    firstAfterMs: KEYS_EVERY_MS,
    everyMs: KEYS_EVERY_MS,
    run: () => masterKeys.refresh(),
    onError: (error) => log.error({ err: error }, 'the master keys can not be read again; those in memory stay in use'),
  });
  const checkpointing = startCheckpointing(ctx, checkpoints, (error) => {
    log.error({ err: error }, 'no checkpoint of the record can be made; it is tried again');
  });
  const deliverer = await startDelivering(ctx, webhooks, {
    onError: (error) => log.error({ err: error }, 'calling webhooks failed; it is tried again'),
    onFailure: (failure) => log.warn(failure, 'a webhook was not reached, and the call was given up'),
  });
  const url = `${tls ? 'https' : 'http'}://${addressOf(server.address() as AddressInfo)}${config.staticPrefix}`; // it listens on TCP
  if (!hasAccounts) log.warn(sentenceOnOpenness(url));
  return {
    url,
    renewCertificate: certificate?.now,
    stop: async () => {
      await Promise.all([
        stopHttpServer(server, DRAIN_MS),
        gc.stop(),
        sweeping.stop(),
        ended.stop(),
        keys.stop(),
        checkpointing.stop(),
        deliverer.stop(),
        certificate?.stop(),
      ]);
      await searches.close();
      await close();
    },
  };
}

function addressOf({ address, family, port }: AddressInfo): string {
  return `${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

function cannotListen(error: Error & { code?: string }, { host, port }: ServerConfig): Error {
  if (error.code === 'EADDRINUSE') {
    return new Problem(
      'RESOURCE_CONFLICT',
      `Port ${port} on ${host} is taken by another program. Stop it, or choose another with --port.`,
      {
        cause: error,
      },
    );
  }
  if (error.code === 'EACCES') {
    return new Problem('PERMISSION_DENIED', `This user may not listen on port ${port}. Choose one above 1023 with --port.`, {
      cause: error,
    });
  }
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    return new Problem('RESOURCE_CONFLICT', `This machine has no address '${host}'. Use --host 127.0.0.1.`, { cause: error });
  }
  return error;
}

/** The whole life of the process: resolves when the server is ready; the process ends by a signal. */
export async function runServer(config: ServerConfig): Promise<void> {
  const log = createLog(config.logLevel);
  let running: RunningServer | undefined;
  let isStopping = false;
  const stop = async (reason: string, exitCode: number): Promise<void> => {
    // Whoever asks twice doesn't want to wait.
    if (isStopping || running === undefined) process.exit(isStopping ? 1 : exitCode);
    isStopping = true;
    log.info(`stopping (${reason}): running requests may take ${DRAIN_MS / 1000} s to end; a second signal ends them at once`);
    try {
      await running.stop();
      log.info('stopped');
      process.exit(exitCode);
    } catch (error) {
      log.fatal({ err: error }, 'the stop failed');
      process.exit(1);
    }
  };
  process.on('SIGTERM', () => void stop('SIGTERM', 0));
  process.on('SIGINT', () => void stop('SIGINT', 0));
  // Tools that renew certificates send it. Without TLS it means what it always did: the terminal is closed.
  process.on('SIGHUP', () => {
    if (config.tls === undefined) void stop('SIGHUP', 0);
    else running?.renewCertificate?.().catch((error: unknown) => log.error({ err: error }, 'reading the TLS files again failed'));
  });
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'an error that nobody handled');
    if (!isStopping) void stop('an unhandled error', 1);
  });
  // A promise that nobody waited for changes nothing that others rely on; transactions are undone by themselves.
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'a rejection that nobody handled'));
  running = await startServer(config, log);
  log.info({ url: running.url, database: config.database.kind, data_dir: config.dataDir }, `ready on ${running.url}`);
}

/** Without the command line's package: the same flags, no help. */
async function main(argv: readonly string[]): Promise<void> {
  const options = Object.fromEntries(
    ALL_OPTIONS.map(({ name, argument, short }) => [
      name,
      { type: argument ? ('string' as const) : ('boolean' as const), ...(short ? { short } : {}) },
    ]),
  );
  const { values } = parseArgs({ args: [...argv], options, allowPositionals: true, allowNegative: true });
  try {
    await runServer(await readServerConfig({ flags: values, env: process.env, workingDirectory: process.cwd() }));
  } catch (error) {
    process.stderr.write(`${error instanceof Problem ? error.message : (error as Error).stack}\n`);
    process.exit(1);
  }
}

if (import.meta.main) await main(process.argv.slice(2));
