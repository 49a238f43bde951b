/** What is asked of the server itself: is it there, which version's wire it speaks, what it can do. */
import { TLSSocket } from 'node:tls';
import type { Exchange, Route } from '../platform/http/exchange.ts';

/** The upstream version whose wire this server speaks. */
export const MLFLOW_VERSION = '3.17.2';

/** Upstream's `_get_server_info`: the client asks before it downloads, and believes every flag. */
function serverInfo(hasWorkspaces: boolean): string {
  return JSON.stringify({
    store_type: 'SqlStore',
    workspaces_enabled: hasWorkspaces,
    trace_archival_enabled: false,
    multipart_uploads_enabled: false,
    multipart_downloads_enabled: false,
    presigned_upload_run_id_supported: false,
    presigned_upload_model_id_supported: false,
    features_enabled: { gateway: false },
  });
}

const TEXT = 'text/plain; charset=utf-8';

export interface ServerPlace {
  readonly hasWorkspaces?: boolean;
  /** Where people reach the server, if that was said. */
  readonly publicUrl?: string | undefined;
  readonly staticPrefix?: string;
}

export function serverRoutes(place: ServerPlace = {}): Route[] {
  const { hasWorkspaces = true } = place;
  const body = serverInfo(hasWorkspaces);
  const info = (path: string): Route => ({ method: 'GET', path, permission: 'public', handle: () => ({ body }) });
  return [
    { method: 'GET', path: '/health', permission: 'public', handle: () => ({ type: TEXT, body: 'OK' }) },
    { method: 'GET', path: '/version', permission: 'public', handle: () => ({ type: TEXT, body: MLFLOW_VERSION }) },
    // databricks-sdk asks before its first call, and warns in the user's terminal where it isn't there.
    { method: 'GET', path: '/.well-known/databricks-config', permission: 'public', handle: () => ({ body: '{}' }) },
    info('/api/3.0/mlflow/server-info'),
    info('/ajax-api/3.0/mlflow/server-info'),
    {
      method: 'GET',
      path: '/',
      permission: 'public',
      handle: (exchange) => ({
        type: 'text/html; charset=utf-8',
        headers: { 'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'" },
        body: frontPage(addressOf(exchange, place)),
      }),
    },
  ];
}

/** Fit for a page as it is: a URL that was taken apart has none of HTML's characters. */
function addressOf(exchange: Exchange, { publicUrl, staticPrefix = '' }: ServerPlace): string {
  if (publicUrl !== undefined) return `${new URL(publicUrl).origin}${new URL(publicUrl).pathname.replace(/\/+$/, '') || staticPrefix}`;
  const host = exchange.header('host') ?? '';
  // The header comes from outside: only what an address is made of gets into the page.
  const address = /^[\w.:[\]-]+$/.test(host) ? host : '127.0.0.1:5000';
  return `${exchange.req.socket instanceof TLSSocket ? 'https' : 'http'}://${address}${staticPrefix}`;
}

/** Links are relative, so that they hold under a prefix. */
function frontPage(address: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Countersign</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  main { max-width: 40rem; margin: 4rem auto; padding: 0 1rem }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: .75rem; border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .4rem }
</style>
</head>
<body>
<main>
<h1>Countersign</h1>
<p>A tracking server and model registry that speaks the wire of MLflow ${MLFLOW_VERSION}. Point the client at it:</p>
<pre>mlflow.set_tracking_uri("${address}")</pre>
<ul>
<li><a href="account">Your account</a>: sign in, make a token for the client</li>
<li><a href="api/v1/docs">The native API</a>: models with their seals and history, people and what they may do, checkpoints (<a href="api/v1/openapi.json">OpenAPI</a>)</li>
<li><a href="metrics">Metrics</a> for Prometheus</li>
<li><a href="health">Health</a> and <a href="version">version</a></li>
</ul>
</main>
</body>
</html>
`;
}
