/** `countersign user …` */
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { invalid } from '@countersign/contract/problem.ts';
import type { Command } from 'commander';
import { askAll } from './caller.ts';
import { say } from './output.ts';
import { withCaller } from './reach.ts';
import { addCiLinks } from './user-ci-links.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, printable, relativeTime, type Shown, show, table } from './verbs.ts';

type User = AnswerOf<EndpointOf<'getUser'>>;

export function addUser(program: Command): void {
  const user = addNoun(
    program,
    'user',
    'look after the people who may sign in',
    'Commands for users. The first one must be an administrator.',
  );
  addList(user);
  addShow(user);
  addCreate(user);
  addUpdate(user);
  addPassword(user);
  addAdministration(user);
  addState(user);
  addRemoval(user);
  addCiLinks(user);
}

export function shownUser(user: User): Shown {
  const facts = [
    ['name', user.name],
    ['display name', user.display_name ?? ''],
    ['e-mail', user.email ?? ''],
    ['administrator', user.is_admin ? 'yes' : 'no'],
    ['state', user.state],
    ['password', user.has_password ? 'set' : 'none'],
    ['created', relativeTime(user.created_at)],
  ] as const;
  const lines = facts.filter(([, value]) => value !== '').map(([title, value]) => `${title.padEnd(14)}${printable(value)}`);
  return { document: user, quiet: [user.name], lines };
}

function addList(noun: Command): void {
  const verb = addVerb(
    noun,
    'list',
    {
      summary: 'list users',
      description: 'Lists users in the order in which they were made.',
      examples: ['countersign user list --data-dir ./registry', 'countersign user list --server https://registry.example --json'],
    },
    'ls',
  );
  addCommonFlags(verb).action((flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const users = (await askAll((query) => ask('listUsers', { query }))).flatMap((page) => page.users);
      show(flags, {
        document: { users },
        quiet: users.map((each) => each.name),
        lines: table(
          ['NAME', 'ROLE', 'STATE', 'DISPLAY NAME', 'CREATED'],
          users.map((each) => [
            each.name,
            each.is_admin ? 'administrator' : '',
            each.state,
            each.display_name ?? '',
            relativeTime(each.created_at),
          ]),
        ),
      });
    }),
  );
}

function addShow(noun: Command): void {
  const verb = addVerb(noun, 'show', {
    summary: 'show a user',
    description: 'Shows what is known of a user; no password is ever shown.',
    examples: ['countersign user show alice --json'],
  }).argument('<NAME>', 'name of the user');
  addCommonFlags(verb).action((name: string, flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => show(flags, shownUser(await ask('getUser', { params: { name } })))),
  );
}

interface CreateFlags extends OutputFlags {
  readonly admin?: boolean;
  readonly displayName?: string;
  readonly email?: string;
  readonly password: boolean;
  readonly passwordStdin?: boolean;
}

function addCreate(noun: Command): void {
  const verb = addVerb(noun, 'create', {
    summary: 'create a user',
    description:
      'Creates a user, and asks for the password. The first one must be an administrator: from then on everybody has to sign in. ' +
      'Before the first start it makes the database too.',
    examples: [
      'countersign user create alice --admin --data-dir ./registry',
      'countersign user create bob --password-stdin --server https://registry.example < bob.password',
      'countersign user create carol --no-password    # signs in with the identity provider',
    ],
  }).argument('<NAME>', 'name to sign in with');
  verb
    .option('--admin', 'administers the server')
    .option('--display-name <TEXT>', 'how people call the user')
    .option('--email <ADDRESS>', 'e-mail address')
    .option('--password-stdin', 'read the password from standard input')
    .option('--no-password', 'give none: single sign-on or an administrator comes later');
  addCommonFlags(verb).action(async (name: string, flags: CreateFlags) => {
    if (!flags.password && flags.passwordStdin)
      throw invalid('--password-stdin and --no-password contradict each other. Leave one of them out.');
    const { readNewPassword } = await import('./secret-input.ts');
    const password = flags.password ? await readNewPassword(flags.passwordStdin === true, `'${name}'`) : undefined;
    const body = {
      name,
      is_admin: flags.admin === true,
      ...(flags.displayName === undefined ? {} : { display_name: flags.displayName }),
      ...(flags.email === undefined ? {} : { email: flags.email }),
      ...(password === undefined ? {} : { password }),
    };
    await withCaller(verb, async ({ ask }) => show(flags, created(await ask('createUser', { body }))), { makesData: flags.admin === true });
  });
}

