/** What happened to a version, as people read it: each activity is one event. Pure. */
import type { Stage } from '@countersign/contract/stages.ts';

/** Types of events and the activities that they are. A transition is one of two. */
const ACTIVITY_TYPES = {
  'model-version.stage-entered': 'APPLIED_TRANSITION',
  'request.opened': 'REQUESTED_TRANSITION',
  'request.approved': 'APPROVED_REQUEST',
  'request.rejected': 'REJECTED_REQUEST',
  'request.cancelled': 'CANCELLED_REQUEST',
  'request.expired': 'CANCELLED_REQUEST',
  'request.superseded': 'CANCELLED_REQUEST',
  'comment.created': 'NEW_COMMENT',
} as const;

export type ActivityType = (typeof ACTIVITY_TYPES)[keyof typeof ACTIVITY_TYPES] | 'SYSTEM_TRANSITION';

export const ACTIVITY_EVENTS: readonly string[] = Object.keys(ACTIVITY_TYPES);

export interface ActivityEvent {
  readonly seq: number;
  readonly recordedAt: number;
  readonly type: string;
  readonly principalId: number;
  readonly data: Readonly<Record<string, unknown>>;
  /** What is there of its text. */
  readonly comment: string | undefined;
}

export interface Activity {
  /** The event's place in the chain. */
  readonly seq: number;
  readonly type: ActivityType;
  readonly principalId: number;
  readonly requestId: number | null;
  readonly commentId: string | null;
  /** What somebody wrote; null where nothing was written, or it was erased. */
  readonly comment: string | null;
  /** What the server says to what nobody did by hand. */
  readonly systemComment: string | null;
  /** Of transitions and what is asked for. */
  readonly from: Stage | null;
  readonly to: Stage | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** Throws TypeError for an event that is none. */
export function activityOf(event: ActivityEvent): Activity {
  const { data } = event;
  const type = isKnown(event.type) ? ACTIVITY_TYPES[event.type] : undefined;
  if (type === undefined) throw new TypeError(`an event ${event.type} is no activity`);
  return {
    seq: event.seq,
    type: type === 'APPLIED_TRANSITION' && data.replaced_by !== undefined ? 'SYSTEM_TRANSITION' : type,
    principalId: event.principalId,
    requestId: typeof data.request_id === 'number' ? data.request_id : null,
    commentId: typeof data.comment_id === 'string' ? data.comment_id : null,
    comment: event.comment ?? null,
    systemComment: systemComment(data),
    from: stageIn(data.from),
    to: stageIn(data.to) ?? stageOfTarget(data.target),
    createdAt: event.recordedAt,
    updatedAt: event.recordedAt,
  };
}

function isKnown(type: string): type is keyof typeof ACTIVITY_TYPES {
  return Object.hasOwn(ACTIVITY_TYPES, type);
}

function systemComment(data: ActivityEvent['data']): string | null {
  if (data.replaced_by !== undefined) return `Archived: version ${String(data.replaced_by)} came into ${String(data.from)}.`;
  if (data.cause === 'moved') return `Closed: the version was moved to ${stageOfTarget(data.target)} without the request.`;
  if (data.cause === 'superseded') return 'Closed: a newer version came there.';
  if (data.cause === 'time') return 'Closed: its time was over.';
  if (data.cause === 'deleted') return 'Closed: the version was deleted.';
  return null;
}

function stageOfTarget(target: unknown): Stage | null {
  return /^stage:(.+)$/.exec(String(target))?.[1] ?? null;
}

/** Also one that the workspace no longer has. */
function stageIn(value: unknown): Stage | null {
  return typeof value === 'string' ? value : null;
}
