/** What the log says of the certificate, and the renewal of it beside the requests. */
import type { Server } from 'node:http';
import type { Logger } from 'pino';
import type { TlsFiles, TlsPair } from './tls-pair.ts';
import { LOOK_MS, startRenewal } from './tls-renewal.ts';
import { TlsServer } from './tls-server.ts';

export interface CertificateRenewal {
  /** Reads the files at once, and says in the log what came of it. */
  now(): Promise<void>;
  stop(): Promise<void>;
}

/** Undefined for a server without TLS. */
export function startRenewingCertificate(
  server: Server,
  files: TlsFiles | undefined,
  pair: TlsPair | undefined,
  log: Logger,
): CertificateRenewal | undefined {
  if (!(server instanceof TlsServer) || files === undefined || pair === undefined) return undefined;
  let inUse = pair;
  warnOfDates(pair, files, log);
  const renewal = startRenewal({
    files,
    inUse: pair,
    use: (renewed) => {
      server.usePair(renewed);
      inUse = renewed;
      log.info({ valid_until: dateOf(renewed.validUntil) }, 'the renewed certificate is in use for new connections');
      warnOfDates(renewed, files, log);
    },
    onRefused: ({ message }) =>
      log.warn(
        `the changed TLS files are not used. ${message} The server goes on with the certificate that is valid until ${dateOf(inUse.validUntil)}, and takes what is right within ${(2 * LOOK_MS) / 1000} s of its being there, or at once on SIGHUP.`,
      ),
    onError: (error) => log.error({ err: error }, 'looking at the TLS files failed; it is tried again'),
  });
  return {
    now: async () => {
      if (!(await renewal.now())) log.info({ valid_until: dateOf(inUse.validUntil) }, 'the TLS files are the same as before');
    },
    stop: () => renewal.stop(),
  };
}

function warnOfDates({ validFrom, validUntil }: TlsPair, { certificate }: TlsFiles, log: Logger): void {
  const now = Date.now();
  if (validFrom <= now && now < validUntil) return;
  const fault = now < validFrom ? `is not valid before ${dateOf(validFrom)}` : `has not been valid since ${dateOf(validUntil)}`;
  log.warn(`the certificate in ${certificate} ${fault}: clients refuse it. Put a valid one in its place; no restart is needed.`);
}

function dateOf(time: number): string {
  return new Date(time).toISOString();
}
