/** Reads where a version has stood: what stands still for soak times, and the whole history of a place for whoever wants to bring it back. */
import type { GovernedTarget } from '@countersign/contract/permit.ts';
import type { Stay } from '@countersign/contract/policy-facts.ts';
import { type Ctx, reading } from '../../platform/context.ts';
import * as events from '../events/events.ts';
import { NAME } from '../models/models.ts';
import { targetWords } from './operation-rules.ts';
import { ENTERING, type PlaceEvent, stayOf, staysAt } from './stay-rules.ts';

export interface StayQuestion {
  readonly modelId: number;
  readonly version: { readonly id: number; readonly stage: string; readonly aliases: readonly string[] };
  readonly digest: string | null;
  /** Where it must have stood for a while: `stage:Staging`. */
  readonly soaked: readonly string[];
  /** Of which the whole history is asked. */
  readonly target: GovernedTarget | undefined;
}

export async function listStays(ctx: Ctx, question: StayQuestion): Promise<readonly Stay[]> {
  const history = question.target === undefined ? [] : await readHistory(ctx, question, question.target);
  return [...history, ...(await readCurrent(ctx, question))];
}

/** More arrivals of one version than this are not looked through for the newest one at a place. */
const ARRIVALS_MAX = 1000;

/** Of the places that it is in now. */
async function readCurrent(ctx: Ctx, { version, digest, soaked }: StayQuestion): Promise<readonly Stay[]> {
  const isSoaked = (place: string): boolean => soaked.some((each) => each.toLowerCase() === place.toLowerCase());
  const places = [`stage:${version.stage}`, ...version.aliases.map((alias) => `alias:${alias}`)].filter(isSoaked);
  if (places.length === 0) return [];
  const arrivals = await events.listOfVersion(reading(ctx), {
    versionId: version.id,
    types: ENTERING,
    newestFirst: true,
    limit: ARRIVALS_MAX,
  });
  const read = arrivals.map(placeEvent);
  return places.flatMap((place) => {
    const newest = read.find(({ target }) => target === place);
    return newest === undefined ? [] : [stayOf(newest, digest)];
  });
}

/** The digest of the evidence with which a version was last let into a place by the policies. */
export async function findAdmission(ctx: Ctx, versionId: number, target: GovernedTarget): Promise<string | undefined> {
  const place = targetWords(target);
  const query = { versionId, types: ['transition.allowed'], newestFirst: true, limit: ARRIVALS_MAX };
  for (const event of await events.listOfVersion(reading(ctx), query)) {
    const { target: at, data } = placeEvent(event);
    if (at === place && data.change === 'enter') return String(data.evidence);
  }
  return undefined;
}

async function readHistory(ctx: Ctx, { modelId, version, digest }: StayQuestion, target: GovernedTarget): Promise<readonly Stay[]> {
  const query = { workspaceId: ctx.workspace.id, modelId, target: targetWords(target), untilSeq: Number.MAX_SAFE_INTEGER };
  const found: PlaceEvent[] = [];
  for await (const event of events.listOfModel(reading(ctx), query)) found.push(placeEvent(event));
  let namedAt = 0;
  for await (const { recordedAt } of events.listOfModel(reading(ctx), { ...query, target: NAME })) namedAt = recordedAt;
  // Under another name it was another place, and another policy let it in there; what stood there when it got this name was judged then.
  return staysAt(found, { id: version.id, digest }).filter(({ until }) => until === null || until > namedAt);
}

function placeEvent(event: Omit<events.RecordedEvent, 'hash'>): PlaceEvent {
  // Our own canonical bytes, written by `record`.
  const body = JSON.parse(event.body) as { target?: string; version_id?: number; data: Readonly<Record<string, unknown>> };
  return { type: event.type, target: body.target ?? '', versionId: body.version_id, recordedAt: event.recordedAt, data: body.data };
}
