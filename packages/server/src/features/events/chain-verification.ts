/** Whether the chain is whole where it is stored: hashes, what stands in columns beside the hashed bytes, and the texts. */
import { setImmediate } from 'node:timers/promises';
import type { Queries } from '../../platform/db/database.ts';
import * as originStore from './event-origin-store.ts';
import { listSaltedTexts, listWhole, type SaltedTextRow, type WholeRow } from './event-range-store.ts';
import { chainHash, firstPrevious, isCommitted } from './event-rules.ts';
import * as store from './event-store.ts';

export interface ChainVerdict {
  readonly ok: boolean;
  /** How many are right, from the first. */
  readonly events: number;
  /** The first that isn't, and why. */
  readonly firstBad?: number;
  readonly reason?: string;
}

export interface VerifiedEvent {
  readonly seq: number;
  readonly hash: Uint8Array;
}

const PAGE = 1000;

/** Recomputes everything from the stored bytes. `onStretch` is given what is right, in order, some at a time. */
export async function verifyChain(
  db: Queries,
  onStretch: (stretch: readonly VerifiedEvent[]) => Promise<void> = async () => {},
): Promise<ChainVerdict> {
  const head = await store.getHead(db);
  let previous: Uint8Array = firstPrevious(head.server_id);
  let seq = 0;
  let recordedAt = 0;
  const bad = (reason: string): ChainVerdict => ({ ok: false, events: seq, firstBad: seq + 1, reason });
  // Up to the head as it was: events that come meanwhile are not its business.
  while (seq < head.seq) {
    const page = await listWhole(db, seq, Math.min(PAGE, head.seq - seq));
    if (page.length === 0) break;
    const texts = await textsOf(db, page);
    const stretch: VerifiedEvent[] = [];
    for (const event of page) {
      if (event.seq !== seq + 1) return bad('is not there');
      const hash = chainHash(event.seq, previous, event.body);
      if (!hash.equals(event.hash)) return bad('does not follow from the one before');
      const reason = refuseRow(event, texts.get(event.seq) ?? []);
      if (reason !== undefined) return bad(reason);
      previous = hash;
      ({ seq, recordedAt } = event);
      stretch.push({ seq, hash });
    }
    await onStretch(stretch);
    // SQLite answers at once: without a turn of the loop nobody else would be served until the end.
    await setImmediate();
  }
  // Whoever sees an event sees the head that its commit moved; one behind the head was not written by the server.
  const [beyond] = await store.range(db, seq, 1);
  if (beyond && (await store.getHead(db)).seq <= seq) return bad('stands behind the end of the record');
  if (seq !== head.seq) return bad('is not there');
  if (Buffer.from(head.hash).equals(previous) && head.recorded_at === recordedAt) return { ok: true, events: seq };
  return { ok: false, events: seq, firstBad: seq, reason: 'is not the one that the end of the record says' };
}

async function textsOf(db: Queries, page: readonly WholeRow[]): Promise<ReadonlyMap<number, readonly SaltedTextRow[]>> {
  const seqs = page.map((event) => event.seq);
  const rows = [...(await listSaltedTexts(db, seqs)), ...(await originStore.listOf(db, seqs))];
  return Map.groupBy(rows, (row) => row.seq);
}

interface HashedBody {
  readonly commitments?: Readonly<Record<string, string>>;
  readonly model_id?: number;
  readonly recorded_at: number;
  readonly target?: string;
  readonly type: string;
  readonly version: number;
  readonly version_id?: number;
  readonly workspace_id: number;
}

/** Columns are what lists and searches go by: one that says another thing than the body hides an event, or shows it where it isn't. */
function refuseRow(row: WholeRow, texts: readonly SaltedTextRow[]): string | undefined {
  const body = JSON.parse(row.body) as HashedBody; // its hash was right, so the server wrote it
  const isAsHashed =
    row.recordedAt === body.recorded_at &&
    row.workspaceId === body.workspace_id &&
    row.type === body.type &&
    row.version === body.version &&
    row.modelId === (body.model_id ?? null) &&
    row.versionId === (body.version_id ?? null) &&
    row.target === (body.target ?? null);
  if (!isAsHashed) return 'is stored under another type, time or place than was hashed';
  const changed = texts.find(({ field, salt, text }) => !isCommitted(body.commitments?.[field], salt, text));
  return changed && `has a text '${changed.field}' that is not the one that was committed to`;
}
