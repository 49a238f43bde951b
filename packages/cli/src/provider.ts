/** `countersign provider …` */
import { readFileSync } from 'node:fs';
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { invalid } from '@countersign/contract/problem.ts';
import type { Command } from 'commander';
import { askAll } from './caller.ts';
import { readPairs } from './pairs.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, relativeTime, show, table } from './verbs.ts';

type Provider = AnswerOf<EndpointOf<'addIdentityProvider'>>;

const NAME = 'name of the provider';

export function addProvider(program: Command): void {
  const noun = addNoun(
    program,
    'provider',
    'look after identity providers for single sign-on',
    'Commands for OpenID Connect providers that people sign in by, and for who is who there.',
  );
  addList(noun);
  addShow(noun);
  addAdd(noun);
  addUpdate(noun);
  addRemove(noun);
  addLink(noun);
  addUnlink(noun);
  addLinks(noun);
}

function addList(noun: Command): void {
  const verb = addVerb(
    noun,
    'list',
    { summary: 'list identity providers', description: 'Lists identity providers, by name.', examples: ['countersign provider list'] },
    'ls',
  );
  addCommonFlags(verb).action((flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const { providers } = await ask('listIdentityProviders');
      show(flags, {
        document: { providers },
        quiet: providers.map((each) => each.name),
        lines: table(
          ['NAME', 'ISSUER', 'CLIENT', 'GROUPS', 'ADDED'],
          providers.map((each) => [each.name, each.issuer, each.client_id, String(each.groups.length), relativeTime(each.created_at)]),
        ),
      });
    }),
  );
}

function addShow(noun: Command): void {
  const verb = addVerb(noun, 'show', {
    summary: 'show an identity provider',
    description: 'Shows an identity provider and what its groups stand for. Its secret is never shown.',
    examples: ['countersign provider show corp'],
  }).argument('<NAME>', NAME);
  addCommonFlags(verb).action((provider: string, flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const found = await ask('getIdentityProvider', { params: { provider } });
      show(flags, { document: found, quiet: [found.name], lines: linesOf(found) });
    }),
  );
}

function linesOf(provider: Provider): string[] {
  return [
    ...table(
      ['NAME', provider.name],
      [
        ['issuer', provider.issuer],
        ['client', `${provider.client_id}${provider.has_client_secret ? '' : ' (public, without secret)'}`],
        ['scopes', provider.scopes.join(' ')],
        ['names', `claim ${provider.name_claim}`],
        ['groups', `claim ${provider.groups_claim}${provider.groups_by_name ? ', also by their names' : ''}`],
        ['newcomers', provider.creates_accounts ? 'get an account' : 'are refused'],
        ['addresses', provider.asks_verified_email ? 'must be verified' : 'are not looked at'],
      ],
    ),
    ...table(
      ['CLAIM VALUE', 'GROUP'],
      provider.groups.map((each) => [each.value, each.group]),
    ),
  ];
}

interface SettingFlags extends OutputFlags {
  readonly clientId?: string;
  readonly clientSecretStdin?: boolean;
  readonly clientSecretFile?: string;
  readonly publicClient?: boolean;
  readonly scope?: string[];
  readonly nameClaim?: string;
  readonly groupsClaim?: string;
  readonly group?: string[];
  readonly groupsByName?: boolean;
  readonly newAccounts?: boolean;
  readonly verifiedEmail?: boolean;
  readonly tokenStdin?: boolean;
}

function addSettingFlags(verb: Command): Command {
  return verb
    .option('--client-secret-file <FILE>', 'file with the client secret')
    .option('--client-secret-stdin', 'read the client secret from standard input')
    .option('--public-client', 'there is no client secret')
    .option('--scope <SCOPE...>', 'what the provider is asked for; openid profile email without it')
    .option('--name-claim <CLAIM>', 'claim that names a new account; preferred_username without it')
    .option('--groups-claim <CLAIM>', 'claim of the groups, also a path with dots; groups without it')
    .option('--group <VALUE=GROUP...>', 'a claim value and the group that it stands for; all of them are given at once')
    .option('--groups-by-name', 'claim values that are not mapped mean the groups of the same names')
    .option('--no-groups-by-name', 'only mapped values count')
    .option('--new-accounts', 'people who are not known get an account')
    .option('--no-new-accounts', 'people who are not known are refused')
    .option('--verified-email', 'the provider must have verified the mail address')
    .option('--no-verified-email', 'it need not');
}

