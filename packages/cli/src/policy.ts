/** `countersign policy …` */
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import type { Policy as PolicyDocument } from '@countersign/contract/policies.ts';
import { notFound } from '@countersign/contract/problem.ts';
import type { Command } from 'commander';
import { confirmYes } from './confirmation.ts';
import { shortHash } from './decision-lines.ts';
import { EXIT } from './exit-codes.ts';
import { addApply, addPlan } from './policy-apply.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, printable, relativeTime, show, table } from './verbs.ts';

type Policy = AnswerOf<EndpointOf<'getPolicy'>>;

export function addPolicy(program: Command): void {
  const noun = addNoun(
    program,
    'policy',
    'publish, plan and read the policies of a workspace',
    'Commands for policies: what must be there before a version may stand where people rely on it.',
  );
  addList(noun);
  addShow(noun);
  addHistory(noun);
  addCheck(noun);
  addPlan(noun);
  addApply(noun);
  addWithdraw(noun);
}

function addList(noun: Command): void {
  const verb = addVerb(
    noun,
    'list',
    {
      summary: 'list the policies in force',
      description: 'Lists the policies in force, now or at a time.',
      examples: ['countersign policy list', 'countersign policy list --as-of 2026-03-01T00:00:00Z --json'],
    },
    'ls',
  ).option('--as-of <TIME>', 'as it was then: RFC 3339, or epoch milliseconds');
  addCommonFlags(verb).action((flags: OutputFlags & { asOf?: string }) =>
    withCaller(verb, async ({ ask }) => {
      const query = flags.asOf === undefined ? {} : { as_of: flags.asOf };
      const { policies } = await ask('listPolicies', { query });
      show(flags, { document: { policies }, quiet: policies.map(({ name }) => name), lines: listLines(policies) });
    }),
  );
}

function listLines(policies: readonly Policy[]): string[] {
  return table(
    ['NAME', 'MODE', 'MODELS', 'TARGET', 'HASH', 'BY', 'PUBLISHED'],
    policies.map((policy) => {
      const { match } = documentOf(policy);
      return [
        policy.name,
        policy.mode,
        [match.model, ...Object.entries(match.tags).map(([key, value]) => `${key}=${value}`)].join(' '),
        targetWords(match.target),
        shortHash(policy.hash),
        policy.published_by.name,
        relativeTime(policy.published_at),
      ];
    }),
  );
}

function documentOf({ document }: Policy): PolicyDocument {
  return document as PolicyDocument; // the server's, from a text that it checked
}

function targetWords({ prompt, ...target }: PolicyDocument['match']['target']): string {
  const words = Object.entries(prompt ?? target).map(([kind, name]) => (name === true ? kind : `${kind}:${String(name)}`));
  return `${words.join(' ')}${prompt === undefined ? '' : ' of prompts'}`;
}

function addShow(noun: Command): void {
  const verb = addVerb(noun, 'show <POLICY>', {
    summary: 'show a policy, by its name or hash',
    description: 'Shows the newest policy of a name, in force or withdrawn; or the one with a hash, as requests and decisions name it.',
    examples: ['countersign policy show fraud-production', 'countersign policy show fraud-production --text > fraud-production.yaml'],
  }).option('--text', 'its text alone, as it was written');
  addCommonFlags(verb).action((name: string, flags: OutputFlags & { text?: boolean }) =>
    withCaller(verb, async ({ ask }) => {
      const policy = await ask('getPolicy', { params: { policy: name } });
      const text = policy.text.replace(/\n$/, '').split('\n');
      const lines = flags.text ? text : [...headLines(policy), '', ...text.map((line) => printable(line))];
      show(flags, { document: policy, quiet: [policy.hash], lines });
    }),
  );
}

function headLines(policy: Policy): string[] {
  const until = policy.withdrawn_at === null ? 'in force' : `withdrawn ${relativeTime(policy.withdrawn_at)}`;
  return [
    `${policy.name}, ${policy.mode}, ${until}`,
    `hash ${policy.hash}`,
    `published ${relativeTime(policy.published_at)} by ${printable(policy.published_by.name)}`,
    ...policy.listed_digests.map((digest) => `may come back: sha256:${digest}`),
  ];
}

function addHistory(noun: Command): void {
  const verb = addVerb(noun, 'history <NAME>', {
    summary: 'list every publication of a policy, newest first',
    description: 'Lists every publication of a policy with its hash. The text of each is shown by policy show HASH --text.',
    examples: ['countersign policy history fraud-production', 'countersign policy history fraud-production --quiet'],
  });
  addCommonFlags(verb).action((name: string, flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const { policies } = await ask('listPolicyVersions', { params: { policy: name } });
      if (policies.length === 0) throw notFound(`There is no policy named '${name}'. See countersign policy list.`);
      const rows = policies.map((each) => [
        each.hash,
        each.mode,
        relativeTime(each.published_at),
        each.published_by.name,
        each.withdrawn_at === null ? 'in force' : relativeTime(each.withdrawn_at),
      ]);
      const lines = table(['HASH', 'MODE', 'PUBLISHED', 'BY', 'UNTIL'], rows);
      show(flags, { document: { policies }, quiet: policies.map(({ hash }) => hash), lines });
    }),
  );
}

function addCheck(noun: Command): void {
  const verb = addVerb(noun, 'check', {
    summary: 'check policy files, without any server',
    description:
      'Reads each file, or each .yaml and .yml of a folder, as publishing does, and says in which line and member a fault is. Ends with exit code ' +
      `${EXIT.checkFailed} where there is one. What other policies and the workspace have to say to it, policy plan asks.`,
    examples: ['countersign policy check policies/', 'countersign policy check fraud-production.yaml --json'],
  }).argument('<FILES...>', 'files or folders; - for standard input');
  addCommonFlags(verb).action(async (paths: string[], flags: OutputFlags) => {
    const { faultOf, readPolicyFiles } = await import('./policy-files.ts');
    const results = readPolicyFiles(paths).map(({ file, text }) => {
      const found = faultOf(text);
      return typeof found === 'string' ? { file, ok: false, name: null, fault: found } : { file, ok: true, name: found.name, fault: null };
    });
    const faulty = results.filter(({ ok }) => !ok);
    show(flags, {
      document: { ok: faulty.length === 0, files: results },
      quiet: faulty.map(({ file }) => file),
      lines: results.map(({ file, name, fault }) => `${file}: ${fault === null ? `'${name}' is fine` : printable(fault)}`),
    });
    if (faulty.length > 0) process.exitCode = EXIT.checkFailed;
  });
}

function addWithdraw(noun: Command): void {
  const verb = addVerb(noun, 'withdraw <NAME>', {
    summary: 'withdraw a policy',
    description: 'Nothing is asked by it from then on. Its text stays, and can be published again.',
    examples: ['countersign policy withdraw fraud-production', 'countersign policy withdraw fraud-production --yes'],
  }).option('-y, --yes', 'without asking');
  addCommonFlags(verb).action((name: string, flags: OutputFlags & { yes?: boolean }) =>
    withCaller(verb, async ({ ask }) => {
      await confirmYes(flags.yes, `Withdraw the policy '${name}'?`);
      const answer = await ask('withdrawPolicy', { params: { policy: name } });
      show(flags, { document: answer, quiet: [name], lines: [`Withdrew the policy '${name}'.`] });
    }),
  );
}
