import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import type { Command } from 'commander';
import { withCaller } from './reach.ts';
import { addCommonFlags, addVerb, type OutputFlags, printable, relativeTime, show, table } from './verbs.ts';

type Inbox = AnswerOf<EndpointOf<'getInbox'>>;
type Requests = NonNullable<Inbox['waiting_for_me']>;

/** `countersign inbox` */
export function addInbox(program: Command): void {
  const verb = addVerb(program, 'inbox', {
    summary: 'show what waits for you, and what you wait for',
    description:
      'Shows open requests that you could answer now, your own open requests with what they still need, comments that mention you and you have not ' +
      'read, and uses of broken glass that want a second person. Each section shows its newest entries.',
    examples: ['countersign inbox --server https://registry.example'],
  });
  addCommonFlags(verb).action((flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const inbox = await ask('getInbox');
      show(flags, { document: inbox, quiet: inbox.waiting_for_me?.requests.map(({ id }) => String(id)) ?? [], lines: linesOf(inbox) });
    }),
  );
}

function linesOf({ waiting_for_me: waiting, opened_by_me: opened, mentions, to_review: toReview }: Inbox): string[] {
  const unread = mentions?.mentions.filter((each) => each.read_at === null) ?? [];
  const lines = [
    ...section('Waiting for you', waiting, requestLines(waiting)),
    ...section('Opened by you', opened, requestLines(opened)),
    ...section(
      'Mentions, unread',
      mentions,
      table(
        ['ON', 'BY', 'SAID', 'COMMENT'],
        unread.map(({ name, version, comment, at }) => [
          placeOf({ name, version, request_id: comment.request_id }),
          comment.created_by.name,
          relativeTime(at),
          firstLine(comment.comment),
        ]),
      ),
    ),
    ...section(
      'To review',
      toReview,
      table(
        ['ID', 'POLICY', 'WHAT', 'ON', 'BY', 'USED'],
        (toReview?.openings ?? []).map((each) => [
          String(each.id),
          each.policy,
          each.subject ?? '',
          placeOf(each),
          each.opened_by.name,
          relativeTime(each.used_at),
        ]),
      ),
    ),
  ];
  return lines.length === 0 ? ['Nothing waits for you.'] : lines.slice(0, -1);
}

function section(title: string, found: { readonly count: number; readonly is_count_exact: boolean } | null, lines: string[]): string[] {
  if (found === null || lines.length === 0) return [];
  return [`${title} (${found.count}${found.is_count_exact ? '' : ' or more'})`, ...lines.map((line) => `  ${line}`), ''];
}

function requestLines(found: Requests | null): string[] {
  return table(
    ['ID', 'ON', 'FOR', 'BY', 'ASKED', 'MISSING'],
    (found?.requests ?? []).map((each) => [
      String(each.id),
      placeOf(each),
      inShort(each.subject),
      each.created_by.name,
      relativeTime(each.created_at),
      each.missing.join('; '),
    ]),
  );
}

function placeOf(at: { readonly name: string | null; readonly version: number | null; readonly request_id?: number | null }): string {
  const place = at.name === null ? 'the workspace' : at.version === null ? at.name : `${at.name}/${at.version}`;
  return at.request_id === null || at.request_id === undefined ? place : `${place}, request ${at.request_id}`;
}

const SHOWN_CHARACTERS = 60;

function firstLine(markdown: string | null): string {
  return markdown === null ? '(erased)' : inShort(markdown.split('\n', 1)[0] ?? '');
}

function inShort(words: string): string {
  const text = printable(words);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS - 1)}…` : text;
}
