/** Verifies an export of the record from its lines alone: no server, no database. Stops at the first entry that is wrong, and names it. */
import * as checkpoints from '../checkpoints/checkpoints.ts';
import * as events from '../events/events.ts';
import { type EventEntry, type ExportEntry, ExportReader, type KeyEntry, type RecordEntry } from './export-lines.ts';

export interface Fault {
  /** From 1. */
  readonly line: number;
  /** `event 12`, `the checkpoint over 40 events`. */
  readonly entry: string;
  readonly reason: string;
}

export interface ExportVerdict {
  /** Undefined: the export is whole. */
  readonly fault: Fault | undefined;
  readonly server: string | undefined;
  /** The record is verified behind this event, up to and with the other. */
  readonly afterSeq: number;
  readonly untilSeq: number;
  readonly checkpoints: number;
  /** Texts that were held against their commitments. */
  readonly texts: number;
  /** The newest checkpoint as a line, and which key signed it. */
  readonly newest: string | undefined;
  readonly keyId: string | undefined;
}

export interface Expectations {
  /** 32 bytes that were come by in another way than the export. */
  readonly trustedKey?: Uint8Array | undefined;
  /** Checkpoints that somebody kept: the record must go on from each. */
  readonly kept?: readonly checkpoints.SignedCheckpoint[];
}

export async function verifyExport(lines: AsyncIterable<string> | Iterable<string>, expected: Expectations = {}): Promise<ExportVerdict> {
  const verification = new Verification(expected);
  for await (const line of lines) if (!verification.take(line)) break;
  return verification.end();
}

class Verification {
  readonly #reader = new ExportReader();
  readonly #trustedKey: Uint8Array | undefined;
  /** By size, those that are still to come. */
  readonly #kept: checkpoints.SignedCheckpoint[];
  #line = 0;
  #record: RecordEntry | undefined;
  #audit: checkpoints.CheckpointAudit | undefined;
  #previous: Uint8Array = Buffer.alloc(0);
  #afterSeq = 0;
  #hasEvents = false;
  #isEnded = false;
  #checkpoints = 0;
  #texts = 0;
  #fault: Fault | undefined;

  constructor({ trustedKey, kept = [] }: Expectations) {
    this.#trustedKey = trustedKey;
    this.#kept = [...kept].sort((a, b) => a.size - b.size);
  }