function created(user: User): Shown {
  return { ...shownUser(user), lines: [`Created the ${user.is_admin ? 'administrator' : 'user'} '${user.name}'.`] };
}

interface UpdateFlags extends OutputFlags {
  readonly name?: string;
  readonly displayName?: string;
  readonly email?: string;
}

function addUpdate(noun: Command): void {
  const verb = addVerb(noun, 'update', {
    summary: 'change name, display name or address',
    description:
      "Changes how a user is called; an empty text takes it away. Grants, groups and tokens stay: they are the account's, not the name's.",
    examples: ["countersign user update alice --display-name 'Alice A.'", 'countersign user update alice --name alice.a'],
  }).argument('<NAME>', 'name of the user');
  verb
    .option('--name <NAME>', 'new name to sign in with')
    .option('--display-name <TEXT>', 'how people call the user')
    .option('--email <ADDRESS>', 'e-mail address');
  addCommonFlags(verb).action((name: string, flags: UpdateFlags) => {
    const body = {
      ...(flags.name === undefined ? {} : { name: flags.name }),
      ...(flags.displayName === undefined ? {} : { display_name: flags.displayName || null }),
      ...(flags.email === undefined ? {} : { email: flags.email || null }),
    };
    if (Object.keys(body).length === 0) throw invalid('Say what to change: --name, --display-name or --email.');
    return withCaller(verb, async ({ ask }) => show(flags, shownUser(await ask('updateUser', { params: { name }, body }))));
  });
}

interface PasswordFlags extends OutputFlags {
  readonly passwordStdin?: boolean;
  readonly remove?: boolean;
  readonly revokeTokens?: boolean;
}

function addPassword(noun: Command): void {
  const verb = addVerb(noun, 'password', {
    summary: 'give a user another password',
    description:
      'Asks for a new password of a user, and signs out his browsers. Without a name it is your own, and the one you have is asked for first.',
    examples: ['countersign user password alice --revoke-tokens', 'countersign user password --server https://registry.example'],
  }).argument('[NAME]', 'name of the user; you, without it');
  verb
    .option('--password-stdin', 'read the new password from standard input')
    .option('--remove', 'take the password away: single sign-on or a token is the way in')
    .option('--revoke-tokens', 'revoke all tokens too');
  addCommonFlags(verb).action(async (name: string | undefined, flags: PasswordFlags) => {
    const { askSecret, canAsk, readNewPassword } = await import('./secret-input.ts');
    const revoke_tokens = flags.revokeTokens === true;
    if (name !== undefined) {
      if (flags.remove && flags.passwordStdin) throw invalid('--password-stdin and --remove contradict each other. Leave one of them out.');
      const password = flags.remove ? null : await readNewPassword(flags.passwordStdin === true, `'${name}'`);
      await withCaller(verb, async ({ ask }) => {
        await ask('setUserPassword', { params: { name }, body: { password, revoke_tokens } });
        show(flags, { document: {}, quiet: [], lines: [`${password === null ? 'Took away' : 'Changed'} the password of '${name}'.`] });
      });
      return;
    }
    if (flags.remove || flags.passwordStdin || !canAsk())
      throw invalid('Your own password is changed at a terminal. Name a user to change that one.');
    const current_password = await askSecret('Your password now: ');
    const password = await readNewPassword(false, 'yours');
    await withCaller(verb, async ({ ask }) => {
      await ask('setMyPassword', { body: { current_password, password, revoke_tokens } });
      show(flags, { document: {}, quiet: [], lines: ['Changed your password.'] });
    });
  });
}

