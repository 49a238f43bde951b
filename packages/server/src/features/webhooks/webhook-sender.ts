/** One request to a receiver: the rules for URLs are kept on the connection itself, at every redirect too. */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import { invalid, Problem } from '@countersign/contract/problem.ts';
import { isPublicAddress, lookupPublic, notPublic } from './public-address.ts';
import { checkUrl } from './webhook-rules.ts';

export interface UrlRules {
  /** Lower case, without colon. */
  readonly schemes: readonly string[];
  readonly allowPrivate: boolean;
}

export interface Letter {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** At most its first 64 KiB. */
  readonly body: string;
}

const REDIRECTS_MAX = 5;
const ANSWER_BYTES_MAX = 64 << 10;

/** Throws a Problem for a URL that may not be called, another error where the receiver can't be reached. */
export async function post(letter: Letter, rules: UrlRules, signal: AbortSignal): Promise<Answer> {
  let url = checkUrl(letter.url, rules.schemes);
  for (let hop = 0; ; hop += 1) {
    const { location, ...answer } = await postOnce(url, letter, rules, signal);
    if (answer.status < 300 || answer.status > 399 || location === undefined) return answer;
    if (answer.status !== 307 && answer.status !== 308) {
      throw invalid(
        `The receiver redirects with status ${answer.status}, which would lose the content. Set the webhook's URL to where it is.`,
      );
    }
    if (hop >= REDIRECTS_MAX) throw invalid(`The receiver redirects more than ${REDIRECTS_MAX} times.`);
    url = checkUrl(new URL(location, url).href, rules.schemes);
  }
}

function postOnce(url: URL, letter: Letter, rules: UrlRules, signal: AbortSignal): Promise<Answer & { location: string | undefined }> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  // A literal address is connected to without a look-up.
  if (!rules.allowPrivate && isIP(host) !== 0 && !isPublicAddress(host)) return Promise.reject(notPublic(host, host));
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const req = send(url, {
      method: 'POST',
      agent: false,
      signal,
      headers: { ...letter.headers, 'Content-Length': String(Buffer.byteLength(letter.body)) },
      ...(rules.allowPrivate ? {} : { lookup: lookupPublic }),
    });
    req.on('error', reject);
    req.on('response', (res) => {
      const pieces: Buffer[] = [];
      let size = 0;
      const finish = (): void =>
        resolve({
          status: res.statusCode ?? 0,
          retryAfter: res.headers['retry-after'],
          location: res.headers.location,
          body: Buffer.concat(pieces).subarray(0, ANSWER_BYTES_MAX).toString('utf8'),
        });
      res.on('data', (piece: Buffer) => {
        pieces.push(piece);
        size += piece.length;
        if (size < ANSWER_BYTES_MAX) return;
        finish();
        res.destroy();
      });
      res.on('end', finish);
      res.on('error', reject);
    });
    req.end(letter.body);
  });
}

/** For people: without the stack and the codes. */
export function sentenceOf(error: unknown): string {
  if (error instanceof Problem) return error.message;
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'the receiver did not answer in time';
  return error.message || String((error as NodeJS.ErrnoException).code ?? error.name);
}