  /** False: something is wrong, and no further line is of interest. */
  take(line: string): boolean {
    this.#line += 1;
    const read = this.#reader.read(line);
    if (read === undefined) return this.#refuse('the line', 'is not written as an export writes it');
    const { entry, isInPlace } = read;
    const reason = this.#refuseEntry(entry);
    if (reason !== undefined) return this.#refuse(nameOf(entry), reason);
    if (!isInPlace) {
      return this.#refuse(
        nameOf(entry),
        'does not stand behind the line that it was written behind: it was changed, or a line before it was dropped or moved',
      );
    }
    return true;
  }

  end(): ExportVerdict {
    if (this.#fault === undefined && !this.#isEnded) {
      this.#line += 1;
      this.#refuse('the end', 'is missing: the file was cut off');
    }
    const audit = this.#audit;
    return {
      fault: this.#fault,
      server: this.#record?.server,
      afterSeq: this.#afterSeq,
      untilSeq: audit?.size ?? 0,
      checkpoints: this.#checkpoints,
      texts: this.#texts,
      newest: audit?.newest && checkpoints.checkpointLine(audit.newest),
      keyId: audit?.signerId,
    };
  }

  #refuse(entry: string, reason: string): false {
    this.#fault = { line: this.#line, entry, reason };
    return false;
  }

  #refuseEntry(entry: ExportEntry): string | undefined {
    if (this.#isEnded) return 'stands behind the end';
    if (entry.kind === 'record') return this.#record === undefined ? this.#begin(entry) : 'stands there for a second time';
    const audit = this.#audit;
    if (audit === undefined) return 'stands where the beginning should: lines before it were dropped';
    switch (entry.kind) {
      case 'key':
        return this.#takeKey(audit, entry);
      case 'event':
        return this.#takeEvent(audit, entry);
      case 'checkpoint':
        return this.#takeCheckpoint(audit, entry.line);
      case 'end':
        this.#isEnded = true;
        return this.#refuseStart(audit) ?? this.#refuseEnd(audit, entry.size);
    }
  }

  #begin(entry: RecordEntry): string | undefined {
    const { server, after } = entry;
    const checkpoint = after === null ? undefined : checkpoints.readCheckpoint(after.checkpoint);
    if (after !== null && checkpoint === undefined) return 'goes on from something that is no checkpoint';
    this.#record = entry;
    this.#afterSeq = checkpoint?.size ?? 0;
    this.#previous = after === null ? events.firstPrevious(server) : Buffer.from(after.hash, 'hex');
    const start = { serverId: server, trustedKey: this.#trustedKey };
    if (after === null || checkpoint === undefined) {
      this.#audit = new checkpoints.CheckpointAudit(start);
      return undefined;
    }
    const frontier = readFrontier(checkpoint.size, after.frontier);
    if (frontier === undefined) return 'has a frontier that is not of its checkpoint';
    this.#audit = new checkpoints.CheckpointAudit({ ...start, after: { checkpoint, frontier } });
    return undefined;
  }

  #takeKey(audit: checkpoints.CheckpointAudit, { number, public_key, created_at, signed_by, signature }: KeyEntry): string | undefined {
    if (this.#hasEvents) return 'stands behind events';
    const publicKey = Buffer.from(public_key, 'base64');
    if (publicKey.length !== 32) return 'is no Ed25519 key';
    const key = { number, publicKey, createdAt: created_at, signedBy: signed_by, signature: Buffer.from(signature, 'base64') };
    return audit.takeKey(key);
  }

  /** Once all keys are there: what the export goes on from, and what was kept of that time. */
  #refuseStart(audit: checkpoints.CheckpointAudit): string | undefined {
    if (this.#hasEvents) return undefined;
    this.#hasEvents = true;
    const reason = audit.refuseStart();
    if (reason !== undefined) return `follows on a checkpoint that ${reason}`;
    for (const kept of this.#kept) {
      if (!audit.isOfOurs(kept)) return `belongs to a record whose keys did not sign the checkpoint over ${kept.size} events that you keep`;
      if (kept.size < this.#afterSeq)
        return `is the first one here, behind the checkpoint over ${kept.size} events that you keep: export from there, or from the beginning`;
    }
    return this.#refuseKept(audit);
  }

  #takeEvent(audit: checkpoints.CheckpointAudit, { seq, body, hash, texts = {} }: EventEntry): string | undefined {
    const start = this.#refuseStart(audit);
    if (start !== undefined) return start;
    if (seq !== audit.size + 1) return `stands where event ${audit.size + 1} should: events were dropped, added or moved`;
    const expected = events.chainHash(seq, this.#previous, body);
    if (expected.toString('hex') !== hash) return 'was changed: its hash does not follow from its body and the event before';
    const changed = this.#changedText(body, texts);
    if (changed !== undefined) return `was changed: its text '${changed}' is not the one that was committed to`;
    this.#previous = expected;
    audit.takeEvent(expected);
    return this.#refuseKept(audit);
  }

  #changedText(body: string, texts: NonNullable<EventEntry['texts']>): string | undefined {
    const fields = Object.entries(texts);
    if (fields.length === 0) return undefined;
    const commitments = commitmentsIn(body);
    this.#texts += fields.length;
    return fields.find(([field, { salt, text }]) => !events.isCommitted(commitments[field], Buffer.from(salt, 'hex'), text))?.[0];
  }

  #takeCheckpoint(audit: checkpoints.CheckpointAudit, line: string): string | undefined {
    const start = this.#refuseStart(audit);
    if (start !== undefined) return start;
    const checkpoint = checkpoints.readCheckpoint(line);
    if (checkpoint === undefined) return 'is not written as a checkpoint is';
    const reason = audit.takeCheckpoint(checkpoint);
    if (reason === undefined) this.#checkpoints += 1;
    return reason;
  }

  /** What somebody kept is held against the events as soon as there are as many. */
  #refuseKept(audit: checkpoints.CheckpointAudit): string | undefined {
    while (this.#kept[0]?.size === audit.size) {
      const kept = this.#kept.shift();
      if (kept !== undefined && !kept.root.equals(audit.root()))
        return `ends another record than the checkpoint over ${kept.size} events that you keep is over: it was rewritten before here`;
    }
    return undefined;
  }

  #refuseEnd(audit: checkpoints.CheckpointAudit, size: number): string | undefined {
    if (size !== audit.size) return `says that the last event is ${size}, and it is ${audit.size}`;
    const [kept] = this.#kept;
    if (kept !== undefined)
      return `comes at event ${audit.size}, and a checkpoint that you keep is over ${kept.size}: the record was cut off`;
    const covered = audit.newest?.size ?? 0;
    if (covered !== audit.size)
      return `comes at event ${audit.size}, and the last checkpoint is over ${covered}: those behind it are signed by nothing`;
    return audit.refuseTrust();
  }
}

/** A forged body may be anything. */
function commitmentsIn(body: string): Readonly<Record<string, unknown>> {
  try {
    const { commitments } = JSON.parse(body) as { readonly commitments?: unknown }; // null throws
    return typeof commitments === 'object' && commitments !== null ? { ...commitments } : {};
  } catch {
    // Then it commits to nothing.
    return {};
  }
}

function readFrontier(size: number, base64: string): ReturnType<typeof checkpoints.readFrontier> | undefined {
  try {
    return checkpoints.readFrontier(size, Buffer.from(base64, 'base64'));
  } catch {
    // Of another size.
    return undefined;
  }
}

function nameOf(entry: ExportEntry): string {
  switch (entry.kind) {
    case 'record':
      return 'the beginning';
    case 'key':
      return `checkpoint key ${entry.number}`;
    case 'event':
      return `event ${entry.seq}`;
    case 'checkpoint': {
      const size = checkpoints.readCheckpoint(entry.line)?.size;
      return size === undefined ? 'a checkpoint' : `the checkpoint over ${size} events`;
    }
    case 'end':
      return 'the end';
  }
}