/** What was said on the command line; commander's own defaults for `--no-…` don't count. */
async function readSettings(verb: Command, flags: SettingFlags, mustSaySecret: boolean) {
  const isSaid = (name: string): boolean => verb.getOptionValueSource(name) === 'cli';
  const secret = await readClientSecret(flags, mustSaySecret);
  const mapping = flags.group && readPairs('--group', flags.group).map(([value, group]) => ({ value, group }));
  return {
    ...(secret === undefined ? {} : { client_secret: secret }),
    ...(flags.scope === undefined ? {} : { scopes: flags.scope }),
    ...(flags.nameClaim === undefined ? {} : { name_claim: flags.nameClaim }),
    ...(flags.groupsClaim === undefined ? {} : { groups_claim: flags.groupsClaim }),
    ...(mapping === undefined ? {} : { groups: mapping }),
    ...(isSaid('groupsByName') ? { groups_by_name: flags.groupsByName === true } : {}),
    ...(isSaid('newAccounts') ? { creates_accounts: flags.newAccounts === true } : {}),
    ...(isSaid('verifiedEmail') ? { asks_verified_email: flags.verifiedEmail === true } : {}),
  };
}

/** Empty: none. Undefined where nothing was said and nothing must be. */
async function readClientSecret(flags: SettingFlags, mustSay: boolean): Promise<string | undefined> {
  const ways = [flags.clientSecretFile !== undefined, flags.clientSecretStdin === true, flags.publicClient === true];
  if (ways.filter((each) => each).length > 1) {
    throw invalid('--client-secret-file, --client-secret-stdin and --public-client say three things. Leave two of them out.');
  }
  if (flags.publicClient) return '';
  if (flags.clientSecretFile !== undefined) return readSecretFile(flags.clientSecretFile);
  const { askSecret, canAsk, readStdinLine } = await import('./secret-input.ts');
  if (flags.clientSecretStdin) {
    if (flags.tokenStdin) throw invalid('Standard input holds one secret: give the token by --token-file, or in COUNTERSIGN_TOKEN.');
    return readStdinLine();
  }
  if (!mustSay) return undefined;
  if (canAsk()) return askSecret('Client secret (empty for a public client): ');
  throw invalid('Give the client secret by --client-secret-stdin or --client-secret-file, or say --public-client.');
}

function readSecretFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw invalid(`The file ${path} can't be read (${(error as { code?: string }).code ?? 'unknown error'}).`);
  }
}

function addAdd(noun: Command): void {
  const verb = addVerb(noun, 'add', {
    summary: 'add an identity provider',
    description:
      'Adds an OpenID Connect provider, which must answer. Register PUBLIC-URL/login/callback there as the redirect URI of a client for the ' +
      'authorization code flow.',
    examples: [
      'countersign provider add corp --issuer https://id.example --client-id countersign --client-secret-file ./secret --group ml-eng=engineers',
      'printf %s "$SECRET" | countersign provider add corp --issuer https://id.example --client-id countersign --client-secret-stdin',
    ],
  })
    .argument('<NAME>', 'what people see: Sign in with NAME')
    .requiredOption('--issuer <URL>', 'https, exactly as its discovery document names it')
    .requiredOption('--client-id <ID>', 'the client that was registered there');
  addCommonFlags(addSettingFlags(verb)).action(async (name: string, flags: SettingFlags & { issuer: string; clientId: string }) => {
    const settings = await readSettings(verb, flags, true);
    await withCaller(verb, async ({ ask }) => {
      const added = await ask('addIdentityProvider', { body: { name, issuer: flags.issuer, client_id: flags.clientId, ...settings } });
      show(flags, { document: added, quiet: [added.name], lines: [`Added the identity provider '${added.name}'.`] });
    });
  });
}

