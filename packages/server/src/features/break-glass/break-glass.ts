/**
 * Broken glass: a way past a policy's requirements, opened by a person with reason and ticket, used once, and closed until somebody else has
 * looked. Whether it may be opened and used is decided by the rules of policies; here is what happened. Words stand beside the events alone.
 */
import { RANK } from '@countersign/contract/levels.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { checkLength } from '@countersign/contract/names.ts';
import type { BreakGlassFacts } from '@countersign/contract/policy-facts.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import { type Ctx, reading, type TxCtx, transaction } from '../../platform/context.ts';
import * as events from '../events/events.ts';
import * as models from '../models/models.ts';
import * as people from '../people/people.ts';
import type { OpeningRow, OpeningState } from './break-glass-store.ts';
import * as store from './break-glass-store.ts';

export { OPENING_STATES, type OpeningState } from './break-glass-store.ts';

const WORDS_MAX = 4000;
const TICKET_MAX = 500;
const MINUTES_MAX = 1440;
const USES_MAX = 100;
const MINUTE_MS = 60_000;
/** Whoever set another's credentials can act as him. */
const QUIET_MS = 7 * 24 * 60 * MINUTE_MS;

export interface Opening extends OpeningRow {
  readonly state: OpeningState;
  /** Null where they were erased. */
  readonly reason: string | null;
  readonly ticket: string | null;
  /** What was done through it, in full where it isn't erased. */
  readonly subject: string | null;
  readonly note: string | null;
}

export interface NewOpening {
  readonly policyName: string;
  /** As the policy says. */
  readonly minutes: number;
  readonly reason: string;
  readonly ticket: string;
}

/** The caller is a person whom the policy's permission lets do it: that is asked before. */
export function open(ctx: Ctx, input: NewOpening): Promise<Opening> {
  checkWords(input.reason, 'reason', WORDS_MAX);
  checkWords(input.ticket, 'ticket', TICKET_MAX);
  if (!Number.isInteger(input.minutes) || input.minutes < 1 || input.minutes > MINUTES_MAX) {
    throw new TypeError(`a policy opens for 1 to ${MINUTES_MAX} minutes, not ${input.minutes}`);
  }
  if (ctx.principal.kind !== 'user') {
    throw new Problem(
      'PERMISSION_DENIED',
      `Permission denied: '${clip(ctx.principal.name)}' is no person. Somebody with the permission that policy '${input.policyName}' names opens it himself.`,
    );
  }
  return transaction(ctx, async (inner) => {
    const at = inner.clock.now();
    const row = { policyName: input.policyName, openedBy: inner.principal.id, openedAt: at, expiresAt: at + input.minutes * MINUTE_MS };
    const id = await store.insert(inner.tx, inner.workspace.id, row);
    events.record(inner, {
      type: 'break-glass.opened',
      target: targetOf(id),
      data: { opening_id: id, policy_name: row.policyName, expires_at: row.expiresAt },
      texts: { reason: input.reason, ticket: input.ticket },
    });
    const unused = { usedAt: null, usedFor: null, modelId: null, versionId: null, reviewedBy: null, reviewedAt: null };
    return { id, ...row, ...unused, state: 'open', reason: input.reason, ticket: input.ticket, subject: null, note: null };
  });
}

function targetOf(id: number): string {
  return `break-glass:${id}`;
}

export type ReadBreakGlass = Omit<BreakGlassFacts, 'caller'> & {
  /** Of what is `opened`, to mark it used. */
  readonly openingId: number | undefined;
};

/** The newest opening of the caller that isn't used or over, and how the policy's glass was broken before: what nobody reviewed comes first. */
export async function factsFor(ctx: Ctx, policyName: string, callerId: number): Promise<ReadBreakGlass> {
  const db = reading(ctx);
  const asked = { workspaceId: ctx.workspace.id, policyName, openedBy: callerId, now: ctx.clock.now() };
  const row = await store.findOpen(db, asked);
  const uses = await store.listUses(db, ctx.workspace.id, policyName, USES_MAX);
  const [opened] = row === undefined ? [] : await withWords(ctx, [row]);
  return {
    openingId: opened?.id,
    opened: opened && { by: opened.openedBy, at: opened.openedAt, reason: opened.reason ?? '', ticket: opened.ticket ?? '' },
    uses: uses.map((use) => ({ by: use.openedBy, at: use.usedAt ?? use.openedAt, reviewedBy: use.reviewedBy ?? undefined })),
  };
}

