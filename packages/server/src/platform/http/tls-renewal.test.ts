import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Problem } from '@countersign/contract/problem.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CertificateAndKey, createCertificate } from '../../../../../test/support/self-signed-certificate.ts';
import { readTlsPair, type TlsFiles, type TlsPair } from './tls-pair.ts';
import { type Renewal, startRenewal } from './tls-renewal.ts';

const LOOK_MS = 25;
let folder: string;
let files: TlsFiles;
let renewal: Renewal | undefined;
let used: TlsPair[];
let refused: Problem[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-tls-'));
  files = { certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key'), keyPassphrase: undefined };
  used = [];
  refused = [];
});
afterEach(async () => {
  await renewal?.stop();
  renewal = undefined;
  rmSync(folder, { recursive: true, force: true });
});

function write({ certificate, key }: CertificateAndKey): void {
  writeFileSync(files.certificate, certificate);
  writeFileSync(files.key, key);
}

async function start(everyMs = LOOK_MS): Promise<Renewal> {
  renewal = startRenewal({
    files,
    inUse: await readTlsPair(files),
    use: (pair) => used.push(pair),
    onRefused: (problem) => refused.push(problem),
    onError: (error) => expect.fail(String(error)),
    everyMs,
  });
  return renewal;
}

const severalLooks = () => new Promise((resume) => setTimeout(resume, LOOK_MS * 8));

describe('reading the pair', () => {
  it('takes one that belongs together, and knows how long it is valid', async () => {
    const validUntil = new Date('2031-05-06T07:08:09Z');
    write(createCertificate({ validUntil }));
    expect(await readTlsPair(files)).toMatchObject({ validUntil: validUntil.getTime(), passphrase: undefined });
  });

  it('takes an encrypted key with its passphrase', async () => {
    files = { ...files, keyPassphrase: join(folder, 'passphrase') };
    write(createCertificate({ passphrase: 'open sesame' }));
    writeFileSync(join(folder, 'passphrase'), 'open sesame\n');
    expect((await readTlsPair(files)).passphrase).toBe('open sesame');
    writeFileSync(join(folder, 'passphrase'), 'open\n');
    await expect(readTlsPair(files)).rejects.toThrow(/can't be decrypted with the first line of .*passphrase/);
    await expect(readTlsPair({ ...files, keyPassphrase: undefined })).rejects.toThrow(/--tls-key-passphrase-file/);
  });

  it('refuses what can’t be served, with what to do', async () => {
    const [one, other] = [createCertificate(), createCertificate()];
    await expect(readTlsPair(files)).rejects.toThrow(/tls\.crt, which --tls-certificate names, can't be read \(ENOENT\)/);
    write({ ...one, key: other.key });
    await expect(readTlsPair(files)).rejects.toThrow(/does not belong to the first certificate/);
    write({ certificate: one.key, key: one.key });
    await expect(readTlsPair(files)).rejects.toThrow(/tls\.crt holds no certificate/);
    write({ ...one, certificate: one.certificate.slice(0, 200) });
    await expect(readTlsPair(files)).rejects.toThrow(/tls\.crt holds no certificate/);
    write({ ...one, key: one.certificate });
    await expect(readTlsPair(files)).rejects.toThrow(/tls\.key holds no private key/);
    write({ ...one, key: one.key.replace(/\n.{20}/, '\n') });
    await expect(readTlsPair(files)).rejects.toThrow(/tls\.key is damaged/);
    write({ ...one, certificate: `${one.certificate}-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n` });
    await expect(readTlsPair(files)).rejects.toThrow(/check that its chain is whole/);
  });
});

describe('the renewal', () => {
  it('takes a new pair that was written over the old one', async () => {
    write(createCertificate());
    await start();
    const next = createCertificate();
    write(next);
    await expect.poll(() => used.length).toBe(1);
    expect(used[0]).toMatchObject(next);
    await severalLooks();
    expect(used).toHaveLength(1);
    expect(refused).toEqual([]);
  });

  it('takes one that came by rename', async () => {
    write(createCertificate());
    await start();
    const next = createCertificate();
    for (const [path, text] of [[files.certificate, next.certificate] as const, [files.key, next.key] as const]) {
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
    }
    await expect.poll(() => used.length).toBe(1);
    expect(used[0]).toMatchObject(next);
  });

  it('takes one to which a link was turned, as volumes of secrets are renewed', async () => {
    const mount = (name: string, pair: CertificateAndKey): void => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'tls.crt'), pair.certificate);
      writeFileSync(join(folder, name, 'tls.key'), pair.key);
      symlinkSync(name, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    mount('..1', createCertificate());
    symlinkSync('..data/tls.crt', files.certificate);
    symlinkSync('..data/tls.key', files.key);
    await start();
    const next = createCertificate();
    mount('..2', next);
    rmSync(join(folder, '..1'), { recursive: true });
    await expect.poll(() => used.length).toBe(1);
    expect(used[0]).toMatchObject(next);
    expect(refused).toEqual([]);
  });

  it('keeps what it has while the files are broken, says so once, and takes them when they are whole', async () => {
    write(createCertificate());
    await start();
    const next = createCertificate();
    writeFileSync(files.certificate, next.certificate);
    await expect.poll(() => refused.length).toBe(1);
    await severalLooks();
    expect(refused.map(({ message }) => message)).toEqual([expect.stringMatching(/does not belong/)]);
    unlinkSync(files.key);
    await expect.poll(() => refused.length).toBe(2);
    expect(refused[1]?.message).toMatch(/can't be read \(ENOENT\)/);
    expect(used).toEqual([]);
    writeFileSync(files.key, next.key);
    await expect.poll(() => used.length).toBe(1);
    expect(refused).toHaveLength(2);
  });

  it('says nothing of files that were half replaced for a moment', async () => {
    write(createCertificate());
    await start(200);
    const next = createCertificate();
    writeFileSync(files.certificate, next.certificate);
    await new Promise((resume) => setTimeout(resume, 150));
    writeFileSync(files.key, next.key);
    await expect.poll(() => used.length, { timeout: 5000 }).toBe(1);
    expect(refused).toEqual([]);
  });

  it('looks at once when it is asked to', async () => {
    write(createCertificate());
    const { now } = await start(3_600_000);
    expect(await now()).toBe(false);
    const next = createCertificate();
    write(next);
    expect(await now()).toBe(true);
    expect(used).toHaveLength(1);
    expect(await now()).toBe(false);
    writeFileSync(files.key, 'nonsense');
    expect(await now()).toBe(true);
    expect(await now()).toBe(true);
    expect(refused).toHaveLength(2);
    expect(used).toHaveLength(1);
  });
});
