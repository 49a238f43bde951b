import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { GuardConfig } from '../config/server-config.ts';
import { Exchange, type Reply } from './exchange.ts';
import { createGuards } from './guards.ts';

const DEFAULTS: GuardConfig = { enabled: true, allowedHosts: undefined, allowedOrigins: [], frameOptions: 'SAMEORIGIN' };

interface Asked {
  readonly method?: string;
  readonly url?: string;
  readonly headers: Readonly<Record<string, string>>;
}

function guard(config: Partial<GuardConfig>, asked: Asked): { reply: Reply | undefined; sent: Map<string, string> } {
  const sent = new Map<string, string>();
  const req = { method: 'POST', url: '/api/2.0/mlflow/runs/create', ...asked, headers: { host: 'localhost', ...asked.headers } };
  const res = { setHeader: (name: string, value: string) => sent.set(name, value) };
  // Guards look at these members only.
  const exchange = new Exchange(req as unknown as IncomingMessage, res as unknown as ServerResponse, 'id');
  for (const each of createGuards({ ...DEFAULTS, ...config })) {
    const reply = each(exchange);
    if (reply) return { reply, sent };
  }
  return { reply: undefined, sent };
}

describe('guards', () => {
  it.each([
    'localhost',
    'LOCALHOST:1',
    '127.0.0.1:5000',
    '[::1]:5000',
    '0.0.0.0:80',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.9.9:1',
    '192.168.0.1',
  ])('answer Host %s by default', (host) => expect(guard({}, { headers: { host } }).reply).toBeUndefined());

  it.each([
    'evil.example',
    '10.evil.example',
    '172.15.0.1',
    '172.32.0.1',
    '10.0.0.256',
    'localhost.evil.example',
    'localhost:x',
    '',
    '127.0.0.1@evil',
  ])('refuse Host %j by default', (host) => expect(guard({}, { headers: { host } }).reply?.status).toBe(403));

  it('let a page of the server change something, by whatever name it is reached, and no other page', () => {
    const asked = (origin: string) => guard({ allowedHosts: ['*'] }, { headers: { host: 'ML.internal:5000', origin } }).reply?.status;
    expect(asked('http://ml.internal:5000')).toBeUndefined();
    expect(asked('https://ml.internal:5000')).toBeUndefined();
    for (const origin of ['http://ml.internal', 'http://evil.example', 'null']) expect(asked(origin)).toBe(403);
  });

  it('answer only listed hosts, where there is a list', () => {
    const allowedHosts = ['registry.example', 'app-*.example:5000'];
    expect(guard({ allowedHosts }, { headers: { host: 'Registry.example' } }).reply).toBeUndefined();
    expect(guard({ allowedHosts }, { headers: { host: 'app-7.example:5000' } }).reply).toBeUndefined();
    expect(guard({ allowedHosts }, { headers: { host: 'app-7xexample:5000' } }).reply?.status).toBe(403);
    expect(guard({ allowedHosts }, { headers: { host: 'localhost' } }).reply?.status).toBe(403);
    expect(guard({ allowedHosts: ['*'] }, { headers: { host: 'any.example' } }).reply).toBeUndefined();
  });

  it('give no credentials to pages of any origin', () => {
    const { sent } = guard({ allowedOrigins: ['*'] }, { headers: { origin: 'https://any.example' } });
    expect(sent.get('Access-Control-Allow-Origin')).toBe('*');
    expect(sent.has('Access-Control-Allow-Credentials')).toBe(false);
  });

  it.each(['null', 'https://localhost.evil.example', 'http://127.0.0.1.evil.example', 'http://localhost:80.evil.example', 'file://'])(
    'refuse a change from a page of origin %s',
    (origin) => expect(guard({}, { headers: { origin } }).reply?.status).toBe(403),
  );

  it('let a foreign page send a read, which its browser then keeps from it', () => {
    const { reply, sent } = guard({}, { method: 'GET', headers: { origin: 'https://evil.example' } });
    expect(reply).toBeUndefined();
    expect(sent.has('Access-Control-Allow-Origin')).toBe(false);
  });

  it('refuse proxies also where Host and Origin are not looked at', () => {
    expect(guard({ enabled: false }, { headers: { host: 'evil.example', origin: 'https://evil.example' } }).reply).toBeUndefined();
  });

  it('answer probes whatever their Host, and through proxies', () => {
    expect(guard({}, { method: 'GET', url: '/health', headers: { host: 'pod-7', via: '1.1 balancer' } }).reply).toBeUndefined();
  });
});
