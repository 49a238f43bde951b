/** `countersign request …` */
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { invalid } from '@countersign/contract/problem.ts';
import { REQUEST_STATES } from '@countersign/contract/requests.ts';
import { type Command, Option } from 'commander';
import { decisionLines } from './decision-lines.ts';
import { EXIT } from './exit-codes.ts';
import { say } from './output.ts';
import { withCaller } from './reach.ts';
import { requestId } from './request-id.ts';
import { addTargetFlags, type TargetFlags, wishOf } from './request-target.ts';
import { addWatch } from './request-watch.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, printable, relativeTime, show, table } from './verbs.ts';
import { findVersion } from './version-name.ts';

type Request = AnswerOf<EndpointOf<'getRequest'>>;
type Evaluation = AnswerOf<EndpointOf<'evaluateRequest'>>;

export function addRequest(program: Command): void {
  const noun = addNoun(
    program,
    'request',
    'ask for changes, and answer those who ask',
    'Commands for requests: changes of versions and models that others have to approve.',
  );
  addList(noun);
  addShow(noun);
  addCreate(noun);
  addAnswer(noun, APPROVE);
  addAnswer(noun, REJECT);
  addAnswer(noun, CANCEL);
  addAnswer(noun, APPLY);
  addWatch(noun);
}

interface ListFlags extends OutputFlags {
  readonly model?: string;
  readonly state?: (typeof REQUEST_STATES)[number];
  readonly target?: string;
  readonly mine?: boolean;
  readonly limit: string;
}

function addList(noun: Command): void {
  const verb = addVerb(
    noun,
    'list',
    {
      summary: 'list requests, the newest first',
      description: 'Lists the requests of the workspace that you may see. countersign inbox lists those that wait for you.',
      examples: ['countersign request list --state open --model fraud', 'countersign request list --mine --target stage:Production'],
    },
    'ls',
  )
    .option('--model <NAME>', 'only those of a model and its versions')
    .addOption(new Option('--state <STATE>', 'only those in this state').choices(REQUEST_STATES))
    .option('--target <TARGET>', 'only those for this place, as in stage:Production or alias:champion')
    .option('--mine', 'only your own')
    .option('--limit <N>', 'so many', '50');
  addCommonFlags(verb).action((flags: ListFlags) =>
    withCaller(verb, async ({ ask }) => {
      const { model, state, target } = flags;
      const query = {
        limit: limitOf(flags.limit),
        ...(model === undefined ? {} : { model }),
        ...(state === undefined ? {} : { state }),
        ...(target === undefined ? {} : { target }),
        ...(flags.mine ? { created_by: 'me' } : {}),
      };
      const page = await ask('listRequests', { query });
      show(flags, { document: page, quiet: page.requests.map(({ id }) => String(id)), lines: listLines(page.requests) });
      if (page.next_page_token !== null && !flags.json && !flags.quiet) say('There are older ones: --limit shows more.');
    }),
  );
}

function limitOf(text: string): number {
  if (/^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= 1000) return Number(text);
  throw invalid(`--limit must be a whole number from 1 to 1000, got '${text}'.`);
}

function listLines(requests: readonly Request[]): string[] {
  return table(
    ['ID', 'STATE', 'ON', 'FOR', 'BY', 'ASKED', 'APPROVALS'],
    requests.map((request) => [
      String(request.id),
      request.state,
      placeOf(request),
      request.subject,
      request.created_by.name,
      relativeTime(request.created_at),
      request.approvals.map(({ by }) => by.name).join(' '),
    ]),
  );
}

function placeOf({ name, version }: Request): string {
  return name === null ? 'the workspace' : version === null ? name : `${name}/${version}`;
}

function addShow(noun: Command): void {
  const verb = addVerb(noun, 'show <ID>', {
    summary: 'show a request, with what it still needs',
    description:
      'Shows what is missing for an open request, who can give it and how, what is there, and which approvals do not count and why.',
    examples: ['countersign request show 12', 'countersign request show 12 --json'],
  });
  addCommonFlags(verb).action((id: string, flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const found = await ask('evaluateRequest', { params: { request: requestId(id) } });
      show(flags, { document: found, quiet: [found.request.state], lines: [...headLines(found.request), ...evaluationLines(found)] });
    }),
  );
}

function headLines(request: Request): string[] {
  const { state, created_by: by, closed_by: closer, closed_at: closedAt } = request;
  const expiry = state === 'open' && request.expires_at !== null ? `, expires ${relativeTime(request.expires_at)}` : '';
  return [
    `Request ${request.id}: ${printable(placeOf(request))}, ${printable(request.subject)}, ${state}`,
    `asked ${relativeTime(request.created_at)} by ${printable(by.name)}${expiry}`,
    ...textLines(request.comment),
    ...(request.source === null ? [] : [`from ${printable(request.source)}`]),
    ...(request.digest === null ? [] : [`bytes ${request.digest}`]),
    ...request.approvals.map((each) => `approved ${relativeTime(each.at)} by ${printable(each.by.name)}`),
    ...(closedAt === null ? [] : [`${state} ${relativeTime(closedAt)}${closer === null ? '' : ` by ${printable(closer.name)}`}`]),
    ...textLines(request.closing_comment),
  ];
}

function textLines(text: string | null): string[] {
  return text === null || text === '' ? [] : text.split('\n').map((line) => `  | ${printable(line)}`);
}

