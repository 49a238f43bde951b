/** What the headers of a download ask for (RFC 9110 §13 and §14): the whole, a part, or nothing new. Pure. */
import type { ByteRange } from '../platform/blobs/blob-store.ts';

export interface Validators {
  /** With quotes; undefined for files that the server doesn't hold. */
  readonly etag: string | undefined;
  /** Epoch ms. */
  readonly updatedAt: number;
}

type Header = (name: string) => string | undefined;

export function isUnchanged(header: Header, { etag, updatedAt }: Validators): boolean {
  const known = header('if-none-match');
  if (known !== undefined) {
    if (known.trim() === '*') return true;
    return etag !== undefined && known.split(',').some((one) => one.trim().replace(/^W\//, '') === etag);
  }
  const since = Date.parse(header('if-modified-since') ?? '');
  return !Number.isNaN(since) && Math.floor(updatedAt / 1000) * 1000 <= since;
}

/** Undefined for the whole; several ranges, other units and malformed ones mean the whole too, as the standard allows. */
export function requestedRange(
  header: Header,
  sizeBytes: number,
  { etag, updatedAt }: Validators,
): ByteRange | 'unsatisfiable' | undefined {
  const asked = /^bytes=(\d{0,15})-(\d{0,15})$/.exec((header('range') ?? '').replaceAll(' ', ''));
  const [from, to] = [asked?.[1] ?? '', asked?.[2] ?? ''];
  if (from === '' && to === '') return undefined;
  const only = header('if-range');
  if (only !== undefined && only !== etag && Date.parse(only) !== Math.floor(updatedAt / 1000) * 1000) return undefined;
  if (from === '') {
    const suffix = Math.min(Number(to), sizeBytes);
    return suffix === 0 ? 'unsatisfiable' : { start: sizeBytes - suffix, end: sizeBytes - 1 };
  }
  const start = Number(from);
  const end = to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
  if (to !== '' && Number(to) < start) return undefined;
  return start >= sizeBytes ? 'unsatisfiable' : { start, end };
}
