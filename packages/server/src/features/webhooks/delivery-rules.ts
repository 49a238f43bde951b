/** How a delivery is named, signed, and tried again (mlflow/webhooks/delivery.py). */
import { createHash, createHmac } from 'node:crypto';

/** The form of a uuid4. The same event has the same id for a webhook, also after a restart, so that a receiver can drop what it has. */
export function deliveryId(webhookId: string, seq: number): string {
  const digest = createHash('sha256').update(`countersign.webhook-delivery\n${webhookId}\n${seq}`).digest();
  return uuid(digest.subarray(0, 16));
}

export function uuid(sixteen: Uint8Array): string {
  const bytes = Buffer.from(sixteen);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** `v1,` and base64 of HMAC-SHA256 over `<delivery id>.<unix seconds>.<body>`. */
export function signature(secret: string, id: string, seconds: string, body: string): string {
  return `v1,${createHmac('sha256', secret).update(`${id}.${seconds}.${body}`, 'utf8').digest('base64')}`;
}

/** ISO 8601 in UTC with microseconds, as Python writes it. */
export function isoTime(at: number): string {
  return new Date(at).toISOString().replace(/Z$/, '000+00:00');
}

const RETRIED = new Set([429, 500, 502, 503, 504]);

export function isRetried(status: number): boolean {
  return RETRIED.has(status);
}

const PAUSE_MAX_MS = 60_000;
const JITTER_MAX_MS = 1000;

/**
 * The pause before a retry, counted from 1: none, 2 s, 4 s … 60 s, and up to a second of `chance` (0 to 1). A Retry-After of the receiver
 * takes its place, up to 60 s.
 */
export function pauseMs(retry: number, chance: number, retryAfter: string | undefined, now: number): number {
  const asked = retryAfter === undefined ? undefined : readRetryAfter(retryAfter, now);
  if (asked !== undefined) return Math.min(asked, PAUSE_MAX_MS);
  if (retry <= 1) return 0;
  return Math.min(1000 * 2 ** (retry - 1) + chance * JITTER_MAX_MS, PAUSE_MAX_MS);
}

function readRetryAfter(text: string, now: number): number | undefined {
  if (/^\s*\d{1,9}\s*$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
