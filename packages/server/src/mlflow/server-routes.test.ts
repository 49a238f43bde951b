import { describe, expect, it } from 'vitest';
import type { Exchange } from '../platform/http/exchange.ts';
import { type ServerPlace, serverRoutes } from './server-routes.ts';

async function frontPage(place: ServerPlace, host: string): Promise<string> {
  const route = serverRoutes(place).find((each) => each.path === '/');
  const exchange = { header: () => host, req: { socket: {} } } as unknown as Exchange; // all that the page looks at
  const reply = await route?.handle(exchange);
  return String(reply && 'body' in reply ? reply.body : '');
}

describe('the front page', () => {
  it.each<[string, ServerPlace, string, string]>([
    ['the address that was asked', {}, '127.0.0.1:5001', 'http://127.0.0.1:5001'],
    ['with the prefix', { staticPrefix: '/ml' }, 'localhost:5001', 'http://localhost:5001/ml'],
    ['the public address', { publicUrl: 'https://registry.example/' }, '10.0.0.1:5000', 'https://registry.example'],
    ['the public address with its path', { publicUrl: 'https://a.example/ml/', staticPrefix: '/x' }, 'b', 'https://a.example/ml'],
    ['nothing that is no address', {}, '"><script>', 'http://127.0.0.1:5000'],
  ])('names %s', async (_what, place, host, address) => {
    const page = await frontPage(place, host);
    expect(page).toContain(`set_tracking_uri("${address}")`);
    expect(page).toContain('href="account"');
  });
});
