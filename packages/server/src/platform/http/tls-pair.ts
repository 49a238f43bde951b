/** A certificate and its key, read from files and judged: what a server can't speak TLS with is refused here, with what to do about it. */
import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { invalid } from '@countersign/contract/problem.ts';

/** Absolute paths. */
export interface TlsFiles {
  /** PEM: the server's own certificate first, then those that lead to the root. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
  /** The first line is the key's passphrase. */
  readonly keyPassphrase: string | undefined;
}

/** The files as they are at one moment; not judged yet. */
export interface TlsTexts {
  readonly certificate: string;
  readonly key: string;
  readonly passphrase: string | undefined;
  /** Equal for equal contents. Tells nothing about them. */
  readonly digest: string;
}

export interface TlsPair extends TlsTexts {
  /** Epoch ms, of the server's own certificate. */
  readonly validFrom: number;
  readonly validUntil: number;
}

/** TLS 1.0 and 1.1 are deprecated (RFC 8996). */
const MIN_VERSION = 'TLSv1.2';

/** INVALID_PARAMETER_VALUE for files that can't be read, hold something else, or don't belong together. */
export async function readTlsPair(files: TlsFiles): Promise<TlsPair> {
  return judgePair(await readTlsTexts(files), files);
}

/** INVALID_PARAMETER_VALUE for a file that can't be read. */
export async function readTlsTexts(files: TlsFiles): Promise<TlsTexts> {
  // One after the other: where several are missing, the same one is told each time.
  const certificate = await readText(files.certificate, '--tls-certificate');
  const key = await readText(files.key, '--tls-key');
  const passphrase = files.keyPassphrase === undefined ? undefined : await readText(files.keyPassphrase, '--tls-key-passphrase-file');
  const digest = createHash('sha256')
    .update(JSON.stringify([certificate, key, passphrase]))
    .digest('hex');
  return { certificate, key, passphrase: passphrase?.split(/\r?\n/, 1)[0], digest };
}

/** INVALID_PARAMETER_VALUE as `readTlsPair`. A certificate that isn't valid today is taken: what to do about it is the caller's business. */
export function judgePair(texts: TlsTexts, files: TlsFiles): TlsPair {
  const parsed = parseCertificate(texts.certificate, files.certificate);
  if (!parsed.checkPrivateKey(parseKey(texts, files))) {
    throw invalid(
      `The key in ${files.key} does not belong to the first certificate in ${files.certificate}. Put the server's own certificate first in its file, and name the key that it was issued for.`,
    );
  }
  try {
    createSecureContext(secureOptions(texts));
  } catch (error) {
    throw invalid(
      `TLS can't be spoken with ${files.certificate} and ${files.key}: ${(error as Error).message}. Have a certificate issued with a key of today's strength (EC P-256, or RSA of 2048 bits and more), and check that its chain is whole.`,
    );
  }
  return { ...texts, validFrom: Date.parse(parsed.validFrom), validUntil: Date.parse(parsed.validTo) };
}

/** All that a server's contexts are made of, so that a renewed one is no weaker. */
export function secureOptions({ certificate, key, passphrase }: TlsTexts): SecureContextOptions {
  return {
    cert: certificate,
    key,
    ...(passphrase === undefined ? {} : { passphrase }),
    minVersion: MIN_VERSION,
  };
}

async function readText(path: string, option: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as { code?: string }).code ?? 'unknown error';
    throw invalid(`${path}, which ${option} names, can't be read (${code}). Name a file that is there and that this user may read.`);
  }
}

function parseCertificate(text: string, path: string): X509Certificate {
  try {
    if (text.includes('-----BEGIN CERTIFICATE-----')) return new X509Certificate(text);
  } catch {
    // Told below: OpenSSL's own words name neither the file nor the way out.
  }
  throw invalid(`${path} holds no certificate that can be read. It must be a PEM file that begins with -----BEGIN CERTIFICATE-----.`);
}

function parseKey({ key, passphrase }: TlsTexts, files: TlsFiles): KeyObject {
  try {
    return createPrivateKey({ key, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch {
    if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(key)) {
      throw invalid(`${files.key} holds no private key. It must be a PEM file with -----BEGIN PRIVATE KEY-----.`);
    }
    if (!key.includes('ENCRYPTED')) throw invalid(`The private key in ${files.key} is damaged. Put it in place once more.`);
    if (passphrase === undefined) {
      throw invalid(`The key in ${files.key} is encrypted. Name a file with its passphrase by --tls-key-passphrase-file.`);
    }
    throw invalid(
      `The key in ${files.key} can't be decrypted with the first line of ${files.keyPassphrase}. Put the key's own passphrase there.`,
    );
  }
}
