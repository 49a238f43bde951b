/** What the events of a version say about it, as the pack repeats it for people. Pure, so that whoever verifies a pack comes to the same. */
import { isObject, parse } from './pack-rules.ts';

/** A line of `events.jsonl`. */
export interface PackedEvent {
  readonly seq: number;
  /** In hex, of this event and of the one before it in the chain. */
  readonly hash: string;
  readonly previous: string;
  /** The exact bytes that were hashed. */
  readonly body: string;
  /** Beside the chain, with the salts of their commitments; those that were erased are not there. */
  readonly texts: Readonly<Record<string, { readonly salt: string; readonly text: string }>>;
  /** RFC 6962 §2.1.1, base64: that it is under the checkpoint. */
  readonly proof: readonly string[];
}

/** Read from the body. */
export interface EventFacts {
  readonly seq: number;
  readonly at: number;
  readonly type: string;
  readonly by: number;
  readonly modelId: number | undefined;
  readonly versionId: number | undefined;
  readonly target: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
  readonly texts: Readonly<Record<string, string>>;
}

/** Undefined for a body that no event has. */
export function factsOf({ seq, body, texts }: Pick<PackedEvent, 'seq' | 'body' | 'texts'>): EventFacts | undefined {
  const read = parse(body);
  if (!isObject(read) || typeof read.type !== 'string' || !isObject(read.data)) return undefined;
  const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
  return {
    seq,
    at: number(read.recorded_at) ?? 0,
    type: read.type,
    by: number(read.principal_id) ?? -1,
    modelId: number(read.model_id),
    versionId: number(read.version_id),
    target: typeof read.target === 'string' ? read.target : undefined,
    data: read.data,
    texts: Object.fromEntries(Object.entries(texts).map(([field, { text }]) => [field, text])),
  };
}

/** Who may do what is not told by a pack, which others than the model's managers get. */
const OF_ACCESS = /^(?:grant|account|token|provider|ci-trust|ci-token|group|membership)\./;

export interface PackSubject {
  readonly id: number;
  readonly modelId: number;
}

/**
 * The version's own events, those of its model, and what else stood in the model's places; of what was asked and allowed before there was a version,
 * what this one came from.
 */
export function belonging(events: readonly EventFacts[], subject: PackSubject): EventFacts[] {
  const near = events.filter((event) => mayBelong(event, subject));
  const entry = entryOf(near, subject);
  return near.filter((event) => event.versionId !== undefined || !isOfEntry(event) || entry(event));
}

/** Whether that can't be told from the event alone, or it does. */
export function mayBelong(event: EventFacts, { id, modelId }: PackSubject): boolean {
  if (event.modelId !== modelId || OF_ACCESS.test(event.type)) return false;
  return event.versionId === id || event.versionId === undefined || /^(?:stage|alias):/.test(event.target ?? '');
}

/** Into the model, of whichever version. */
function isOfEntry({ type, target, data }: EventFacts): boolean {
  if (type === 'transition.allowed') return target === 'entry';
  return type.startsWith('request.') ? data.target === 'entry' : data.candidate_id !== undefined;
}

/** Recorded in the transaction of the registration, shortly before the version itself. */
const ENTRY_EVENTS_MAX = 10;

/** Which of the events of entry are of this version: by its candidate, and by the approvals that let it in. */
function entryOf(events: readonly EventFacts[], { id }: PackSubject): (event: EventFacts) => boolean {
  const own = events.filter((event) => event.versionId === id);
  const createdAt = own.find(({ type }) => type === 'model-version.created')?.seq ?? 0;
  const candidates = new Set(own.flatMap(({ data }) => (typeof data.candidate_id === 'number' ? [data.candidate_id] : [])));
  const isAllowed = ({ seq, data }: EventFacts): boolean =>
    candidates.has(Number(/^candidate:(\d+)$/.exec(String(data.about))?.[1])) ||
    (data.about === 'candidate:0' && seq < createdAt && seq >= createdAt - ENTRY_EVENTS_MAX);
  const allowed = events.filter((event) => event.type === 'transition.allowed' && isOfEntry(event) && isAllowed(event));
  const approvals = new Set(allowed.flatMap(({ data }) => (Array.isArray(data.approvals) ? (data.approvals as unknown[]) : [])));
  const requests = new Set(events.flatMap(({ data }) => (approvals.has(data.approval_id) ? [data.request_id] : [])));
  return (event) => allowed.includes(event) || requests.has(event.data.request_id) || candidates.has(Number(event.data.candidate_id));
}

