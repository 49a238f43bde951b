/** `countersign service-account …` */
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { invalid } from '@countersign/contract/problem.ts';
import type { Command } from 'commander';
import { askAll } from './caller.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, printable, relativeTime, type Shown, show, table } from './verbs.ts';

type ServiceAccount = AnswerOf<EndpointOf<'getServiceAccount'>>;

const NAME = 'name of the service account';

export function addServiceAccount(program: Command): void {
  const noun = addNoun(
    program,
    'service-account',
    'look after accounts of jobs and programs',
    'Commands for service accounts. They sign in by tokens, and somebody answers for each.',
  );
  addList(noun);
  addShow(noun);
  addCreate(noun);
  addUpdate(noun);
  addState(noun);
  addDelete(noun);
}

function shown(account: ServiceAccount): Shown {
  const facts = [
    ['name', account.name],
    ['display name', account.display_name ?? ''],
    ['owner', account.owner?.name ?? ''],
    ['state', account.state],
    ['created', relativeTime(account.created_at)],
  ] as const;
  const lines = facts.filter(([, value]) => value !== '').map(([title, value]) => `${title.padEnd(14)}${printable(value)}`);
  return { document: account, quiet: [account.name], lines };
}

function addList(noun: Command): void {
  const verb = addVerb(
    noun,
    'list',
    {
      summary: 'list service accounts',
      description: 'Lists service accounts: all for an administrator, your own else.',
      examples: ['countersign service-account list', 'countersign service-account list --json'],
    },
    'ls',
  );
  addCommonFlags(verb).action((flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const pages = await askAll((query) => ask('listServiceAccounts', { query }));
      const found = pages.flatMap((page) => page.service_accounts);
      show(flags, {
        document: { service_accounts: found },
        quiet: found.map((each) => each.name),
        lines: table(
          ['NAME', 'OWNER', 'STATE', 'DISPLAY NAME', 'CREATED'],
          found.map((each) => [each.name, each.owner?.name ?? '', each.state, each.display_name ?? '', relativeTime(each.created_at)]),
        ),
      });
    }),
  );
}

function addShow(noun: Command): void {
  const verb = addVerb(noun, 'show', {
    summary: 'show a service account',
    description: 'Shows a service account and who answers for it.',
    examples: ['countersign service-account show nightly-training'],
  }).argument('<NAME>', NAME);
  addCommonFlags(verb).action((name: string, flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => show(flags, shown(await ask('getServiceAccount', { params: { name } })))),
  );
}

interface DescriptionFlags extends OutputFlags {
  readonly name?: string;
  readonly displayName?: string;
  readonly owner?: string;
}

function addCreate(noun: Command): void {
  const verb = addVerb(noun, 'create', {
    summary: 'create a service account',
    description: 'Creates an account for a job or a program. Give it grants, and a token by: countersign token create --account NAME.',
    examples: ['countersign service-account create nightly-training --owner alice'],
  }).argument('<NAME>', NAME);
  verb
    .option('--owner <USER>', 'who answers for it; you, where a server is asked and it is left out')
    .option('--display-name <TEXT>', 'how people call it');
  addCommonFlags(verb).action((name: string, flags: DescriptionFlags) => {
    const body = {
      name,
      ...(flags.owner === undefined ? {} : { owner: flags.owner }),
      ...(flags.displayName === undefined ? {} : { display_name: flags.displayName }),
    };
    return withCaller(verb, async ({ ask }) => {
      const account = await ask('createServiceAccount', { body });
      show(flags, {
        ...shown(account),
        lines: [`Created the service account '${account.name}', for which '${account.owner?.name}' answers.`],
      });
    });
  });
}

function addUpdate(noun: Command): void {
  const verb = addVerb(noun, 'update', {
    summary: 'change name, display name or owner',
    description: 'Changes a service account; an empty display name takes it away. Its grants and tokens stay.',
    examples: ['countersign service-account update nightly-training --owner bob'],
  }).argument('<NAME>', NAME);
  verb
    .option('--name <NAME>', 'new name')
    .option('--display-name <TEXT>', 'how people call it')
    .option('--owner <USER>', 'who answers for it from now on');
  addCommonFlags(verb).action((name: string, flags: DescriptionFlags) => {
    const body = {
      ...(flags.name === undefined ? {} : { name: flags.name }),
      ...(flags.displayName === undefined ? {} : { display_name: flags.displayName || null }),
      ...(flags.owner === undefined ? {} : { owner: flags.owner }),
    };
    if (Object.keys(body).length === 0) throw invalid('Say what to change: --name, --display-name or --owner.');
    return withCaller(verb, async ({ ask }) => show(flags, shown(await ask('updateServiceAccount', { params: { name }, body }))));
  });
}

function addState(noun: Command): void {
  const disable = addVerb(noun, 'disable', {
    summary: 'keep a service account out for the time being',
    description: 'None of its tokens is answered until it is enabled again. Grants and groups stay.',
    examples: ['countersign service-account disable nightly-training --revoke-tokens'],
  })
    .argument('<NAME>', NAME)
    .option('--revoke-tokens', 'revoke all tokens for good');
  addCommonFlags(disable).action((name: string, flags: OutputFlags & { revokeTokens?: boolean }) =>
    withCaller(disable, async ({ ask }) => {
      const body = { revoke_tokens: flags.revokeTokens === true };
      show(flags, shown(await ask('disableServiceAccount', { params: { name }, body })));
    }),
  );
  const enable = addVerb(noun, 'enable', {
    summary: 'let a disabled service account in again',
    description: 'Lets a disabled service account in again, by tokens that were not revoked.',
    examples: ['countersign service-account enable nightly-training'],
  }).argument('<NAME>', NAME);
  addCommonFlags(enable).action((name: string, flags: OutputFlags) =>
    withCaller(enable, async ({ ask }) => show(flags, shown(await ask('enableServiceAccount', { params: { name } })))),
  );
}

function addDelete(noun: Command): void {
  const verb = addVerb(
    noun,
    'delete',
    {
      summary: 'delete a service account with tokens, memberships and grants',
      description: 'Deletes a service account. Its name may be given again, to a new account without its grants.',
      examples: ['countersign service-account delete nightly-training --confirm nightly-training'],
    },
    'rm',
  )
    .argument('<NAME>', NAME)
    .option('--confirm <NAME>', 'the name again, instead of being asked for it');
  addCommonFlags(verb).action(async (name: string, flags: OutputFlags & { confirm?: string }) => {
    const { confirmName } = await import('./confirmation.ts');
    await confirmName(name, flags.confirm, `This deletes the service account '${name}'.`);
    await withCaller(verb, async ({ ask }) => {
      await ask('deleteServiceAccount', { params: { name } });
      show(flags, { document: { deleted: { name } }, quiet: [name], lines: [`Deleted '${name}'.`] });
    });
  });
}
