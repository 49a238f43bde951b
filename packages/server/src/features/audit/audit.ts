/** Reads the record for people: pages of events with their texts, the chain's verdict, and what stood where at a time. */
import { type Level, levelOf, RANK } from '@countersign/contract/levels.ts';
import type { Admission } from '@countersign/contract/permit.ts';
import { notFound } from '@countersign/contract/problem.ts';
import type { Stage } from '@countersign/contract/stages.ts';
import { type Ctx, reading } from '../../platform/context.ts';
import { demand } from '../access/access.ts';
import * as checkpoints from '../checkpoints/checkpoints.ts';
import * as events from '../events/events.ts';
import * as models from '../models/models.ts';
import { DEFAULT_WORKSPACE_ID } from '../workspaces/workspaces.ts';
import { type AccessEvent, foldAccess, foldMembers, type MemberThen, whoHad } from './access-history.ts';
import { foldPlaces, type Holder, occupants, type PlaceEvent } from './audit-rules.ts';

export type { Holder } from './audit-rules.ts';

/** An event read back: what was hashed, and the texts beside it. */
export interface AuditEvent {
  readonly seq: number;
  readonly recordedAt: number;
  readonly type: string;
  readonly version: number;
  readonly modelId: number | null;
  readonly versionId: number | null;
  readonly target: string | null;
  readonly principalId: number;
  /** null where it was done by no token. */
  readonly tokenId: number | null;
  /** null where nobody came over the network, where it was erased, and for whoever doesn't manage the workspace. */
  readonly clientAddress: string | null;
  readonly data: unknown;
  /** null where the text was erased. */
  readonly texts: Readonly<Record<string, string | null>>;
  readonly body: string;
  readonly hash: string;
}

export interface EventPageQuery {
  /** All of the workspace where it is undefined. */
  readonly modelId?: number;
  /** The last of the page before. */
  readonly afterSeq?: number | undefined;
  readonly newestFirst: boolean;
  readonly limit: number;
}

interface EventBody {
  readonly workspace_id: number;
  readonly principal_id: number;
  readonly token_id?: number;
  readonly model_id?: number;
  readonly version_id?: number;
  readonly target?: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly commitments?: Readonly<Record<string, string>>;
}

function readBody(body: string): EventBody {
  return JSON.parse(body) as EventBody; // the shape that the events room writes
}

/** A page in the chain's order, or against it. */
export async function listEvents(ctx: Ctx, query: EventPageQuery): Promise<AuditEvent[]> {
  const db = reading(ctx);
  const { modelId, afterSeq, newestFirst, limit } = query;
  const found = await events.list(db, {
    workspaceId: ctx.workspace.id,
    newestFirst,
    limit,
    without: await notFor(ctx, modelId),
    ...(modelId === undefined ? {} : { modelId }),
    ...(afterSeq === undefined ? {} : { afterSeq }),
  });
  const seqs = found.map((event) => event.seq);
  const texts = await events.listTexts(db, seqs);
  // From where people work is for who looks after the workspace, not for everybody who may see a model.
  const addresses = ctx.access.isManager ? await events.listAddresses(db, seqs) : undefined;
  return found.map((event) => withTexts(event, texts.get(event.seq), addresses));
}

/** People, credentials, providers and trusts are the server's, in whatever workspace they were changed. */
const OF_ADMINISTRATORS = ['account', 'token', 'provider', 'ci-trust', 'ci-token'];

/** Whoever may see a model, and not who may do what to it, isn't told by its events either. */
async function notFor(ctx: Ctx, modelId: number | undefined): Promise<readonly string[]> {
  if (ctx.access.isManager) return ctx.access.isAdmin || modelId !== undefined ? [] : OF_ADMINISTRATORS;
  const model = modelId === undefined ? undefined : await models.findById(ctx, modelId);
  const isManaged = model !== undefined && ctx.access.rankOf('registered-model', model) >= RANK.MANAGE;
  return isManaged ? [] : [...OF_ADMINISTRATORS, 'grant'];
}

function withTexts(
  event: events.RecordedEvent,
  texts: ReadonlyMap<string, string> | undefined,
  addresses: ReadonlyMap<number, string> | undefined,
): AuditEvent {
  const body = readBody(event.body);
  const fields = Object.keys(body.commitments ?? {}).filter((field) => field !== events.ADDRESS_FIELD);
  return {
    ...event,
    modelId: body.model_id ?? null,
    versionId: body.version_id ?? null,
    target: body.target ?? null,
    principalId: body.principal_id,
    tokenId: body.token_id ?? null,
    clientAddress: addresses?.get(event.seq) ?? null,
    data: body.data,
    texts: Object.fromEntries(fields.map((field) => [field, texts?.get(field) ?? null])),
  };
}