/** The digest that the version was sealed with, as the chain has it; undefined where it wasn't. */
export function sealedDigest(events: readonly EventFacts[], versionId: number): string | undefined {
  const digests = events.flatMap(({ versionId: id, type, data }) => {
    if (id !== versionId) return [];
    if (type === 'model-version.sealed') return [data.digest];
    return type === 'model-version.created' && isObject(data.seal) ? [data.seal.digest] : [];
  });
  return digests.findLast((digest) => typeof digest === 'string');
}

/** Digest of the newest snapshot of evidence that was taken; undefined where none was. */
export function newestEvidence(events: readonly EventFacts[], versionId: number): string | undefined {
  const taken = events.filter(
    (event) => event.versionId === versionId && (event.type === 'evidence.taken' || event.type === 'evidence.renewed'),
  );
  return taken.map(({ data }) => data.digest).findLast((digest) => typeof digest === 'string');
}

/** Hashes of the policies under which something was approved or allowed, in order. */
export function policiesIn(events: readonly EventFacts[]): string[] {
  const hashes = events.flatMap(({ data: { policies } }) => (Array.isArray(policies) ? (policies as unknown[]) : []));
  const named = hashes.map((each) => (isObject(each) ? each.hash : each)).filter((each) => typeof each === 'string' && isDigest(each));
  return [...new Set(named as string[])].sort(); // the filter left nothing else
}

/** Digests of the evidence that something was approved or allowed by, in order. */
export function evidenceIn(events: readonly EventFacts[], versionId: number): string[] {
  const digests = events.filter((event) => event.versionId === versionId).map(({ data }) => data.evidence);
  return [...new Set(digests.filter((each) => typeof each === 'string' && isDigest(each)) as string[])].sort(); // likewise
}

function isDigest(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

type Members = Readonly<Record<string, unknown>>;

/** `approvals.json`. */
export interface Approvals {
  readonly requests: readonly Members[];
  readonly approvals: readonly Members[];
  /** Why each change was allowed, with the reasons of that day. */
  readonly decisions: readonly Members[];
}

export function approvalsIn(events: readonly EventFacts[]): Approvals {
  const requests = new Map<unknown, Record<string, unknown>>();
  const approvals = new Map<unknown, Members>();
  const decisions: Members[] = [];
  for (const event of events) {
    const { seq, at, by, data, texts } = event;
    if (event.type === 'transition.allowed') {
      decisions.push({ seq, at, by, target: event.target ?? null, ...data, decision: parse(texts.decision ?? '') ?? null });
    } else if (event.type.startsWith('request.') && data.request_id !== undefined) {
      const request = requests.get(data.request_id) ?? { request_id: data.request_id };
      const verb = event.type.slice('request.'.length);
      requests.set(data.request_id, { ...request, ...stepOf(verb, event) });
      if (verb !== 'approved' || data.approval_id === undefined || approvals.has(data.approval_id)) continue;
      const { approval_id, request_id, target, digest, evidence, policies } = data;
      const bound = { digest: digest ?? null, evidence: evidence ?? null, policies: policies ?? [] };
      approvals.set(approval_id, {
        approval_id,
        request_id,
        seq,
        at,
        by,
        target: target ?? null,
        ...bound,
        comment: texts.comment ?? null,
      });
    }
  }
  return { requests: [...requests.values()], approvals: [...approvals.values()], decisions };
}

function stepOf(verb: string, { seq, at, by, data, texts }: EventFacts): Members {
  if (verb === 'opened') {
    return {
      target: data.target ?? null,
      subject: texts.subject ?? data.target ?? null,
      opened_by: by,
      opened_at: at,
      opened_seq: seq,
      comment: texts.comment ?? null,
    };
  }
  // An approval may be one of several that it takes; what carries it out is an event of its own.
  return { state: verb, last_by: by, last_at: at, last_seq: seq, ...(data.cause === undefined ? {} : { cause: data.cause }) };
}

/** `checks.json`: every report, in order. */
export function checksIn(events: readonly EventFacts[]): readonly Members[] {
  return events
    .filter(({ type }) => type === 'check.reported')
    .map(({ seq, at, by, data, texts }) => ({
      seq,
      at,
      by,
      ...data,
      summary: texts.summary ?? null,
      details_url: texts.details_url ?? null,
    }));
}
