/** `/api/v1/openapi.json`, and the page for people. */
import type { Route } from '../platform/http/exchange.ts';
import { documentationPage, STYLE_SOURCE } from './documentation-page.ts';
import { openApiDocument } from './openapi.ts';

/** Made at the first request, and once: it never changes while the process lives. */
function once(make: () => string): () => string {
  let made: string | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

export function documentationRoutes(): Route[] {
  const json = once(() => JSON.stringify(openApiDocument()));
  const page = once(() => documentationPage(openApiDocument()));
  return [
    { method: 'GET', path: '/api/v1/openapi.json', permission: 'public', handle: () => ({ body: json() }) },
    {
      method: 'GET',
      path: '/api/v1/docs',
      permission: 'public',
      handle: () => ({
        type: 'text/html; charset=utf-8',
        headers: {
          'Content-Security-Policy': `default-src 'none'; style-src ${STYLE_SOURCE}; base-uri 'none'; form-action 'none'; frame-ancestors 'self'`,
        },
        body: page(),
      }),
    },
  ];
}
