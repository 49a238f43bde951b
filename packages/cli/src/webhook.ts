/** `countersign webhook …` */
import { readFileSync } from 'node:fs';
import type { AnswerOf, InputOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { invalid } from '@countersign/contract/problem.ts';
import { MLFLOW_WEBHOOK_EVENTS, NATIVE_WEBHOOK_EVENTS } from '@countersign/contract/webhooks.ts';
import { type Command, Option } from 'commander';
import { askAll } from './caller.ts';
import { confirmYes } from './confirmation.ts';
import { EXIT } from './exit-codes.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, printable, relativeTime, show, table } from './verbs.ts';

type Webhook = AnswerOf<EndpointOf<'getWebhook'>>;
type Event = Webhook['events'][number];
type Change = InputOf<EndpointOf<'updateWebhook'>>['body'];

const ID = 'id of the webhook';
const EVENTS: readonly Event[] = [...NATIVE_WEBHOOK_EVENTS, ...MLFLOW_WEBHOOK_EVENTS];

export function addWebhook(program: Command): void {
  const noun = addNoun(
    program,
    'webhook',
    'have URLs called for what happens',
    'Commands for webhooks: URLs that are called for what happens in a workspace, after it happened and in its order.',
  );
  addList(noun);
  addShow(noun);
  addCreate(noun);
  addUpdate(noun);
  addDelete(noun);
  addTest(noun);
}

function addList(noun: Command): void {
  const verb = addVerb(
    noun,
    'list',
    { summary: 'list webhooks', description: 'Lists the webhooks of the workspace, newest first.', examples: ['countersign webhook list'] },
    'ls',
  );
  addCommonFlags(verb).action((flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const webhooks = (await askAll((query) => ask('listWebhooks', { query }))).flatMap((page) => page.webhooks);
      show(flags, {
        document: { webhooks },
        quiet: webhooks.map(({ id }) => id),
        lines: table(
          ['ID', 'NAME', 'STATUS', 'URL', 'EVENTS', 'CREATED'],
          webhooks.map((each) => [each.id, each.name, each.status, each.url, String(each.events.length), relativeTime(each.created_at)]),
        ),
      });
    }),
  );
}

function addShow(noun: Command): void {
  const verb = addVerb(noun, 'show', {
    summary: 'show a webhook',
    description: 'Shows a webhook and the events that it is called for. Its secret is never shown.',
    examples: ['countersign webhook show 6f1c0b2e'],
  }).argument('<ID>', ID);
  addCommonFlags(verb).action((webhook: string, flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const found = await ask('getWebhook', { params: { webhook } });
      show(flags, { document: found, quiet: [found.id], lines: linesOf(found) });
    }),
  );
}

function linesOf({ id, name, description, url, events, status }: Webhook): string[] {
  const rows = [
    ['name', name],
    ...(description === null ? [] : [['description', description]]),
    ['url', url],
    ['status', status],
    ['events', events.join(' ')],
  ];
  return table(['ID', id], rows);
}

interface WebhookFlags extends OutputFlags {
  readonly name?: string;
  readonly url?: string;
  readonly event?: readonly Event[];
  readonly description?: string;
  readonly secretFile?: string;
  readonly secretStdin?: boolean;
  readonly unsigned?: boolean;
  readonly disabled?: boolean;
  readonly enabled?: boolean;
  readonly tokenStdin?: boolean;
}

function addWebhookFlags(verb: Command): Command {
  return verb
    .addOption(new Option('--event <EVENT...>', 'what it is called for').choices(EVENTS))
    .option('--description <TEXT>', 'what it is for')
    .option('--secret-file <FILE>', 'file with the secret that each call is signed by')
    .option('--secret-stdin', 'read that secret from standard input')
    .option('--disabled', 'it is not called: what happens meanwhile is not told later');
}

function addCreate(noun: Command): void {
  const verb = addWebhookFlags(
    addVerb(noun, 'create', {
      summary: 'have a URL called',
      description: 'Has a URL called for what happens from now on. Calls are signed where a secret is given.',
      examples: [
        'countersign webhook create on-call https://chat.example/hook --event request.opened break-glass.used --secret-file hook.secret',
      ],
    })
      .argument('<NAME>', 'name of the webhook')
      .argument('<URL>', 'https'),
  );
  addCommonFlags(verb).action((name: string, url: string, flags: WebhookFlags) =>
    withCaller(verb, async ({ ask }) => {
      if (flags.event === undefined) throw invalid('Say what it is called for: --event request.opened.');
      const body = { ...(await changeOf(flags)), name, url, events: [...flags.event] };
      const made = await ask('createWebhook', { body });
      show(flags, { document: made, quiet: [made.id], lines: [`Made the webhook '${printable(made.name)}': ${made.id}.`] });
    }),
  );
}

