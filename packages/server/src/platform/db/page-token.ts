/** Page tokens as MLflow writes them: base64 of {"offset": N}; opaque to clients. */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid } from '@countersign/contract/problem.ts';

export function encodeOffset(offset: number): string {
  return Buffer.from(JSON.stringify({ offset })).toString('base64');
}

/** Absent or empty is the start. */
export function decodeOffset(token: string | undefined): number {
  if (token === undefined || token === '') return 0;
  if (!/^[A-Za-z0-9+/=_-]+$/.test(token))
    throw invalid(`Invalid page token, could not base64-decode: '${clip(token)}'. Use a next_page_token that this server gave.`);
  const text = Buffer.from(token, 'base64').toString('utf8');
  try {
    const { offset } = JSON.parse(text) as { offset?: unknown };
    if (typeof offset === 'number' && Number.isSafeInteger(offset) && offset > 0) return offset;
  } catch {
    // Falls through to the same refusal.
  }
  throw invalid(`Invalid page token, parsed value=${clip(text)}. Use a next_page_token that this server gave.`);
}