export interface Use {
  /** As policies name it: `stage:Production`, `tag:risk=low`. */
  readonly subject: string;
  readonly modelId: number | undefined;
  readonly versionId: number | undefined;
}

/**
 * In the transaction of the change that it lets through. INVALID_STATE where it was used before, is over or another's, or where another use of the
 * policy's glass waits for its review, also one of the same moment.
 */
export async function markUsed(ctx: TxCtx, openingId: number, { subject, modelId, versionId }: Use): Promise<void> {
  const row = await get(ctx, openingId);
  const at = ctx.clock.now();
  const usedFor = withoutValue(subject);
  const use = { usedFor, modelId: modelId ?? null, versionId: versionId ?? null };
  if (row.openedBy !== ctx.principal.id || !(await store.markUsed(ctx.tx, openingId, use, at, ctx.principal.id))) {
    throw new Problem(
      'INVALID_STATE',
      `Break-glass opening ${openingId} can't be used: it is over, was used before, or is somebody else's. Open another one.`,
    );
  }
  if (!(await store.close(ctx.tx, ctx.workspace.id, row.policyName, openingId, ctx.principal.id))) {
    throw new Problem(
      'INVALID_STATE',
      `The glass of policy '${row.policyName}' was broken and not reviewed since. A second person reviews that use first.`,
    );
  }
  events.record(ctx, {
    type: 'break-glass.used',
    target: targetOf(openingId),
    ...(modelId === undefined ? {} : { modelId }),
    ...(versionId === undefined ? {} : { versionId }),
    data: { opening_id: openingId, policy_name: row.policyName, subject: usedFor },
    texts: { subject },
  });
}

/** Of a tag the value stands beside the chain, as everywhere. */
function withoutValue(subject: string): string {
  return subject.startsWith('tag:') ? subject.replace(/=.*$/s, '') : subject;
}

/**
 * By a second person: not whoever used it or acts for him, no job of a CI system; somebody who manages production of the model, or the workspace. From then on the
 * policy's glass can be broken again. A later review takes an earlier one's place. INVALID_STATE where it wasn't used, or the caller reviewed it.
 */
export function review(ctx: Ctx, id: number, note: string): Promise<Opening> {
  checkWords(note, 'note', WORDS_MAX);
  return transaction(ctx, async (inner) => {
    const row = await get(inner, id);
    await demandReview(inner, row);
    const at = inner.clock.now();
    if (!(await store.markReviewed(inner.tx, id, at, inner.principal.id))) throw notReviewable(row);
    await store.reopen(inner.tx, inner.workspace.id, row.policyName, id);
    events.record(inner, {
      type: 'break-glass.reviewed',
      target: targetOf(id),
      ...(row.modelId === null ? {} : { modelId: row.modelId }),
      ...(row.versionId === null ? {} : { versionId: row.versionId }),
      data: { opening_id: id, policy_name: row.policyName },
      texts: { note },
    });
    const [before] = await withWords(inner, [row]);
    if (before === undefined) throw new TypeError('an opening with its words is one opening');
    return { ...before, reviewedAt: at, reviewedBy: inner.principal.id, state: 'reviewed', note };
  });
}

function notReviewable({ id, usedAt }: OpeningRow): Problem {
  const why = usedAt === null ? 'was not used: there is nothing to review' : 'was reviewed by you already';
  return new Problem('INVALID_STATE', `Break-glass opening ${id} ${why}.`);
}

async function demandReview(ctx: Ctx, row: OpeningRow): Promise<void> {
  const why = await whyNotReviewer(ctx, row);
  if (why !== undefined) throw new Problem('PERMISSION_DENIED', `Permission denied: '${clip(ctx.principal.name)}' ${why}.`);
}