function addUpdate(noun: Command): void {
  const verb = addWebhookFlags(
    addVerb(noun, 'update', {
      summary: 'change a webhook',
      description: 'Changes a webhook; what is not said stays. Events take the place of all before; an empty description takes it away.',
      examples: ['countersign webhook update 6f1c0b2e --event request.opened', 'countersign webhook update 6f1c0b2e --disabled'],
    })
      .argument('<ID>', ID)
      .option('--name <NAME>', 'new name')
      .option('--url <URL>', 'new address'),
  )
    .option('--enabled', 'it is called again, for what happens from now on')
    .option('--unsigned', 'its secret is forgotten, and calls are not signed');
  addCommonFlags(verb).action((webhook: string, flags: WebhookFlags) =>
    withCaller(verb, async ({ ask }) => {
      const body = await changeOf(flags);
      if (Object.keys(body).length === 0) throw invalid('Say what to change, as by --event, --url, --secret-file or --disabled.');
      const changed = await ask('updateWebhook', { params: { webhook }, body });
      show(flags, { document: changed, quiet: [changed.id], lines: [`Changed the webhook '${printable(changed.name)}'.`] });
    }),
  );
}

async function changeOf(flags: WebhookFlags): Promise<Change> {
  if (flags.enabled && flags.disabled) throw invalid('--enabled and --disabled say two things. Leave one of them out.');
  const secret = await secretOf(flags);
  return {
    ...(flags.name === undefined ? {} : { name: flags.name }),
    ...(flags.url === undefined ? {} : { url: flags.url }),
    ...(flags.event === undefined ? {} : { events: [...flags.event] }),
    ...(flags.description === undefined ? {} : { description: flags.description }),
    ...(secret === undefined ? {} : { secret }),
    ...(flags.disabled ? { status: 'DISABLED' as const } : flags.enabled ? { status: 'ACTIVE' as const } : {}),
  };
}

/** Empty: none. Undefined where nothing was said. */
async function secretOf({ secretFile, secretStdin, unsigned, tokenStdin }: WebhookFlags): Promise<string | undefined> {
  const said = [secretFile !== undefined, secretStdin === true, unsigned === true].filter(Boolean).length;
  if (said > 1) throw invalid('--secret-file, --secret-stdin and --unsigned say different things. Leave one.');
  if (unsigned) return '';
  if (secretFile !== undefined) return readSecretFile(secretFile);
  if (!secretStdin) return undefined;
  if (tokenStdin) throw invalid('Standard input holds one secret: give the token by --token-file, or in COUNTERSIGN_TOKEN.');
  const { readStdinLine } = await import('./secret-input.ts');
  return readStdinLine();
}

function readSecretFile(path: string): string {
  let given: string;
  try {
    given = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw invalid(`The file ${path} can't be read (${(error as { code?: string }).code ?? 'unknown error'}).`);
  }
  if (given === '' || /[\r\n]/.test(given)) throw invalid(`The file ${path} must hold one line, the secret.`);
  return given;
}

function addDelete(noun: Command): void {
  const verb = addVerb(
    noun,
    'delete',
    {
      summary: 'delete a webhook',
      description: 'Deletes a webhook and its secret. What was not told yet is not told any more.',
      examples: ['countersign webhook delete 6f1c0b2e --yes'],
    },
    'rm',
  )
    .argument('<ID>', ID)
    .option('-y, --yes', 'without asking');
  addCommonFlags(verb).action((webhook: string, flags: OutputFlags & { yes?: boolean }) =>
    withCaller(verb, async ({ ask }) => {
      const found = await ask('getWebhook', { params: { webhook } });
      await confirmYes(flags.yes, `Delete the webhook '${printable(found.name)}' to ${printable(found.url)}?`);
      await ask('deleteWebhook', { params: { webhook } });
      show(flags, { document: { id: webhook }, quiet: [webhook], lines: [`Deleted the webhook '${printable(found.name)}'.`] });
    }),
  );
}

function addTest(noun: Command): void {
  const verb = addVerb(noun, 'test', {
    summary: 'call a webhook once, with an example',
    description: `Calls the URL once and says what it answered. Ends with exit code ${EXIT.checkFailed} where it was not reached, or refused.`,
    examples: ['countersign webhook test 6f1c0b2e', 'countersign webhook test 6f1c0b2e --event check.reported'],
  })
    .argument('<ID>', ID)
    .addOption(new Option('--event <EVENT>', 'of what; the first that it is called for without it').choices(EVENTS));
  addCommonFlags(verb).action((webhook: string, flags: OutputFlags & { event?: Event }) =>
    withCaller(verb, async ({ ask }) => {
      const body = flags.event === undefined ? {} : { event: flags.event };
      const tried = await ask('testWebhook', { params: { webhook }, body });
      const { success, response_status: status, response_body: text, error_message: why } = tried;
      const how = status === null ? (why ?? 'no answer') : `${status}${text ? ` ${text}` : ''}`;
      show(flags, {
        document: tried,
        quiet: [success ? 'success' : 'failure'],
        lines: [printable(`${success ? 'It answered' : 'It failed'}: ${how}`)],
      });
      if (!success) process.exitCode = EXIT.checkFailed;
    }),
  );
}
