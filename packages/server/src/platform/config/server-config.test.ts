import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nearest } from './nearest.ts';
import { ALL_OPTIONS } from './options.ts';
import { readServerConfig, type ServerConfig } from './server-config.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-config-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(flags: Record<string, string | boolean> = {}, env: Record<string, string> = {}): Promise<ServerConfig> {
  return readServerConfig({ flags, env, workingDirectory: folder });
}

describe('the configuration', () => {
  it('has defaults for everything', async () => {
    expect(await read()).toMatchObject({
      host: '127.0.0.1',
      port: 5000,
      tls: undefined,
      publicUrl: undefined,
      dataDir: join(folder, 'countersign-data'),
      database: { kind: 'sqlite', file: join(folder, 'countersign-data/countersign.db') },
      blobDir: join(folder, 'countersign-data/blobs'),
      masterKeys: { file: join(folder, 'countersign-data/master.key'), fromEnvironment: undefined, command: undefined },
      checkpointKeys: { file: undefined, fromEnvironment: undefined },
      artifactRoot: 'mlflow-artifacts:/',
      fileRoots: [],
      serves: 'all',
      searchTimeoutMs: 60_000,
      notes: [],
    });
  });

  it('takes a flag before a variable, ours before MLflow’s, and a variable before the file', async () => {
    writeFileSync(join(folder, 'port.yaml'), 'port: 1\n');
    const env = { COUNTERSIGN_CONFIG: 'port.yaml' };
    expect((await read({}, env)).port).toBe(1);
    expect((await read({}, { ...env, MLFLOW_PORT: '2' })).port).toBe(2);
    expect((await read({}, { ...env, MLFLOW_PORT: '2', COUNTERSIGN_PORT: '3' })).port).toBe(3);
    expect((await read({ port: '4' }, { ...env, COUNTERSIGN_PORT: '3' })).port).toBe(4);
  });

  it('starts the file’s relative paths at the file', async () => {
    const other = mkdtempSync(join(tmpdir(), 'countersign-config-'));
    writeFileSync(join(other, 'x.yaml'), 'data-dir: here\n');
    expect((await read({ config: join(other, 'x.yaml') })).dataDir).toBe(join(other, 'here'));
    rmSync(other, { recursive: true });
  });

  it.each([
    ['sqlite:///a/b.db', (root: string) => ({ kind: 'sqlite', file: join(root, 'a/b.db') })],
    ['sqlite:////a/b.db', () => ({ kind: 'sqlite', file: '/a/b.db' })],
    ['postgresql+psycopg2://u:p@h/d', () => ({ kind: 'postgres', url: 'postgresql://u:p@h/d' })],
    ['postgres://h/d', () => ({ kind: 'postgres', url: 'postgresql://h/d' })],
  ])('honours the database %s', async (url, expected) => {
    expect((await read({ 'backend-store-uri': url })).database).toEqual(expected(folder));
    expect((await read({}, { COUNTERSIGN_DATABASE_URL: url })).database).toEqual(expected(folder));
  });

  it('lets the stronger of two names for one thing win', async () => {
    const { database } = await read({ 'backend-store-uri': 'sqlite:///flag.db' }, { COUNTERSIGN_DATABASE_URL: 'sqlite:///variable.db' });
    expect(database).toEqual({ kind: 'sqlite', file: join(folder, 'flag.db') });
  });

  it('takes the master key from one place', async () => {
    const { masterKeys } = await read({}, { COUNTERSIGN_MASTER_KEY: 'a key' });
    expect(masterKeys).toMatchObject({ fromEnvironment: 'a key', command: undefined });
    expect((await read({ 'master-key-command': 'kms' })).masterKeys).toMatchObject({ command: 'kms' });
    await expect(read({ 'master-key-file': 'k' }, { COUNTERSIGN_MASTER_KEY: 'a key' })).rejects.toThrow(/^(?!.*a key).*two places/);
  });

  it('takes the first administrator from variables, ours before MLflow’s', async () => {
    const theirs = { MLFLOW_AUTH_ADMIN_USERNAME: 'a', MLFLOW_AUTH_ADMIN_PASSWORD: 'their password' };
    expect((await read({ 'app-name': 'basic-auth' }, theirs)).accounts).toEqual({
      demanded: true,
      firstAdmin: { name: 'a', password: 'their password' },
    });
    const ours = { COUNTERSIGN_ADMIN_USERNAME: 'b', COUNTERSIGN_ADMIN_PASSWORD: 'our password' };
    expect((await read({}, { ...theirs, ...ours })).accounts).toEqual({
      demanded: false,
      firstAdmin: { name: 'b', password: 'our password' },
    });
    await expect(read({}, { COUNTERSIGN_ADMIN_PASSWORD: 'our password' })).rejects.toThrow(/^(?!.*our password).*Give both or neither/);
  });

  it('answers any host beyond loopback, unless hosts are named', async () => {
    expect((await read({ host: '0.0.0.0' })).guards.allowedHosts).toEqual(['*']);
    expect((await read({ host: '0.0.0.0', 'allowed-hosts': 'a.example' })).guards.allowedHosts).toEqual(['a.example']);
    expect((await read({ host: '::1' })).guards.allowedHosts).toBeUndefined();
  });

  it('takes a certificate and its key together, from any source', async () => {
    const { tls } = await read({ 'tls-certificate': 'a.pem' }, { COUNTERSIGN_TLS_KEY: '/etc/b.pem' });
    expect(tls).toEqual({ certificate: join(folder, 'a.pem'), key: '/etc/b.pem', keyPassphrase: undefined });
    const encrypted = { 'tls-certificate': 'a', 'tls-key': 'b', 'tls-key-passphrase-file': 'c' };
    expect((await read(encrypted)).tls).toMatchObject({ keyPassphrase: join(folder, 'c') });
  });

  it.each([
    ['https://registry.example', 'https://registry.example'],
    ['HTTPS://Registry.example:443/', 'https://registry.example'],
    ['http://10.0.0.1:5000/ml/', 'http://10.0.0.1:5000/ml'],
  ])('takes the public URL %s', async (given, kept) => {
    expect((await read({ 'public-url': given })).publicUrl).toBe(kept);
  });

  it.each([
    ['./roots', 'roots', (path: string) => path],
    ['file:///srv/x', '/srv/x', () => 'file:///srv/x'],
    ['file:roots', 'roots', (path: string) => `file://${path}`],
  ])('may read the folder of the artifact root %s', async (root, path, uri) => {
    const absolute = path.startsWith('/') ? path : join(folder, path);
    expect(await read({ 'default-artifact-root': root })).toMatchObject({ artifactRoot: uri(absolute), fileRoots: [absolute] });
  });

  it('leaves an artifact root in the cloud to the clients', async () => {
    expect(await read({ 'default-artifact-root': 's3://bucket/x' })).toMatchObject({ artifactRoot: 's3://bucket/x', fileRoots: [] });
  });

  it.each([
    [{ port: '70000' }, 'from 0 to 65535'],
    [{ port: '' }, '--port must be'],
    [{ 'app-name': 'other' }, '--app-name must be basic-auth'],
    [{ 'tls-certificate': 'a.pem' }, '--tls-certificate alone gives no TLS'],
    [{ 'tls-key': 'a.pem' }, '--tls-key alone gives no TLS'],
    [{ 'tls-key-passphrase-file': 'a' }, '--tls-key-passphrase-file alone gives no TLS'],
    [{ 'public-url': 'registry.example' }, 'absolute URL'],
    [{ 'public-url': 'ftp://registry.example' }, 'absolute URL'],
    [{ 'public-url': 'https://registry.example/?a=1' }, 'absolute URL'],
    [{ 'public-url': 'https://registry.example/#a' }, 'absolute URL'],
    [{ 'public-url': 'https://user:secret@registry.example' }, "got 'https://…@registry.example'"],
    [{ 'database-url': 'mysql://h/d' }, "kind 'mysql'"],
    [{ 'database-url': 'sqlite://' }, 'in memory'],
    [{ 'backend-store-uri': 'file:///mlruns' }, 'folder store'],
    [{ 'blob-store': 's3://b' }, 'not there yet'],
    [{ 'registry-store-uri': 'sqlite:///other.db' }, 'another database'],
    [{ 'database-url': 'sqlite:///a.db', 'backend-store-uri': 'sqlite:///b.db' }, 'Leave one of them out'],
    [{ 'enable-workspaces': true, 'disable-workspaces': true }, 'the opposite of each other'],
    [{ 'workspace-store-uri': 'sqlite:///w.db' }, 'same database'],
    [{ 'static-prefix': 'x' }, "begin with a '/'"],
    [{ 'static-prefix': '/x/' }, "begin with a '/'"],
    [{ 'x-frame-options': 'MAYBE' }, 'SAMEORIGIN, DENY or NONE'],
    [{ 'log-level': 'loud' }, 'debug, info'],
    [{ 'artifacts-only': true, 'serve-artifacts': false }, 'nothing to serve'],
    [{ config: 'absent.yaml' }, "can't be read"],
  ])('refuses %j', async (flags: Record<string, string | boolean>, text) => {
    await expect(read(flags)).rejects.toThrow(text);
  });

  it.each([
    ['prot: 1', "Did you mean 'port'?"],
    ['- a', 'must hold settings'],
    ['port: {a: 1}', 'must be a text'],
    ['port: [', 'not valid YAML'],
  ])('refuses a file with %j', async (text, message) => {
    writeFileSync(join(folder, 'bad.yaml'), text);
    await expect(read({ config: 'bad.yaml' })).rejects.toThrow(message);
  });

  it('ignores a switch of MLflow’s that is off', async () => {
    expect((await read({}, { MLFLOW_ENABLE_WORKSPACES: 'false' })).notes).toEqual([]);
  });

  it('names every option and variable once', () => {
    const names = ALL_OPTIONS.flatMap((option) => [option.name, ...option.variables, ...(option.short ? [option.short] : [])]);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('nearest', () => {
  it('finds the word that was meant, or none', () => {
    expect(nearest('prot', ['host', 'port'])).toBe('port');
    expect(nearest('zebra', ['host', 'port'])).toBeUndefined();
  });
});