function addUpdate(noun: Command): void {
  const verb = addVerb(noun, 'update', {
    summary: 'change an identity provider',
    description: 'Changes what is given; the rest stays, and so does the issuer. It counts from the next sign-in of each person.',
    examples: [
      'countersign provider update corp --group ml-eng=engineers risk=approvers',
      'countersign provider update corp --no-new-accounts',
    ],
  })
    .argument('<NAME>', NAME)
    .option('--client-id <ID>', 'the client that was registered there');
  addCommonFlags(addSettingFlags(verb)).action(async (provider: string, flags: SettingFlags) => {
    const body = {
      ...(flags.clientId === undefined ? {} : { client_id: flags.clientId }),
      ...(await readSettings(verb, flags, false)),
    };
    if (Object.keys(body).length === 0) throw invalid('Say what to change, as in --group VALUE=GROUP.');
    await withCaller(verb, async ({ ask }) => {
      const changed = await ask('changeIdentityProvider', { params: { provider }, body });
      show(flags, { document: changed, quiet: [changed.name], lines: [`Changed the identity provider '${changed.name}'.`] });
    });
  });
}

function addRemove(noun: Command): void {
  const verb = addVerb(
    noun,
    'remove',
    {
      summary: 'remove an identity provider',
      description: 'Removes a provider and its secret. Memberships by its claims end; accounts stay, with their tokens.',
      examples: ['countersign provider remove corp --confirm corp'],
    },
    'rm',
  )
    .argument('<NAME>', NAME)
    .option('--confirm <NAME>', 'the name again, instead of being asked for it');
  addCommonFlags(verb).action(async (provider: string, flags: OutputFlags & { confirm?: string }) => {
    const { confirmName } = await import('./confirmation.ts');
    await confirmName(provider, flags.confirm, `This removes '${provider}': nobody signs in by it any more.`);
    await withCaller(verb, async ({ ask }) => {
      await ask('removeIdentityProvider', { params: { provider } });
      show(flags, { document: { removed: { name: provider } }, quiet: [provider], lines: [`Removed '${provider}'.`] });
    });
  });
}

function addLink(noun: Command): void {
  const verb = addVerb(noun, 'link', {
    summary: 'link an account to a person at a provider',
    description: 'From now on the person with this subject signs in as this account. Who was refused was shown the subject.',
    examples: ['countersign provider link corp --user ada --subject 00u1a2b3c4'],
  })
    .argument('<NAME>', NAME)
    .requiredOption('--user <USER>', 'name of the account')
    .requiredOption('--subject <SUBJECT>', "the provider's own id of the person");
  addCommonFlags(verb).action((provider: string, flags: OutputFlags & { user: string; subject: string }) =>
    withCaller(verb, async ({ ask }) => {
      const linked = await ask('linkIdentity', { params: { provider }, body: { user: flags.user, subject: flags.subject } });
      const lines = [`'${linked.subject}' at '${provider}' is '${linked.account.name}'.`];
      show(flags, { document: linked, quiet: [linked.subject], lines });
    }),
  );
}

function addUnlink(noun: Command): void {
  const verb = addVerb(noun, 'unlink', {
    summary: 'take the link of a person at a provider away',
    description: 'The account stays, with its tokens and its sessions until they end; memberships by the claims end.',
    examples: ['countersign provider unlink corp --subject 00u1a2b3c4'],
  })
    .argument('<NAME>', NAME)
    .requiredOption('--subject <SUBJECT>', "the provider's own id of the person");
  addCommonFlags(verb).action((provider: string, flags: OutputFlags & { subject: string }) =>
    withCaller(verb, async ({ ask }) => {
      await ask('unlinkIdentity', { params: { provider, subject: flags.subject } });
      const lines = [`'${flags.subject}' at '${provider}' is nobody here any more.`];
      show(flags, { document: { unlinked: { provider, subject: flags.subject } }, quiet: [flags.subject], lines });
    }),
  );
}

function addLinks(noun: Command): void {
  const verb = addVerb(noun, 'links', {
    summary: 'list who is who at a provider',
    description: 'Lists which accounts are linked to people at a provider.',
    examples: ['countersign provider links corp'],
  }).argument('<NAME>', NAME);
  addCommonFlags(verb).action((provider: string, flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const pages = await askAll((query) => ask('listLinkedIdentities', { params: { provider }, query }));
      const identities = pages.flatMap((page) => page.identities);
      show(flags, {
        document: { identities },
        quiet: identities.map((each) => each.subject),
        lines: table(
          ['USER', 'SUBJECT', 'SINCE'],
          identities.map((each) => [each.account.name, each.subject, relativeTime(each.linked_at)]),
        ),
      });
    }),
  );
}
