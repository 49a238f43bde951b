import { once } from 'node:events';
import type { Server } from 'node:http';
import { Agent, request } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { createCertificate } from '../../../../../test/support/self-signed-certificate.ts';
import { createGuards } from './guards.ts';
import { createHttpServer, stopHttpServer } from './server.ts';
import type { TlsPair } from './tls-pair.ts';
import { TlsServer } from './tls-server.ts';

const HSTS = 'max-age=31536000';
const first = newPair();
const running: Server[] = [];

afterEach(async () => {
  for (const server of running.splice(0)) {
    server.closeAllConnections();
    if (server.listening) await new Promise((resume) => server.close(resume));
  }
});

function newPair(): TlsPair {
  return { ...createCertificate(), passphrase: undefined, digest: '', validFrom: 0, validUntil: 0 };
}

async function serve(): Promise<{ server: TlsServer; port: number; letGo: () => void }> {
  let letGo = (): void => {};
  const gate = new Promise<void>((resume) => {
    letGo = resume;
  });
  const server = createHttpServer({
    tls: first,
    guards: createGuards({ enabled: true, allowedHosts: undefined, allowedOrigins: ['https://ui.example'], frameOptions: undefined }),
    routes: [
      { method: 'GET', path: '/fast', permission: 'public', handle: () => ({ body: '"fast"' }) },
      { method: 'POST', path: '/echo', permission: 'public', handle: async (exchange) => ({ body: await exchange.body() }) },
      {
        method: 'GET',
        path: '/slow',
        permission: 'public',
        handle: async () => {
          await gate;
          return { body: '"slow"' };
        },
      },
      {
        method: 'GET',
        path: '/stream',
        permission: 'public',
        handle: async ({ res }) => {
          res.writeHead(200, { 'Content-Type': 'application/octet-stream' });
          res.write('one ');
          await gate;
          res.end('two');
          return undefined;
        },
      },
    ],
    fallback: () => ({ status: 404, body: '{}' }),
    onError: (error) => expect.fail(String(error)),
  });
  running.push(server);
  if (!(server instanceof TlsServer)) expect.fail('the server speaks no TLS');
  await new Promise<void>((resume) => server.listen(0, '127.0.0.1', resume));
  return { server, port: (server.address() as AddressInfo).port, letGo }; // it listens on TCP
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly trusted?: TlsPair;
  readonly agent?: Agent;
}

function ask(port: number, path: string, { method = 'GET', headers = {}, body = '', trusted = first, agent }: Asked = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const tls = { servername: 'localhost', ca: trusted.certificate };
    const asked = request({ host: 'localhost', port, path, method, headers, agent: agent ?? false, ...tls }, (answer) => {
      let text = '';
      answer.on('data', (piece) => {
        text += piece;
      });
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

function sendPlain(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (piece) => {
      answer += piece;
    });
    socket.on('close', () => resolve(answer)).on('error', reject);
    socket.write(text);
  });
}

describe('a server under TLS', () => {
  it('answers, and tells browsers to come by https only, whatever the answer is', async () => {
    const { port, letGo } = await serve();
    letGo();
    const big = 'x'.repeat(1 << 20);
    expect((await ask(port, '/echo', { method: 'POST', body: big })).body).toBe(big);
    const answers = await Promise.all([
      ask(port, '/fast'),
      ask(port, '/stream'),
      ask(port, '/nothing'),
      ask(port, '/fast', { method: 'PUT' }),
      ask(port, '/fast', { headers: { host: 'evil.example' } }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 405, 403]);
    for (const { headers } of answers) expect(headers['strict-transport-security']).toBe(HSTS);
  });

  it('tells so to what is not HTTP inside of TLS, too', async () => {
    const { port } = await serve();
    const socket = connectSecure({ host: 'localhost', port, ca: first.certificate });
    let answer = '';
    socket.on('data', (piece) => {
      answer += piece;
    });
    socket.write('nonsense\r\n\r\n');
    await once(socket, 'close');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain(`Strict-Transport-Security: ${HSTS}\r\n`);
  });

  it('judges origins of https pages as those of http', async () => {
    const { port } = await serve();
    const from = (origin: string) => ask(port, '/echo', { method: 'POST', headers: { origin } });
    expect((await from(`https://localhost:${port}`)).headers['access-control-allow-origin']).toBe(`https://localhost:${port}`);
    expect((await from('https://ui.example')).status).toBe(200);
    expect((await from('https://evil.example')).status).toBe(403);
  });

  it('refuses a request without TLS with a sentence', async () => {
    const { port } = await serve();
    const answer = await sendPlain(port, 'GET /fast HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('https://');
    expect(answer).not.toContain('Strict-Transport-Security');
    const response = await fetch(`http://127.0.0.1:${port}/echo`, { method: 'POST', body: 'x'.repeat(100_000) });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error_code: 'BAD_REQUEST' });
  });

  it('hangs up on what is neither, and goes on serving', async () => {
    const { port } = await serve();
    await sendPlain(port, 'nonsense\n').catch(() => {});
    expect((await ask(port, '/fast')).body).toBe('"fast"');
  });

  it('speaks TLS 1.2 and 1.3, and nothing older, also after a renewal', async () => {
    const { server, port } = await serve();
    const speak = async (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'): Promise<string | null> => {
      const socket = connectSecure({
        host: 'localhost',
        port,
        ca: first.certificate,
        minVersion: version,
        maxVersion: version,
        ciphers: 'DEFAULT@SECLEVEL=0',
      });
      await once(socket, 'secureConnect');
      const spoken = socket.getProtocol();
      socket.destroy();
      return spoken;
    };
    for (const _round of ['at first', 'renewed']) {
      expect(await speak('TLSv1.2')).toBe('TLSv1.2');
      expect(await speak('TLSv1.3')).toBe('TLSv1.3');
      await expect(speak('TLSv1.1')).rejects.toThrow(/protocol version/i);
      server.usePair(first);
    }
  });

  it('takes a renewed certificate for new connections, and drops none that is open', async () => {
    const { server, port, letGo } = await serve();
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: first.certificate });
    expect((await ask(port, '/fast', { agent })).body).toBe('"fast"');
    const slow = ask(port, '/slow');
    const stream = ask(port, '/stream');
    await new Promise((resume) => setTimeout(resume, 100));
    const second = newPair();
    server.usePair(second);
    await expect(ask(port, '/fast')).rejects.toThrow(/self-signed/);
    expect((await ask(port, '/fast', { trusted: second })).body).toBe('"fast"');
    // The kept connection is still the old one.
    expect((await ask(port, '/fast', { agent })).body).toBe('"fast"');
    letGo();
    expect((await slow).body).toBe('"slow"');
    expect((await stream).body).toBe('one two');
    agent.destroy();
  });

  it('stops as a plain one: running requests end, and handshakes that never come do not hold it up', async () => {
    const { server, port, letGo } = await serve();
    const slow = ask(port, '/slow');
    const agent = new Agent({ keepAlive: true, ca: first.certificate });
    await ask(port, '/fast', { agent });
    const silent = connect(port, '127.0.0.1');
    silent.on('error', () => {});
    await once(silent, 'connect');
    const startedAt = Date.now();
    const stopped = stopHttpServer(server, 20_000);
    expect((await ask(port, '/fast', { agent })).headers.connection).toBe('close');
    await new Promise((resume) => setTimeout(resume, 300));
    letGo();
    expect((await slow).body).toBe('"slow"');
    await stopped;
    expect(Date.now() - startedAt).toBeLessThan(5000);
  });
});
