/** A running server, over HTTP. */
import { readFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Endpoint } from '@countersign/contract/endpoint.ts';
import { endpoints } from '@countersign/contract/native-api.ts';
import { invalid, Problem, type ProblemCode } from '@countersign/contract/problem.ts';
import type { Caller } from './caller.ts';
import { say } from './output.ts';

export interface ServerPlace {
  /** http or https; a path in it stands before that of the API. */
  readonly url: string;
  /** Undefined: nobody in particular. */
  readonly authorization: string | undefined;
  readonly workspace: string | undefined;
  /** PEM file of an authority that signed the server's certificate. */
  readonly authorityFile: string | undefined;
}

const ANSWER_MS = 60_000;

export function httpCaller(place: ServerPlace): Caller {
  const base = readBase(place.url);
  return {
    ask: async (id, input = {}) => {
      const endpoint = endpoints.find((each) => each.id === id);
      if (endpoint === undefined) throw new TypeError(`there is no endpoint ${id}`);
      const { params = {}, query = {}, body } = input as { params?: Texts; query?: Texts; body?: unknown }; // as the endpoint's schemas have it
      const path = endpoint.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => encodeURIComponent(String(params[name])));
      const takesBody = endpoint.method !== 'GET' && endpoint.method !== 'DELETE';
      const { media } = endpoint as Endpoint; // few of the literals have it
      const answer = await send(place, media !== undefined, {
        url: `${base}${path}${queryText(query)}`,
        method: endpoint.method,
        body: takesBody ? JSON.stringify(body ?? {}) : undefined,
      });
      return answer as never; // the server answers what the endpoint's schema says
    },
  };
}

type Texts = Readonly<Record<string, unknown>>;

function readBase(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed && /^https?:$/.test(parsed.protocol) && parsed.username === '' && parsed.password === '')
    return `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, '');
  const shown = url.replace(/\/\/[^/@]*@/, '//…@');
  throw invalid(
    `The server must be given as http://HOST:PORT or https://HOST, without name and password in it, got '${shown}'. Credentials come by COUNTERSIGN_TOKEN.`,
  );
}

function queryText(query: Texts): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) if (each !== undefined) search.append(name, String(each));
  }
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

interface Call {
  readonly url: string;
  readonly method: string;
  readonly body: string | undefined;
}

async function send(place: ServerPlace, isFile: boolean, call: Call): Promise<unknown> {
  const { status, bytes, warning } = await exchange(place, call);
  if (warning !== undefined) say(`countersign: ${warning}`);
  const isDone = status >= 200 && status < 300;
  if (isDone && isFile) return bytes;
  const text = bytes.toString('utf8');
  if (isDone) return text === '' ? {} : JSON.parse(text);
  const { error_code, message } = readError(text);
  const isForbidden = status === 403 ? 'PERMISSION_DENIED' : status === 401 ? 'UNAUTHENTICATED' : 'INTERNAL_ERROR';
  throw new Problem(error_code ?? isForbidden, message ?? `The server at ${place.url} answered ${status}: ${text.slice(0, 200)}`);
}

interface Received {
  readonly status: number;
  readonly bytes: Buffer;
  /** What stopped nothing. */
  readonly warning: string | undefined;
}

/** Other characters than ASCII's are written as in JSON. */
function warningIn(header: string | string[] | undefined): string | undefined {
  if (typeof header !== 'string') return undefined;
  return header.replaceAll(/\\u([0-9a-f]{4})/g, (_all, unit: string) => String.fromCharCode(Number.parseInt(unit, 16)));
}

function exchange(place: ServerPlace, { url, method, body }: Call): Promise<Received> {
  const request = url.startsWith('https:') ? requestHttps : requestHttp;
  const headers = {
    ...(place.authorization === undefined ? {} : { authorization: place.authorization }),
    ...(place.workspace === undefined ? {} : { 'x-mlflow-workspace': place.workspace }),
    ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
  };
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      reject(
        new Problem(
          'TEMPORARILY_UNAVAILABLE',
          `No server answers at ${place.url} (${reasonOf(error)}). Is it running, and is the address right?`,
          {
            cause: error,
          },
        ),
      );
    };
    const sent = request(url, { method, headers, timeout: ANSWER_MS, ...authorityOf(place) }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          bytes: Buffer.concat(pieces),
          warning: warningIn(response.headers['countersign-warning']),
        }),
      );
      response.on('error', fail);
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${ANSWER_MS / 1000} s`)));
    sent.on('error', fail);
    sent.end(body);
  });
}

function authorityOf({ authorityFile }: ServerPlace): { ca?: Buffer } {
  if (authorityFile === undefined) return {};
  try {
    return { ca: readFileSync(authorityFile) };
  } catch (error) {
    throw invalid(`The file of the certificate authority ${authorityFile} can't be read: ${reasonOf(error as Error)}.`);
  }
}

const UNTRUSTED: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);

function reasonOf(error: Error & { code?: string }): string {
  // OpenSSL's name for an answer that isn't TLS.
  if (error.code === 'EPROTO') return 'what answers there does not speak https';
  if (error.code !== undefined && UNTRUSTED.has(error.code))
    return `its certificate is not trusted here, ${error.code}; name its authority by MLFLOW_TRACKING_SERVER_CERT_PATH`;
  return error.code ?? error.message;
}

function readError(text: string): { error_code?: ProblemCode; message?: string } {
  try {
    return JSON.parse(text) as { error_code?: ProblemCode; message?: string }; // the server's form of a Problem
  } catch {
    return {};
  }
}
