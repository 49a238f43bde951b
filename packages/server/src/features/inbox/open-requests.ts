/** Open requests with what they still need, and whom they wait for: by the policies' own decision, and by levels where no policy is about them. */
import type { PolicyDecision } from '@countersign/contract/policy-decisions.ts';
import { Problem } from '@countersign/contract/problem.ts';
import type { Ctx } from '../../platform/context.ts';
import type { Request } from '../approvals/approvals.ts';
import * as approvals from '../approvals/approvals.ts';
import * as models from '../models/models.ts';
import * as requests from '../requests/requests.ts';
import * as versions from '../versions/versions.ts';
import { listLikely } from './likely-requests.ts';

/** A decision is made from all facts, so a page makes so many and no more. */
const DECIDED_MAX = 25;

export interface OpenRequest {
  readonly id: number;
  readonly request: Request;
  /** null: of no model, of no version. */
  readonly name: string | null;
  readonly version: number | null;
  /** In short; empty where no policy is about it, or nothing is missing. */
  readonly missing: readonly string[];
}

export interface Picked {
  readonly found: readonly OpenRequest[];
  /** The last that was decided about, where others were left. */
  readonly stoppedAt?: number | undefined;
}

/** Those that the caller could answer now, in the order given. */
export async function pickAnswerable(ctx: Ctx, rows: readonly Request[]): Promise<Picked> {
  const found: { request: Request; missing: readonly string[] }[] = [];
  const likely = await listLikely(ctx, rows);
  for (const request of likely.slice(0, DECIDED_MAX)) {
    const decisions = await decide(ctx, request);
    if (decisions !== undefined && (await waitsFor(ctx, request, decisions))) found.push({ request, missing: missingIn(decisions) });
  }
  return { found: await named(ctx, found), stoppedAt: likely.length > DECIDED_MAX ? likely[DECIDED_MAX - 1]?.id : undefined };
}

/** In the order given. */
export async function describeRequests(ctx: Ctx, rows: readonly Request[]): Promise<readonly OpenRequest[]> {
  const described: { request: Request; missing: readonly string[] }[] = [];
  for (const request of rows) {
    const decisions = await decide(ctx, request);
    described.push({ request, missing: decisions === undefined ? [GONE] : missingIn(decisions) });
  }
  return named(ctx, described);
}

const GONE = 'What it is about is not there any more.';

/** Undefined where what it is about is gone. */
async function decide(ctx: Ctx, request: Request): Promise<readonly PolicyDecision[] | undefined> {
  try {
    return (await requests.evaluate(ctx, request)).asked.map(({ decision }) => decision);
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

async function waitsFor(ctx: Ctx, request: Request, decisions: readonly PolicyDecision[]): Promise<boolean> {
  const me = ctx.principal.id;
  const asked = decisions.flatMap(({ missing }) => missing.filter(({ requirement }) => ANSWERS.has(requirement)));
  if (asked.some(({ candidates }) => candidates.includes(me))) return true;
  if (decisions.some(({ isAllowed }) => !isAllowed)) return false;
  // Nobody's approval is in the way: it waits for whoever may carry it out.
  const actions = await requests.actionsOn(ctx, request);
  if (!actions.includes('approve') || !actions.includes('apply')) return false;
  return decisions.length > 0 || !(await hasApproved(ctx, request));
}

const ANSWERS: ReadonlySet<string> = new Set(['approvals', 'breaking_signature']);

async function hasApproved(ctx: Ctx, request: Request): Promise<boolean> {
  return (await approvals.listLive(ctx, request)).some(({ by }) => by === ctx.principal.id);
}

function missingIn(decisions: readonly PolicyDecision[]): string[] {
  return [...new Set(decisions.flatMap(({ missing }) => missing.map(({ what }) => what)))];
}

async function named(
  ctx: Ctx,
  list: readonly { readonly request: Request; readonly missing: readonly string[] }[],
): Promise<OpenRequest[]> {
  const idsOf = (key: 'modelId' | 'versionId'): number[] => [...new Set(list.flatMap(({ request }) => request[key] ?? []))];
  const names = new Map((await models.listByIds(ctx, idsOf('modelId'))).map(({ id, name }) => [id, name]));
  const numbers = new Map((await versions.listByIds(ctx, idsOf('versionId'))).map(({ id, version }) => [id, version]));
  return list.map(({ request, missing }) => ({
    id: request.id,
    request,
    name: names.get(request.modelId ?? -1) ?? null,
    version: numbers.get(request.versionId ?? -1) ?? null,
    missing,
  }));
}
