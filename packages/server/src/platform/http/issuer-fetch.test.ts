import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkIssuer, createIssuerFetch } from './issuer-fetch.ts';

describe('an issuer', () => {
  it('is an https URL, or one of this machine', () => {
    for (const good of [
      'https://id.example',
      'https://id.example/realms/x',
      'http://localhost:8080',
      'http://127.0.0.1',
      'http://[::1]:1',
    ]) {
      checkIssuer(good);
    }
    for (const bad of [
      '',
      'id.example',
      'http://id.example',
      'https://u:p@id.example',
      'https://id.example?x=1',
      'https://id.example#x',
      'file:///x',
    ]) {
      expect(() => checkIssuer(bad), bad).toThrow('must be an https URL');
    }
  });
});

describe('requests to issuers', () => {
  let server: Server;
  let base: string;

  beforeAll(async () => {
    server = createServer((req, res) => {
      if (req.url === '/moved') res.writeHead(302, { location: '/here' }).end();
      else if (req.url === '/large') res.end(Buffer.alloc((1 << 20) + 1));
      else res.end('here');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on TCP
  });

  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });

  it('follow no redirect, and read no more than they must', async () => {
    const send = createIssuerFetch(base);
    expect(await (await send(`${base}/here`, {})).text()).toBe('here');
    expect((await send(`${base}/moved`, {})).status).toBe(302);
    await expect(send(`${base}/large`, {})).rejects.toThrow('larger than');
  });

  it('go where the issuer points only by https, and to no address of a network inside', async () => {
    const send = createIssuerFetch('https://id.example');
    const inside = [
      `${base}/here`,
      'http://keys.example/k',
      'https://10.0.0.1/k',
      'https://[::1]/k',
      'https://localhost/k',
      'https://db.internal/k',
      'https://169.254.169.254/latest',
    ];
    for (const url of inside) await expect(send(url, {}), url).rejects.toThrow("where it doesn't go");
  });
});
