/** `events.jsonl`, held against the checkpoint: each event follows from its body, and its hash is in the signed tree. */
import { provesInclusion, type SignedCheckpoint } from '../checkpoints/checkpoints.ts';
import { chainHash, isCommitted } from '../events/events.ts';
import { areTexts } from './key-line.ts';
import { belonging, type EventFacts, factsOf, type PackedEvent } from './pack-event-rules.ts';
import { isObject, type PackIndex, parse } from './pack-rules.ts';

/** Members in one order, so that the same events are the same bytes. */
export function eventLine({ seq, hash, previous, body, texts, proof }: PackedEvent): string {
  const fields = Object.entries(texts).sort(([a], [b]) => (a < b ? -1 : 1));
  const ordered = Object.fromEntries(fields.map(([field, { salt, text }]) => [field, { salt, text }]));
  return `${JSON.stringify({ seq, hash, previous, body, texts: ordered, proof })}\n`;
}

/** In the chain's order; or what is wrong, as the end of a sentence about the file. */
export function readEvents(
  text: string,
  index: Pick<PackIndex, 'model' | 'version'>,
  checkpoint: SignedCheckpoint,
): { readonly events: readonly EventFacts[] } | { readonly fault: string } {
  const events: EventFacts[] = [];
  const lines = text.split('\n');
  if (lines.pop() !== '') return { fault: 'does not end with a line' };
  for (const [at, line] of lines.entries()) {
    const event = readLine(line);
    if (event === undefined) return { fault: `holds no event on line ${at + 1}` };
    const reason = faultOf(event, events.at(-1)?.seq ?? 0, checkpoint);
    if (reason !== undefined) return { fault: `holds event ${event.seq}, which ${reason}` };
    const facts = factsOf(event);
    if (facts === undefined) return { fault: `holds event ${event.seq}, which is written as no event is` };
    events.push(facts);
  }
  const own = new Set(belonging(events, { id: index.version.id, modelId: index.model.id }));
  const other = events.find((event) => !own.has(event));
  if (other !== undefined) return { fault: `holds event ${other.seq}, which is not about this version or its places` };
  return { events };
}

function faultOf(event: PackedEvent, lastSeq: number, checkpoint: SignedCheckpoint): string | undefined {
  if (event.seq <= lastSeq) return `stands behind event ${lastSeq}`;
  const hash = chainHash(event.seq, Buffer.from(event.previous, 'hex'), event.body);
  if (hash.toString('hex') !== event.hash) return 'was changed: its hash does not follow from its body';
  const proof = event.proof.map((each) => Buffer.from(each, 'base64'));
  if (!provesInclusion(hash, event.seq - 1, checkpoint, proof)) return `is not under the checkpoint over ${checkpoint.size} events`;
  const commitments = commitmentsIn(event.body);
  const changed = Object.entries(event.texts).find(
    ([field, { salt, text }]) => !isCommitted(commitments[field], Buffer.from(salt, 'hex'), text),
  );
  return changed && `was changed: its text '${changed[0]}' is not the one that was committed to`;
}

function commitmentsIn(body: string): Readonly<Record<string, unknown>> {
  const read = parse(body);
  return isObject(read) && isObject(read.commitments) ? read.commitments : {};
}

const isHash = (value: unknown): boolean => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);

function readLine(line: string): PackedEvent | undefined {
  const read = parse(line);
  if (!isObject(read)) return undefined;
  const { seq, hash, previous, body, texts, proof } = read;
  const isPlaced = Number.isSafeInteger(seq) && Number(seq) > 0 && isHash(hash) && isHash(previous) && typeof body === 'string';
  const isProved = isObject(texts) && Object.values(texts).every(isSalted) && areTexts(proof);
  return isPlaced && isProved ? (read as unknown as PackedEvent) : undefined; // all of it was looked at
}

function isSalted(value: unknown): boolean {
  return isObject(value) && typeof value.salt === 'string' && typeof value.text === 'string';
}
