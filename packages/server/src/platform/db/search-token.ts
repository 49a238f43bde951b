/**
 * Page tokens: base64 of JSON with an `offset`, as upstream's, and beside it the keys of the last row, so that a later page costs what
 * the first one did. Tokens with an offset alone are served too.
 */
import { hash } from 'node:crypto';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid } from '@countersign/contract/problem.ts';
import { parseExact } from '../http/json.ts';
import type { FoundRow, KeyValue, SortKey } from './search-plan.ts';
import { OFFSET_MAX } from './search-scan.ts';

export interface PageStart {
  /** How many rows come before the page. */
  readonly offset: number;
  /** The keys of the last of them. */
  readonly after: readonly KeyValue[] | undefined;
}

const FIRST_PAGE: PageStart = { offset: 0, after: undefined };

/** `order` names the order and scope in which the rows come; `also` is kept beside the offset. */
export function writeToken(start: PageStart, order: string, also: object = {}): string {
  const after = start.after?.map(({ rank, value }) => [rank, value]);
  return Buffer.from(JSON.stringify({ ...also, offset: start.offset, after, order: digest(order) })).toString('base64');
}

/** Empty: the first page. Throws INVALID_PARAMETER_VALUE. */
export function readToken(token: string, order: string, keys: readonly SortKey[]): PageStart {
  if (token === '') return FIRST_PAGE;
  const members = decodeToken(token);
  const offset = Number(members.offset);
  if (!members.offset || !Number.isInteger(offset) || offset < 0) {
    throw invalid(`Invalid page token, parsed value=${clip(JSON.stringify(members))}. Send the next_page_token of the page before.`);
  }
  const after = members.order === digest(order) ? readKeys(members.after, keys) : undefined;
  return { offset, after };
}

export function decodeToken(token: string): Record<string, unknown> {
  // Characters outside of the alphabet are ignored, as upstream does.
  const digits = token.replace(/[^A-Za-z0-9+/=]/g, '');
  if (digits.length % 4 !== 0) {
    throw invalid('Invalid page token, could not base64-decode. Send the next_page_token of the page before.');
  }
  const text = Buffer.from(digits, 'base64').toString('utf8');
  try {
    const members = parseExact(text);
    if (typeof members === 'object' && members !== null && !Array.isArray(members)) return members as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw invalid(`Invalid page token, decoded value=b'${clip(text)}'. Send the next_page_token of the page before.`);
}

function digest(order: string): string {
  return hash('sha256', order, 'base64url').slice(0, 12);
}

/** Undefined where they aren't the keys of such a row: the offset serves then. */
function readKeys(after: unknown, keys: readonly SortKey[]): KeyValue[] | undefined {
  if (!Array.isArray(after) || after.length !== keys.length) return undefined;
  const read: KeyValue[] = [];
  for (const [i, key] of keys.entries()) {
    const item: unknown = after[i];
    if (!Array.isArray(item) || item.length !== 2) return undefined;
    const [rank, value] = item as unknown[];
    if (rank !== 0 && rank !== 1 && rank !== 2) return undefined;
    if (rank === 0 ? !isOfType(value, key.type) : value !== null) return undefined;
    // A whole number beyond 2^53 is read exactly, even where it was a double.
    const exact = key.type === 'real' && typeof value === 'bigint' ? Number(value) : value;
    read.push({ rank, value: exact as KeyValue['value'] }); // narrowed by isOfType
  }
  return read;
}

function isOfType(value: unknown, type: SortKey['type']): boolean {
  switch (type) {
    case 'text':
      return typeof value === 'string' && !value.includes('\0') && value.isWellFormed();
    case 'integer':
      return Number.isSafeInteger(value) || (typeof value === 'bigint' && BigInt.asIntN(64, value) === value);
    case 'real':
      return (typeof value === 'number' || typeof value === 'bigint') && Number.isFinite(Number(value));
  }
}

/** Of the rows asked for (one more than the page holds), the page and the token of the next. */
export function pageOf(
  rows: readonly FoundRow[],
  page: { readonly size: number; readonly start: PageStart; readonly order: string; readonly also?: object },
): { readonly pks: number[]; readonly nextPageToken: string | undefined } {
  if (page.start.after === undefined && page.start.offset > OFFSET_MAX && rows.length > 0) {
    throw invalid(
      `Invalid page token: the offset ${page.start.offset} is beyond ${OFFSET_MAX}. Follow the next_page_token of each page instead.`,
    );
  }
  const shown = rows.slice(0, page.size);
  const last = shown[shown.length - 1];
  const pks = shown.map((row) => row.pk);
  if (rows.length <= page.size || last === undefined) return { pks, nextPageToken: undefined };
  return { pks, nextPageToken: writeToken({ offset: page.start.offset + page.size, after: last.keys }, page.order, page.also) };
}

/** Where the plan starts: behind the cursor, or by counting, which has an end. */
export function startOf(start: PageStart): { readonly offset: number; readonly after: readonly KeyValue[] | undefined } {
  if (start.after !== undefined) return { offset: 0, after: start.after };
  return { offset: Math.min(start.offset, OFFSET_MAX), after: undefined };
}