/** Whether the caller could be the second person who reviews it. */
export async function mayReview(ctx: Ctx, opening: OpeningRow): Promise<boolean> {
  return (await whyNotReviewer(ctx, opening)) === undefined;
}

/** As the rules of policies judge a reviewer, so that a review that was taken counts. */
async function whyNotReviewer(ctx: Ctx, { openedBy, modelId }: OpeningRow): Promise<string | undefined> {
  const ids = [ctx.principal.id, openedBy];
  const changedSince = ctx.clock.now() - QUIET_MS;
  const { principals, accessChanges } = await people.readPeople(ctx, { ids, groups: [], model: undefined, changedSince });
  const actingAs = (id: number): readonly number[] => {
    const found = principals.find((each) => each.id === id);
    return found === undefined ? [id] : [id, found.account, ...found.persons];
  };
  if (ctx.principal.kind === 'ci') return 'is a CI identity. A person reviews it';
  const reviewer = principals.find((each) => each.id === ctx.principal.id);
  if (reviewer === undefined || reviewer.persons.length === 0) return 'is nobody known. A second person reviews it';
  const used = new Set(actingAs(openedBy));
  const reviewing = actingAs(reviewer.id);
  if (reviewing.some((id) => used.has(id))) return 'used it, or acts for who did. A second person reviews it';
  if (accessChanges.some(({ about, by }) => reviewing.includes(about) && actingAs(by).some((id) => used.has(id)))) {
    return 'has an account that was made or changed by whoever used it, less than 7 days ago. Another person reviews it';
  }
  if (ctx.access.isManager) return undefined;
  const model = modelId === null ? undefined : await models.findById(ctx, modelId);
  const rank = model === undefined ? 0 : ctx.access.rankOf('registered-model', model);
  return rank < RANK.MANAGE_PRODUCTION ? 'needs MANAGE_PRODUCTION on the model, or to manage the workspace' : undefined;
}

export interface OpeningQuery {
  /** Undefined: all. */
  readonly state?: OpeningState | undefined;
  readonly beforeId?: number | undefined;
  readonly limit: number;
}

/** Of the workspace, newest first. */
export async function list(ctx: Ctx, { state, beforeId, limit }: OpeningQuery): Promise<readonly Opening[]> {
  const page = { state, now: ctx.clock.now(), beforeId: beforeId ?? Number.MAX_SAFE_INTEGER, limit };
  return withWords(ctx, await store.list(reading(ctx), ctx.workspace.id, page));
}

async function get(ctx: Ctx, id: number): Promise<OpeningRow> {
  const row = await store.find(reading(ctx), ctx.workspace.id, id);
  if (row) return row;
  throw notFound(`There is no break-glass opening ${id}. List them to see what was opened.`);
}

async function withWords(ctx: Ctx, rows: readonly OpeningRow[]): Promise<Opening[]> {
  const now = ctx.clock.now();
  const texts = await events.listTextsOn(
    reading(ctx),
    'break-glass',
    rows.map(({ id }) => id),
  );
  return rows.map((row) => {
    const words = (field: string): string | null => texts.get(row.id)?.get(`break-glass.${field}`) ?? null;
    return {
      ...row,
      state: stateOf(row, now),
      reason: words('opened/reason'),
      ticket: words('opened/ticket'),
      subject: words('used/subject') ?? row.usedFor,
      note: words('reviewed/note'),
    };
  });
}

function stateOf({ usedAt, reviewedAt, expiresAt }: OpeningRow, now: number): OpeningState {
  if (reviewedAt !== null) return 'reviewed';
  if (usedAt !== null) return 'used';
  return expiresAt > now ? 'open' : 'expired';
}

function checkWords(text: string, parameter: string, max: number): void {
  if (text.trim() === '') throw invalid(`'${parameter}' is empty. Say it, for whoever reviews it.`);
  checkLength(text, max, parameter);
}
