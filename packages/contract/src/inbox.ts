/** What waits for the caller, what he waits for, and where he is mentioned. */
import { Type } from 'typebox';
import { OpeningSchema } from './break-glass.ts';
import { CommentSchema } from './comments.ts';
import { endpoint } from './endpoint.ts';
import {
  closed,
  Done,
  Id,
  ModelName,
  NextPageToken,
  NO_PARAMS,
  named,
  nullable,
  oneOf,
  PageToken,
  PrincipalRef,
  Time,
  VersionNumber,
} from './schemas.ts';

export const INBOX_SECTIONS = ['waiting_for_me', 'opened_by_me', 'mentions', 'to_review'] as const;
export type InboxSection = (typeof INBOX_SECTIONS)[number];

/** Of each entry it is asked what is missing, so pages are small. */
export const INBOX_PAGE = 20;

const Name = nullable(ModelName, 'null where it is of no model.');
const Version = nullable(VersionNumber, 'null where it is of no version.');

export const InboxRequestSchema = named('InboxRequest', {
  id: Id,
  name: Name,
  version: Version,
  target: Type.String({ description: 'Which place it is about: `stage:Production`, `alias:champion`, `entry`, `tag:risk`.' }),
  subject: Type.String({
    description: 'What is asked for in full, as in the request itself: `deleted`, `alias:champion#removed`, `tag:risk=low`.',
  }),
  comment: nullable(Type.String(), 'Of whoever asks; null where nothing was said, or it was erased.'),
  created_by: PrincipalRef,
  created_at: Time,
  expires_at: nullable(Time),
  missing: Type.Array(Type.String(), {
    description: 'What the change still needs, in short; empty where nobody is asked but who answers.',
  }),
});

export const MentionSchema = named('Mention', {
  id: Id,
  name: Name,
  version: Version,
  comment: CommentSchema,
  at: Time,
  read_at: nullable(Time),
});

const COUNT = {
  count: Type.Integer({ description: 'How many there are from this page on, as far as was looked.' }),
  is_count_exact: Type.Boolean({ description: 'Whether all were looked at.' }),
};

const HALF = 'null where another section is asked for.';

export const inboxEndpoints = [
  endpoint({
    id: 'getInbox',
    noun: 'inbox',
    method: 'GET',
    path: '/api/v1/inbox',
    permission: 'inbox.view',
    summary: 'What waits for the caller, what he waits for, and where he is mentioned.',
    description:
      'The first page of each section. `waiting_for_me`: open requests that he could answer now and has not. `opened_by_me`: his own open requests. ' +
      '`mentions`: comments that mention him, the unread first; the count is of the unread. `to_review`: uses of broken glass that want a second person. ' +
      'A page may be shorter than its limit, and more follow.',
    params: NO_PARAMS,
    query: closed({
      section: Type.Optional(oneOf(INBOX_SECTIONS, 'This one alone; it is what a page token needs.')),
      limit: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: 100,
          default: INBOX_PAGE,
          description: `Entries of a section in a page; ${INBOX_PAGE} where it is left out.`,
        }),
      ),
      page_token: PageToken,
    }),
    output: named('Inbox', {
      waiting_for_me: nullable(closed({ ...COUNT, requests: Type.Array(InboxRequestSchema), next_page_token: NextPageToken }), HALF),
      opened_by_me: nullable(closed({ ...COUNT, requests: Type.Array(InboxRequestSchema), next_page_token: NextPageToken }), HALF),
      mentions: nullable(closed({ ...COUNT, mentions: Type.Array(MentionSchema), next_page_token: NextPageToken }), HALF),
      to_review: nullable(closed({ ...COUNT, openings: Type.Array(OpeningSchema), next_page_token: NextPageToken }), HALF),
    }),
  }),
  endpoint({
    id: 'readMention',
    noun: 'inbox',
    method: 'POST',
    path: '/api/v1/inbox/mentions/{mention}/read',
    permission: 'inbox.edit',
    summary: 'Mark a mention as read.',
    description: 'Once more changes nothing.',
    params: closed({ mention: Id }),
    output: Done,
  }),
] as const;