/** Recomputes every hash from the stored bytes, and holds the checkpoints against them. */
export function verify(ctx: Ctx): Promise<checkpoints.RecordVerdict> {
  return checkpoints.verifyRecord(ctx);
}

/** A page of the whole chain, of every workspace, with what is needed to verify it elsewhere. */
export function listChained(ctx: Ctx, query: events.ChainedQuery): Promise<readonly events.ChainedEvent[]> {
  return events.listChained(reading(ctx), query);
}

/** Which model is meant, by what it is called now or by its id. */
export type ModelQuestion = { readonly name: string } | { readonly id: number };

export interface Subject {
  readonly id: number;
  /** Today's; null once it is purged. */
  readonly name: string | null;
}

/**
 * The model of that name today; else one that was deleted since, and was there at the time. By id also one that was purged, as long as
 * it has events. Throws RESOURCE_DOES_NOT_EXIST.
 */
export async function findSubject(ctx: Ctx, question: ModelQuestion, asOf: number): Promise<Subject> {
  if ('id' in question) {
    const model = await models.findById(ctx, question.id);
    if (model) return model;
    const [first] = await listEvents(ctx, { modelId: question.id, newestFirst: false, limit: 1 });
    if (!first) throw notFound(`No registered model has, or had, the id ${question.id}.`);
    return { id: question.id, name: null };
  }
  const { name } = question;
  const current = await models.find(ctx, name);
  if (current && current.createdAt <= asOf) return current;
  const earlier = (await models.listDeleted(ctx, name)).filter((model) => model.createdAt <= asOf);
  const thereThen = earlier.find((model) => (model.deletedAt ?? 0) > asOf) ?? (current === undefined ? earlier.at(-1) : undefined);
  const subject = thereThen ?? current;
  if (subject) return subject;
  throw notFound(
    `Registered Model with name=${name} not found. One that was renamed or purged is found by its id: GET /api/v1/models/by-id/ID/…; ` +
      'GET /api/v1/deleted-models and GET /api/v1/events show ids.',
  );
}

export interface Moment<Answer> {
  readonly subject: Subject;
  readonly asOf: number;
  /** The last event recorded at or before that time. */
  readonly asOfSeq: number;
  readonly answer: Answer;
}

/** Who stood in a stage at a time (now, where it is undefined), by number. */
export async function getStage(
  ctx: Ctx,
  question: ModelQuestion,
  stage: Stage,
  asOf: number | undefined,
): Promise<Moment<readonly Holder[]>> {
  // A version is born into None without an event on it, so None follows from all events of the model.
  const target = stage === 'None' ? undefined : `stage:${stage}`;
  return at(ctx, question, asOf, async (subject, untilSeq) => occupants(await places(ctx, subject, target, untilSeq), stage));
}

/** What an alias pointed at at a time (now, where it is undefined). */
export async function getAlias(ctx: Ctx, question: ModelQuestion, alias: string, asOf: number | undefined): Promise<Moment<Holder | null>> {
  return at(ctx, question, asOf, async (subject, untilSeq) => {
    const { aliases } = await places(ctx, subject, `alias:${alias}`, untilSeq);
    return aliases.get(alias) ?? null;
  });
}

/** Why a change of a version was allowed. */
export interface PastDecision {
  readonly seq: number;
  readonly at: number;
  readonly principalId: number;
  readonly target: string;
  readonly change: 'enter' | 'leave';
  readonly admission: Admission;
  readonly digest: string | null;
  readonly evidence: string;
  readonly approvals: number[];
  readonly policies: { name: string; hash: string; mode: string; path: string; is_satisfied: boolean }[];
  /** Every reason; null where it was erased. */
  readonly decision: unknown;
}

const DECISIONS_MAX = 200;