function addAdministration(noun: Command): void {
  const verbs = [
    ['promote', true, 'make a user an administrator of the server'],
    ['demote', false, 'make an administrator an ordinary user'],
  ] as const;
  for (const [word, is_admin, summary] of verbs) {
    const verb = addVerb(noun, word, {
      summary,
      description: `${summary.charAt(0).toUpperCase()}${summary.slice(1)}. One active administrator always stays.`,
      examples: [`countersign user ${word} alice --server https://registry.example`],
    }).argument('<NAME>', 'name of the user');
    addCommonFlags(verb).action((name: string, flags: OutputFlags) =>
      withCaller(verb, async ({ ask }) => show(flags, shownUser(await ask('setUserAdmin', { params: { name }, body: { is_admin } })))),
    );
  }
}

function addState(noun: Command): void {
  const disable = addVerb(noun, 'disable', {
    summary: 'keep a user out for the time being',
    description: 'Nothing that the user signs in with is answered until it is enabled again. Grants and groups stay.',
    examples: ['countersign user disable alice', 'countersign user disable alice --revoke-tokens'],
  })
    .argument('<NAME>', 'name of the user')
    .option('--revoke-tokens', 'revoke all tokens for good');
  addCommonFlags(disable).action((name: string, flags: OutputFlags & { revokeTokens?: boolean }) =>
    withCaller(disable, async ({ ask }) => {
      const body = { revoke_tokens: flags.revokeTokens === true };
      show(flags, shownUser(await ask('disableUser', { params: { name }, body })));
    }),
  );
  const enable = addVerb(noun, 'enable', {
    summary: 'let a disabled user in again',
    description: 'Lets a disabled user in again, by password and tokens that were not revoked.',
    examples: ['countersign user enable alice'],
  }).argument('<NAME>', 'name of the user');
  addCommonFlags(enable).action((name: string, flags: OutputFlags) =>
    withCaller(enable, async ({ ask }) => show(flags, shownUser(await ask('enableUser', { params: { name } })))),
  );
}

interface RemovalFlags extends OutputFlags {
  readonly confirm?: string;
  readonly id?: string;
}

function addRemoval(noun: Command): void {
  const remove = addVerb(
    noun,
    'delete',
    {
      summary: 'delete a user with tokens, memberships and grants',
      description: 'Deletes a user. Its name stays beside the events about it; erase takes that away too.',
      examples: ['countersign user delete alice --confirm alice'],
    },
    'rm',
  )
    .argument('<NAME>', 'name of the user')
    .option('--confirm <NAME>', 'the name again, instead of being asked for it');
  addCommonFlags(remove).action(async (name: string, flags: RemovalFlags) => {
    const { confirmName } = await import('./confirmation.ts');
    await confirmName(name, flags.confirm, `This deletes the user '${name}'.`);
    await withCaller(remove, async ({ ask }) => {
      await ask('deleteUser', { params: { name } });
      show(flags, { document: { deleted: { name } }, quiet: [name], lines: [`Deleted '${name}'.`] });
    });
  });
  const erase = addVerb(noun, 'erase', {
    summary: 'erase a person for ever',
    description:
      'Deletes the user, and takes name, display name and address from the account and from beside all events about it. The events stay, and the ' +
      'record still verifies. One that was deleted before is found by the name it had. What people wrote themselves (descriptions, tags) stays.',
    examples: ['countersign user erase alice --confirm alice', 'countersign user erase alice --id 7 --confirm alice'],
  })
    .argument('<NAME>', 'name that the user has, or had')
    .option('--id <ID>', 'which one, where several had the name')
    .option('--confirm <NAME>', 'the name again, instead of being asked for it');
  addCommonFlags(erase).action(async (name: string, flags: RemovalFlags) => {
    if (flags.id !== undefined && !/^\d{1,15}$/.test(flags.id)) throw invalid(`--id must be a number, got '${flags.id}'.`);
    const { confirmName } = await import('./confirmation.ts');
    await confirmName(name, flags.confirm, `This erases the person '${name}' for ever.`);
    await withCaller(erase, async ({ ask }) => {
      const body = { confirm: name, ...(flags.id === undefined ? {} : { id: Number(flags.id) }) };
      const erased = await ask('eraseUser', { params: { name }, body });
      if (!flags.json && !flags.quiet) say('Backups and logs that were made before still hold what they held.');
      show(flags, {
        document: erased,
        quiet: [erased.name],
        lines: [`Erased. The account is called '${erased.name}' now; texts beside events that are gone: ${erased.erased_texts}.`],
      });
    });
  });
}
