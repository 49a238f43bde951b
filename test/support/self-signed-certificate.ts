/** A self-signed certificate for localhost, written as DER by hand: node makes keys but no certificates, and a fresh machine has no openssl. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

export interface CertificateWish {
  /** RFC 5280 UTCTime reaches to 2049. */
  readonly validFrom?: Date;
  readonly validUntil?: Date;
  /** The key is encrypted under it. */
  readonly passphrase?: string;
}

export interface CertificateAndKey {
  /** PEM. Also what a client has to trust. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

const DAY_MS = 86_400_000;
/** OIDs as bytes. */
const ECDSA_WITH_SHA256 = '2a8648ce3d040302';
const COMMON_NAME = '550403';
const SUBJECT_ALT_NAME = '551d11';
const BASIC_CONSTRAINTS = '551d13';
const TRUE = Buffer.from([1, 1, 0xff]);

/** EC P-256, for `localhost`, 127.0.0.1 and ::1; valid from yesterday for ten days unless told. */
export function createCertificate(wish: CertificateWish = {}): CertificateAndKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const algorithm = sequence(oid(ECDSA_WITH_SHA256));
  // Names differ: a client that trusts several looks them up by name.
  const name = sequence(tagged(0x31, sequence(oid(COMMON_NAME), tagged(0x0c, Buffer.from(`test ${randomBytes(8).toString('hex')}`)))));
  const { validFrom = new Date(Date.now() - DAY_MS), validUntil = new Date(Date.now() + 9 * DAY_MS) } = wish;
  const toSign = sequence(
    tagged(0xa0, integer(Buffer.from([2]))), // version 3
    integer(Buffer.concat([Buffer.from([0x40]), randomBytes(15)])),
    algorithm,
    name,
    sequence(utcTime(validFrom), utcTime(validUntil)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(extension(BASIC_CONSTRAINTS, sequence(TRUE)), extension(SUBJECT_ALT_NAME, localNames()))),
  );
  const der = sequence(toSign, algorithm, tagged(0x03, Buffer.from([0]), sign('sha256', toSign, privateKey)));
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: toPem(privateKey, wish.passphrase),
  };
}

function toPem(key: KeyObject, passphrase: string | undefined): string {
  const encryption = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
  return key.export({ type: 'pkcs8', format: 'pem', ...encryption }).toString();
}

function localNames(): Buffer {
  const ipv6 = Buffer.alloc(16);
  ipv6[15] = 1;
  return sequence(tagged(0x82, Buffer.from('localhost')), tagged(0x87, Buffer.from([127, 0, 0, 1])), tagged(0x87, ipv6));
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), tagged(0x04, value));
}

function oid(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, 'hex'));
}

function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes);
}

function utcTime(time: Date): Buffer {
  return tagged(0x17, Buffer.from(`${time.toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`));
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, ...parts);
}

function tagged(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