/** What policies were asked about a version, newest first. */
export async function listDecisions(ctx: Ctx, version: { readonly id: number }): Promise<PastDecision[]> {
  const db = reading(ctx);
  const query = { versionId: version.id, types: ['transition.allowed'], newestFirst: true, limit: DECISIONS_MAX };
  const found = await events.listOfVersion(db, query);
  const texts = await events.listTexts(
    db,
    found.map(({ seq }) => seq),
  );
  return found.map((event) => {
    const body = readBody(event.body);
    const data = body.data as Pick<PastDecision, 'change' | 'admission' | 'digest' | 'evidence' | 'approvals' | 'policies'>; // as transitions writes it
    const { change, admission, digest, evidence, approvals } = data;
    const policies = data.policies.map(({ name, hash, mode, path, is_satisfied }) => ({ name, hash, mode, path, is_satisfied }));
    const decision = texts.get(event.seq)?.get('decision');
    return {
      seq: event.seq,
      at: event.recordedAt,
      principalId: body.principal_id,
      target: body.target ?? '',
      ...{ change, admission, digest, evidence, approvals, policies },
      decision: decision === undefined ? null : (JSON.parse(decision) as unknown),
    };
  });
}

export interface AccessAt {
  readonly accountId: number;
  readonly level: Level;
}

/** Which accounts could act on a model at a time (now, where it is undefined) with at least a level: who could have moved or approved it. */
export async function listAccess(
  ctx: Ctx,
  question: ModelQuestion,
  least: Level,
  asOf: number | undefined,
): Promise<Moment<readonly AccessAt[]>> {
  return at(ctx, question, asOf, async (subject, untilSeq) => {
    // Another model may have had the name then.
    demand(ctx, 'registered-model', { id: subject.id, ...(subject.name === null ? {} : { name: subject.name }) }, 'MANAGE');
    const then = await foldAccess(accessEvents(ctx, untilSeq));
    const { name, workspaceId } = await placeThen(ctx, subject, untilSeq);
    const isDefaultWorkspace = workspaceId === DEFAULT_WORKSPACE_ID;
    const had = whoHad(then, { workspaceId, isDefaultWorkspace, id: subject.id, name }, RANK[least]);
    return had.map(({ accountId, rank }) => ({ accountId, level: levelOf(rank) ?? least }));
  });
}

/** Who was in a group at a time. */
export async function listMembers(ctx: Ctx, groupId: number, asOf: number): Promise<readonly MemberThen[]> {
  return foldMembers(accessEvents(ctx, await events.lastSeqAt(reading(ctx), asOf)), groupId);
}

async function* accessEvents(ctx: Ctx, untilSeq: number): AsyncGenerator<AccessEvent & { readonly recordedAt: number }> {
  for await (const event of events.listOfAccess(reading(ctx), untilSeq)) {
    const body = readBody(event.body);
    yield { type: event.type, workspaceId: body.workspace_id, data: body.data, recordedAt: event.recordedAt };
  }
}

/** Prefixes went by the name that the model had, and grants by the workspace that it was in. */
async function placeThen(ctx: Ctx, subject: Subject, untilSeq: number): Promise<{ name: string; workspaceId: number }> {
  let name = subject.name ?? '';
  let workspaceId = ctx.workspace.id;
  const query = { workspaceId, modelId: subject.id, target: undefined, untilSeq };
  for await (const event of events.listOfModel(reading(ctx), query)) {
    if (!event.type.startsWith('registered-model.')) continue;
    const { data, workspace_id } = readBody(event.body);
    workspaceId = workspace_id;
    if (event.type === 'registered-model.renamed') name = String(data.to);
    else if (typeof data.name === 'string') name = data.name;
  }
  return { name, workspaceId };
}

async function at<Answer>(
  ctx: Ctx,
  question: ModelQuestion,
  given: number | undefined,
  answerFor: (subject: Subject, untilSeq: number) => Promise<Answer>,
): Promise<Moment<Answer>> {
  const asOf = given ?? ctx.clock.now();
  const { id, name } = await findSubject(ctx, question, asOf);
  const asOfSeq = await events.lastSeqAt(reading(ctx), asOf);
  return { subject: { id, name }, asOf, asOfSeq, answer: await answerFor({ id, name }, asOfSeq) };
}

function places(ctx: Ctx, subject: Subject, target: string | undefined, untilSeq: number) {
  return foldPlaces(placeEvents(ctx, subject.id, target, untilSeq));
}

async function* placeEvents(ctx: Ctx, modelId: number, target: string | undefined, untilSeq: number): AsyncGenerator<PlaceEvent> {
  for await (const event of events.listOfModel(reading(ctx), { workspaceId: ctx.workspace.id, modelId, target, untilSeq })) {
    const body = readBody(event.body);
    yield { ...event, versionId: body.version_id, principalId: body.principal_id, data: body.data };
  }
}
