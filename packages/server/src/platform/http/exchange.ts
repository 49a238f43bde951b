/** One request and its answer, as handlers see them. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parse as parseQuery } from 'node:querystring';
import type { Permission } from '@countersign/contract/permissions.ts';
import { invalid, Problem } from '@countersign/contract/problem.ts';
import { parseJson } from './json.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Reply {
  readonly status?: number;
  /** Default `application/json`. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** `undefined` where the handler wrote the answer itself (streams). */
export type Handler = (exchange: Exchange) => Promise<Reply | undefined> | Reply | undefined;

export interface Route {
  readonly method: Method;
  /** As find-my-way writes them: `/a/:id`, `/files/*`. */
  readonly path: string;
  /** What the caller must be allowed; declared here, never called for in the handler. */
  readonly permission: Permission;
  readonly handle: Handler;
}

export const BODY_BYTES_MAX = 16 << 20;

export class Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly path: string;
  readonly rawQuery: string;
  readonly requestId: string;
  params: Readonly<Record<string, string | undefined>> = {};
  /** What `json` read, for a refusal that shows a value as it was written. */
  jsonBytes: Buffer | undefined;
  /** For the caller, beside the answer; each once. */
  warnings: ReadonlySet<string> | undefined;

  constructor(req: IncomingMessage, res: ServerResponse, requestId: string) {
    const given = req.url ?? '/';
    // A base URL with a slash at its end, joined with a path.
    const url = given.startsWith('//') ? given.replace(/^\/+/, '/') : given;
    const mark = url.indexOf('?');
    this.req = req;
    this.res = res;
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.rawQuery = mark < 0 ? '' : url.slice(mark + 1);
    this.requestId = requestId;
  }

  warn(text: string): void {
    this.warnings = new Set([...(this.warnings ?? []), text]);
  }

  header(name: string): string | undefined {
    const value = this.req.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** Repeated keys are lists. */
  query(): Record<string, string | string[] | undefined> {
    if (this.rawQuery === '') return {};
    checkPercentEncoding(this.rawQuery);
    return parseQuery(this.rawQuery);
  }

  async body(maxBytes = BODY_BYTES_MAX): Promise<Buffer> {
    const announced = Number(this.req.headers['content-length'] ?? 0);
    if (announced > maxBytes) throw tooLarge(maxBytes);
    return new Promise((resolve, reject) => {
      const pieces: Buffer[] = [];
      let size = 0;
      this.req.on('data', (piece: Buffer) => {
        size += piece.length;
        if (size > maxBytes) reject(tooLarge(maxBytes));
        else pieces.push(piece);
      });
      this.req.on('end', () => resolve(pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces)));
      this.req.on('error', () => reject(invalid('The request body ended before it was complete. Send it again.')));
    });
  }

  /** The JSON body; a DELETE or POST without body is an empty object. */
  async json(maxBytes = BODY_BYTES_MAX): Promise<unknown> {
    const bytes = await this.body(maxBytes);
    this.jsonBytes = bytes;
    const type = this.req.headers['content-type'];
    if (bytes.length > 0 && (type === undefined || !/^\s*application\/json\s*(;|$)/i.test(type))) {
      throw invalid(
        `Bad Request. Content-Type should be 'application/json', got ${type === undefined ? 'none' : `'${type.slice(0, 100)}'`}.`,
      );
    }
    return parseJson(bytes);
  }
}

function tooLarge(maxBytes: number): Problem {
  return new Problem('REQUEST_TOO_LARGE', `The request body is larger than ${maxBytes} bytes. Split it into smaller requests.`);
}

function checkPercentEncoding(raw: string): void {
  if (!raw.includes('%')) return;
  try {
    decodeURIComponent(raw.replaceAll('+', ' '));
  } catch {
    throw invalid('The query string is not valid percent-encoded UTF-8.');
  }
}
