/** `countersign token …` */
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { invalid } from '@countersign/contract/problem.ts';
import { type Command, Option } from 'commander';
import { say } from './output.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, relativeTime, show, table } from './verbs.ts';

type Token = AnswerOf<EndpointOf<'listTokens'>>['tokens'][number];

const DAY_MS = 86_400_000;
const EXPIRES_IN = '90d';

export function addToken(program: Command): void {
  const noun = addNoun(
    program,
    'token',
    'make and revoke tokens',
    'Commands for tokens: your own, and those of service accounts that you own. An administrator lists and revokes any.',
  );
  addList(noun);
  addCreate(noun);
  addRevoke(noun);
}

function addList(noun: Command): void {
  const verb = addVerb(
    noun,
    'list',
    {
      summary: 'list tokens',
      description: 'Lists tokens of an account, ended ones included. What a token is, is never shown again.',
      examples: ['countersign token list', 'countersign token list --account nightly-training --json'],
    },
    'ls',
  ).option('--account <NAME>', 'of this account; your own without it');
  addCommonFlags(verb).action((flags: OutputFlags & { account?: string }) =>
    withCaller(verb, async ({ ask }) => {
      const { tokens } = await ask('listTokens', { query: flags.account === undefined ? {} : { account: flags.account } });
      show(flags, {
        document: { tokens },
        quiet: tokens.map((each) => String(each.id)),
        lines: table(
          ['ID', 'NAME', 'BEGINS', 'SCOPES', 'STATE', 'EXPIRES', 'LAST USED'],
          tokens.map((each) => [
            String(each.id),
            each.name,
            each.hint,
            each.scopes.join(' '),
            stateOf(each),
            each.expires_at === null ? 'never' : relativeTime(each.expires_at),
            each.last_used_at === null ? 'never' : relativeTime(each.last_used_at),
          ]),
        ),
      });
    }),
  );
}

function stateOf(token: Token): string {
  if (token.revoked_at !== null) return 'revoked';
  return token.expires_at !== null && token.expires_at <= Date.now() ? 'expired' : 'active';
}

interface CreateFlags extends OutputFlags {
  readonly scope: string[];
  readonly expiresIn: string;
  readonly expiry: boolean;
  readonly account?: string;
}

function addCreate(noun: Command): void {
  const verb = addVerb(noun, 'create', {
    summary: 'make a token',
    description:
      'Makes a token and shows it this once, alone on standard output. Scopes: read, write, admin (each holds those before it), run:ID (log to ' +
      'this run alone; it may outlive a long training), check:NAME (report this check).',
    examples: [
      'countersign token create laptop --scope write',
      'export MLFLOW_TRACKING_TOKEN=$(countersign token create laptop --scope write)',
      'countersign token create nightly --account nightly-training --scope write --expires-in 30d',
    ],
  }).argument('<NAME>', 'for people: where it is used');
  verb
    .requiredOption('--scope <SCOPE...>', 'what it may be used for; several by spaces')
    .option('--expires-in <TIME>', 'days, hours or minutes, as in 90d, 12h, 30m', EXPIRES_IN)
    .addOption(new Option('--no-expiry', 'until it is revoked').conflicts('expiresIn'))
    .option('--account <NAME>', 'for this service account; for you without it');
  addCommonFlags(verb).action((name: string, flags: CreateFlags) => {
    const lasts = readDuration(flags.expiresIn);
    return withCaller(verb, async ({ ask }) => {
      const body = {
        name,
        scopes: flags.scope,
        expires_at: flags.expiry ? Date.now() + lasts : null,
        ...(flags.account === undefined ? {} : { account: flags.account }),
      };
      const made = await ask('createToken', { body });
      if (!flags.json && !flags.quiet) {
        const until = made.token.expires_at === null ? 'until it is revoked' : `until ${new Date(made.token.expires_at).toISOString()}`;
        say(`Token ${made.token.id} of '${made.token.account.name}', ${until}. Keep it: it is not shown again.`);
      }
      show(flags, { document: made, quiet: [made.secret], lines: [made.secret] });
    });
  });
}

function readDuration(text: string): number {
  const [, amount, unit] = /^(\d{1,5})([dhm])$/.exec(text) ?? [];
  const ms = Number(amount) * (unit === 'd' ? DAY_MS : unit === 'h' ? DAY_MS / 24 : DAY_MS / 1440);
  if (ms > 0) return ms;
  throw invalid(`--expires-in must be a number of days, hours or minutes, as in 90d, 12h, 30m, got '${text}'.`);
}

function addRevoke(noun: Command): void {
  const verb = addVerb(
    noun,
    'revoke',
    {
      summary: 'revoke a token at once',
      description: 'Revokes a token: whoever has it is refused from the next request on.',
      examples: ['countersign token revoke 12'],
    },
    'rm',
  ).argument('<ID>', 'id, as token list shows it');
  addCommonFlags(verb).action((text: string, flags: OutputFlags) => {
    if (!/^\d{1,15}$/.test(text)) throw invalid(`The id of a token is a number, got '${text}'. See countersign token list.`);
    const id = Number(text);
    return withCaller(verb, async ({ ask }) => {
      await ask('revokeToken', { params: { id } });
      show(flags, { document: { revoked: { id } }, quiet: [text], lines: [`Revoked the token ${id}.`] });
    });
  });
}
