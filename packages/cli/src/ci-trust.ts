/** `countersign ci-trust …` */
import { TRUST_KINDS } from '@countersign/contract/ci-trusts.ts';
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { type Command, Option } from 'commander';
import { askAll } from './caller.ts';
import { readPairs } from './pairs.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, relativeTime, show, table } from './verbs.ts';

type Trust = AnswerOf<EndpointOf<'addCiTrust'>>;

export function addCiTrust(program: Command): void {
  const noun = addNoun(
    program,
    'ci-trust',
    'let CI jobs in without a stored secret',
    'Commands for trusts: which jobs of a CI system may exchange their own token for a short-lived one of this server.',
  );
  addList(noun);
  addShow(noun);
  addAdd(noun);
  addRemove(noun);
}

function addList(noun: Command): void {
  const verb = addVerb(
    noun,
    'list',
    { summary: 'list trusts', description: 'Lists trusts, by name.', examples: ['countersign ci-trust list'] },
    'ls',
  );
  addCommonFlags(verb).action((flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const trusts = (await askAll((query) => ask('listCiTrusts', { query }))).flatMap((page) => page.trusts);
      show(flags, {
        document: { trusts },
        quiet: trusts.map((each) => each.name),
        lines: table(
          ['NAME', 'KIND', 'ISSUER', 'SCOPES', 'ACCOUNT', 'ADDED'],
          trusts.map((each) => [each.name, each.kind, each.issuer, each.scopes.join(' '), each.account, relativeTime(each.created_at)]),
        ),
      });
    }),
  );
}

function addShow(noun: Command): void {
  const verb = addVerb(noun, 'show', {
    summary: 'show a trust',
    description: 'Shows which jobs a trust means, and what they may do.',
    examples: ['countersign ci-trust show churn-release'],
  }).argument('<NAME>', 'name of the trust');
  addCommonFlags(verb).action((trust: string, flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const found = await ask('getCiTrust', { params: { trust } });
      show(flags, { document: found, quiet: [found.name], lines: linesOf(found) });
    }),
  );
}

function linesOf(trust: Trust): string[] {
  return table(
    ['NAME', trust.name],
    [
      ['issuer', trust.issuer],
      ['audience', trust.audience],
      ...Object.entries(trust.claims),
      ['scopes', trust.scopes.join(' ')],
      ['account', trust.account],
    ],
  );
}

/** Flags for claims that most trusts are made of. */
const CLAIM_FLAGS = [
  ['--repository-id <ID>', 'repositoryId', 'repository_id', 'GitHub: number of the repository'],
  ['--owner-id <ID>', 'ownerId', 'repository_owner_id', 'GitHub: number of its owner'],
  ['--workflow <FILE>', 'workflow', 'workflow_ref', 'GitHub: .github/workflows/FILE of the repository itself'],
  ['--project-id <ID>', 'projectId', 'project_id', 'GitLab: number of the project'],
  ['--namespace-id <ID>', 'namespaceId', 'namespace_id', 'GitLab: number of its namespace'],
  ['--pipeline-file <FILE>', 'pipelineFile', 'ci_config_ref_uri', 'GitLab: .gitlab-ci.yml of the project itself'],
  ['--ref <REF>', 'ref', 'ref', 'GitHub: refs/heads/main; GitLab: main'],
  ['--environment <NAME>', 'environment', 'environment', 'the deployment environment'],
] as const;

interface AddFlags extends OutputFlags {
  readonly kind: (typeof TRUST_KINDS)[number];
  readonly issuer?: string;
  readonly audience?: string;
  readonly claim?: string[];
  readonly scope: string[];
}

function addAdd(noun: Command): void {
  const verb = addVerb(noun, 'add', {
    summary: 'trust the jobs that bring these claims',
    description:
      'Makes a trust and its account, ci:NAME, which may do nothing until it is granted something. Jobs are known by numbers, file, and ref or ' +
      'environment; never by names. A file without @ is compared up to the @.',
    examples: [
      'countersign ci-trust add churn-release --kind github --repository-id 456789 --owner-id 123456 --workflow .github/workflows/release.yml ' +
        '--ref refs/heads/main --scope read versions:create',
      'countersign ci-trust add vision --kind gitlab --project-id 20 --namespace-id 72 --pipeline-file .gitlab-ci.yml --ref main ' +
        '--claim ref_protected=true --scope write',
    ],
  })
    .argument('<NAME>', 'what it is called here')
    .addOption(new Option('--kind <KIND>', 'the CI system').choices(TRUST_KINDS).makeOptionMandatory())
    .requiredOption('--scope <SCOPE...>', 'read, write, check:NAME, versions:create, requests:create, deployments:write; several by spaces')
    .option('--issuer <URL>', "https; github.com's or gitlab.com's without it")
    .option('--audience <TEXT>', "for whom jobs ask their token; the server's public URL without it");
  for (const [flag, , , about] of CLAIM_FLAGS) verb.option(flag, about);
  verb.option('--claim <NAME=VALUE...>', 'another claim and its exact value; several by spaces');
  addCommonFlags(verb).action((name: string, flags: AddFlags & Readonly<Record<string, unknown>>) => {
    const shortcuts = CLAIM_FLAGS.flatMap(([, key, claim]) => (typeof flags[key] === 'string' ? [[claim, flags[key]] as const] : []));
    const claims = Object.fromEntries([...shortcuts, ...readPairs('--claim', flags.claim ?? [])]);
    return withCaller(verb, async ({ ask }) => {
      const body = {
        name,
        kind: flags.kind,
        claims,
        scopes: flags.scope,
        ...(flags.issuer === undefined ? {} : { issuer: flags.issuer }),
        ...(flags.audience === undefined ? {} : { audience: flags.audience }),
      };
      const added = await ask('addCiTrust', { body });
      const lines = [
        `Added the trust '${added.name}'. Its jobs ask a token for ${added.audience} and act as '${added.account}'.`,
        `Grant that account something, as in: countersign grant set EDIT --ci ${added.account} --model-prefix PREFIX`,
      ];
      show(flags, { document: added, quiet: [added.name], lines });
    });
  });
}

function addRemove(noun: Command): void {
  const verb = addVerb(
    noun,
    'remove',
    {
      summary: 'remove a trust with its account and grants',
      description: 'Removes a trust. Jobs that run now are cut off at once.',
      examples: ['countersign ci-trust remove churn-release --confirm churn-release'],
    },
    'rm',
  )
    .argument('<NAME>', 'name of the trust')
    .option('--confirm <NAME>', 'the name again, instead of being asked for it');
  addCommonFlags(verb).action(async (trust: string, flags: OutputFlags & { confirm?: string }) => {
    const { confirmName } = await import('./confirmation.ts');
    await confirmName(trust, flags.confirm, `This removes the trust '${trust}', its account and its grants.`);
    await withCaller(verb, async ({ ask }) => {
      await ask('removeCiTrust', { params: { trust } });
      show(flags, { document: { removed: { name: trust } }, quiet: [trust], lines: [`Removed the trust '${trust}'.`] });
    });
  });
}
