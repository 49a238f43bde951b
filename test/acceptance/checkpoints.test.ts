/** Checkpoints of server processes: by a key that the operator keeps and rotates, and by two replicas at once. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countersign, type Ended } from '../support/cli.ts';
import { type PostgresCluster, startPostgres } from '../support/postgres.ts';
import { call, mlflow, startServer } from '../support/server.ts';

const ROUNDS = 20;
const folder = mkdtempSync(join(tmpdir(), 'checkpoints-'));
afterAll(() => rmSync(folder, { recursive: true }));

function audit(args: readonly string[], input = ''): Promise<Ended> {
  return countersign(['audit', ...args], { cwd: folder, input });
}

function newKey(): { readonly pem: string; readonly publicPem: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    pem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    publicPem: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
  };
}

describe('a server with a key of the operator', () => {
  const [first, second] = [newKey(), newKey()];
  const file = join(folder, 'checkpoint.pem');

  it('signs with it, and with the next one as soon as that stands before it', async () => {
    writeFileSync(file, first.pem);
    writeFileSync(join(folder, 'first.pub'), first.publicPem);
    writeFileSync(join(folder, 'second.pub'), second.publicPem);
    const server = await startServer({ args: ['--checkpoint-key-file', file] });
    try {
      await mlflow(server, 'POST', 'registered-models/create', { name: 'a' });
      const { body } = await call(server, 'POST', '/api/v1/checkpoints', {});
      writeFileSync(file, `${second.pem}${first.pem}`);
      await mlflow(server, 'POST', 'registered-models/create', { name: 'b' });
      const next = await call(server, 'POST', '/api/v1/checkpoints', {});
      expect(next.body.checkpoint.key_id).not.toBe(body.checkpoint.key_id);
      expect(await call(server, 'POST', '/api/v1/checkpoint-keys', {})).toMatchObject({
        status: 400,
        body: { message: expect.stringContaining('before the old one') },
      });
      const exported = await audit(['export', '--server', server.url]);
      for (const key of ['first.pub', 'second.pub'])
        expect(await audit(['verify', '-', '--key', key, '--since', body.checkpoint.line], exported.stdout)).toMatchObject({ code: 0 });

      // Neither is there any more: nothing is signed, everything else goes on.
      writeFileSync(file, newKey().pem);
      await mlflow(server, 'POST', 'registered-models/create', { name: 'c' });
      expect(await call(server, 'POST', '/api/v1/checkpoints', {})).toMatchObject({
        status: 400,
        body: { message: expect.stringContaining('rotate-key --lost') },
      });
      expect((await audit(['rotate-key', '--lost', '--server', server.url])).code).toBe(0);
      const broken = await audit(['export', '--server', server.url]);
      expect(await audit(['verify', '-', '--key', 'second.pub'], broken.stdout)).toMatchObject({
        code: 6,
        stdout: expect.stringContaining('checkpoint key 3 is not signed by the one before it'),
      });
      await writeNewest(server.url);
      expect(await audit(['verify', '-', '--key', 'third.pub'], broken.stdout)).toMatchObject({ code: 0 });
    } finally {
      await server.stop();
    }
  });

  async function writeNewest(url: string): Promise<void> {
    const keys = await audit(['keys', '--quiet', '--server', url]);
    writeFileSync(join(folder, 'third.pub'), keys.stdout.trim().split('\n').at(-1) ?? '');
  }
});

describe('two servers on one database', () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await startPostgres();
  });
  afterAll(() => cluster.stop());

  it('make checkpoints at once, and all of them go on from one another', async () => {
    const databaseUrl = await cluster.createDatabase();
    const dataDir = join(folder, 'shared');
    const servers = await Promise.all([0, 1].map(() => startServer({ databaseUrl, dataDir })));
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        await Promise.all(
          servers.map(async (server, i) => {
            await mlflow(server, 'POST', 'registered-models/create', { name: `m${round}-${i}` });
            const made = await call(server, 'POST', '/api/v1/checkpoints', {});
            expect(made.status, JSON.stringify(made.body)).toBe(200);
          }),
        );
      }
      const [server] = servers;
      const url = server?.url ?? '';
      const exported = await audit(['export', '--server', url]);
      const verified = await audit(['verify', '-', '--json'], exported.stdout);
      expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, until_seq: 2 * ROUNDS });
      expect(JSON.parse(verified.stdout).checkpoints).toBeGreaterThanOrEqual(ROUNDS);
      expect((await audit(['verify', '--server', url])).code).toBe(0);
      expect((await call({ url }, 'GET', '/api/v1/checkpoint-keys')).body.keys).toHaveLength(1);
    } finally {
      await Promise.all(servers.map((each) => each.stop()));
    }
  });
});