function evaluationLines({ request, decisions, is_allowed: isAllowed }: Evaluation): string[] {
  if (request.state !== 'open') return [];
  const verdict =
    decisions.length === 0
      ? 'No policy is about it: whoever may make the change himself can approve it.'
      : isAllowed
        ? `The policies would let it happen now${request.name === null ? ': whoever asked makes the change again' : ''}.`
        : 'It may not happen yet.';
  const actions = request.available_actions.length === 0 ? 'nothing' : request.available_actions.join(', ');
  return [`you may: ${actions}`, '', verdict, ...decisionLines(decisions)];
}

interface CreateFlags extends OutputFlags, TargetFlags {}

function addCreate(noun: Command): void {
  const verb = addVerb(noun, 'create', {
    summary: 'ask for a change',
    description:
      'Asks for a change of a version, or of a model where only its name is given. Nothing changes yet. For --entry the bytes are sealed now, and ' +
      'approvals are of exactly these.',
    examples: [
      "countersign request create fraud/7 --stage Production --archive-existing --comment 'beats 6 by 2 %'",
      'countersign request create fraud --entry runs:/4f1c…/model --run-id 4f1c…',
    ],
  }).argument('<MODEL[/VERSION]>', 'fraud/7, fraud@candidate, fraud:Staging, models:/…; or the name of a model alone');
  addTargetFlags(verb).option('--comment <TEXT>', 'why; Markdown');
  addCommonFlags(verb).action((given: string, flags: CreateFlags) =>
    withCaller(verb, async ({ ask }) => {
      const body = wishOf(flags);
      const isOfModel = !/[/:@]/.test(given);
      const { kind } = body.target;
      if (isOfModel && (kind === 'stage' || kind === 'alias' || flags.restore))
        throw invalid(`Name the version: ${given}/7, or ${given}@candidate.`);
      if (!isOfModel && (kind === 'rename' || flags.entry !== undefined))
        throw invalid('--entry and --rename are of a model: give its name alone.');
      const request = isOfModel
        ? await ask('createModelRequest', { params: { name: given }, body })
        : await ask('createVersionRequest', { params: await findVersion(ask, given), body });
      const sentence = `Asked for ${request.subject} of ${placeOf(request)}: request ${request.id}. Nothing changes until it is approved.`;
      show(flags, { document: request, quiet: [String(request.id)], lines: [printable(sentence)] });
    }),
  );
}

interface AnswerVerb {
  readonly name: 'approve' | 'reject' | 'cancel' | 'apply';
  readonly endpoint: 'approveRequest' | 'rejectRequest' | 'cancelRequest' | 'applyRequest';
  readonly summary: string;
  readonly description: string;
  readonly examples: readonly string[];
  readonly moves: boolean;
  readonly done: (request: Request) => string;
}

const APPROVE: AnswerVerb = {
  name: 'approve',
  endpoint: 'approveRequest',
  summary: 'approve a request',
  description:
    `Approves the change for everybody who asked for the same. What the approvals suffice for is carried out at once. Ends with exit code ${EXIT.forbidden}, and ` +
    'says why, where your approval could not count.',
  examples: ['countersign request approve 12', "countersign request approve 12 --archive-existing --comment 'looked at the card'"],
  moves: true,
  done: ({ id, state }) =>
    state === 'approved'
      ? `Approved request ${id}: it was carried out.`
      : `Approved request ${id}. It is ${state} still: countersign request show ${id} says what it needs.`,
};

const REJECT: AnswerVerb = {
  name: 'reject',
  endpoint: 'rejectRequest',
  summary: 'reject a request',
  description: 'Rejects the change for everybody who asked for the same. Nothing moves.',
  examples: ["countersign request reject 12 --comment 'not on the holdout'", 'countersign request reject 12 --json'],
  moves: false,
  done: ({ id }) => `Rejected request ${id}.`,
};

const CANCEL: AnswerVerb = {
  name: 'cancel',
  endpoint: 'cancelRequest',
  summary: 'take a request back',
  description: 'Takes back a request that you made, or that is of a model that you manage.',
  examples: ['countersign request cancel 12', "countersign request cancel 12 --comment 'asked for the wrong version'"],
  moves: false,
  done: ({ id }) => `Took request ${id} back.`,
};

const APPLY: AnswerVerb = {
  name: 'apply',
  endpoint: 'applyRequest',
  summary: 'carry out a request that is allowed now',
  description: 'Where the policy wants that to be said by hand. By whoever asked, or may make the change himself.',
  examples: ['countersign request apply 12', "countersign request apply 12 --archive-existing --comment 'in the window of today'"],
  moves: true,
  done: ({ id, state }) => (state === 'approved' ? `Carried out request ${id}.` : `Request ${id} is ${state}.`),
};

function addAnswer(noun: Command, { name, endpoint, summary, description, examples, moves, done }: AnswerVerb): void {
  const verb = addVerb(noun, `${name} <ID>`, { summary, description, examples }).option('--comment <TEXT>', 'why; Markdown');
  if (moves) verb.option('--archive-existing', 'every other version in the stage goes to Archived, also where the request does not say so');
  addCommonFlags(verb).action((id: string, flags: OutputFlags & { comment?: string; archiveExisting?: boolean }) =>
    withCaller(verb, async ({ ask }) => {
      const body = {
        ...(flags.comment === undefined ? {} : { comment: flags.comment }),
        ...(flags.archiveExisting ? { archive_existing: true } : {}),
      };
      const request = await ask(endpoint, { params: { request: requestId(id) }, body });
      show(flags, { document: request, quiet: [request.state], lines: [done(request)] });
    }),
  );
}
