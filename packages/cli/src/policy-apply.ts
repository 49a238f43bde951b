/** `countersign policy plan` and `policy apply`: from files to what is in force, looked at first. */
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { invalid } from '@countersign/contract/problem.ts';
import type { Command } from 'commander';
import type { Caller } from './caller.ts';
import { confirmYes } from './confirmation.ts';
import { shortHash } from './decision-lines.ts';
import { say } from './output.ts';
import { collected, readPairs } from './pairs.ts';
import type { NamedFile } from './policy-files.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addVerb, type OutputFlags, printable, show, table } from './verbs.ts';

type Plan = AnswerOf<EndpointOf<'planPolicies'>>;
type Line = Plan['lines'][number];

interface ChangeFlags extends OutputFlags {
  readonly withdraw?: readonly string[];
  readonly prune?: boolean;
}

function addChangeFlags(verb: Command): Command {
  return verb
    .argument('[FILES...]', 'files, each one policy, or folders with .yaml and .yml files; - for standard input')
    .option('--withdraw <NAME>', 'withdraw this one; may be given several times', collected)
    .option('--prune', 'withdraw whatever is in force and in no file');
}

export function addPlan(noun: Command): void {
  const verb = addVerb(noun, 'plan', {
    summary: 'show what policies would change, without changing anything',
    description:
      'Shows what would be published, replaced and withdrawn, then each open request, and each version that stands in a governed place, of which the ' +
      'policies would say something else: first what would fail from then on, with what would be missing.',
    examples: ['countersign policy plan policies/ --prune', 'countersign policy plan fraud-production.yaml --withdraw fraud-old --json'],
  });
  addChangeFlags(verb);
  addCommonFlags(verb).action((paths: string[], flags: ChangeFlags) =>
    withCaller(verb, async ({ ask }) => {
      const { files, withdraw } = await readChanges(ask, paths, flags);
      const plan = await askPlan(ask, files, withdraw);
      show(flags, { document: plan, quiet: changedNames(plan), lines: [...headLines(plan), ...outcomeLines(plan)] });
    }),
  );
}

/** In place of a digest: none of them any more. */
const NO_DIGEST = 'none';

interface ApplyFlags extends ChangeFlags {
  readonly listedDigest?: readonly string[];
  readonly yes?: boolean;
}

export function addApply(noun: Command): void {
  const verb = addVerb(noun, 'apply', {
    summary: 'publish and withdraw policies in one step',
    description:
      'Shows what would change and asks, then publishes what is in the files and withdraws what is named, all of it or nothing. What is in force already is ' +
      'left alone. Where a policy is about policies themselves, it may open a request in place of it: once that is approved, the same command goes through.',
    examples: [
      'countersign policy apply policies/ --prune',
      `countersign policy apply fraud-production.yaml --yes --listed-digest fraud-production=sha256:${'3f'.repeat(32)}`,
    ],
  });
  addChangeFlags(verb)
    .option(
      '--listed-digest <NAME=DIGEST>',
      `bytes that may come back under this policy although they stood there before it; several times, or ${NO_DIGEST}; those that it has, where none is named`,
      collected,
    )
    .option('-y, --yes', 'without asking');
  addCommonFlags(verb).action((paths: string[], flags: ApplyFlags) =>
    withCaller(verb, async ({ ask }) => {
      const { files, withdraw } = await readChanges(ask, paths, flags);
      const listed = await digestsOf(ask, flags.listedDigest ?? [], files);
      const plan = await askPlan(ask, files, withdraw);
      for (const line of headLines(plan)) say(line);
      const failing = plan.lines.filter((line) => kindOf(line) === 'fails');
      if (failing.length > 0) say(`${failing.length} would fail that pass now; countersign policy plan shows them.`);
      if (changedNames(plan).length > 0) await confirmYes(flags.yes, 'Apply this?');
      const policies = files.map(({ text, policy }) => ({ text, ...(listed.get(policy.name) ?? {}) }));
      const applied = await ask('applyPolicies', { body: { policies, withdraw: [...withdraw] } });
      show(flags, { document: applied, quiet: applied.policies.map(({ hash }) => hash), lines: [sentenceOf(applied, withdraw)] });
    }),
  );
}

function sentenceOf({ policies }: AnswerOf<EndpointOf<'applyPolicies'>>, withdrawn: readonly string[]): string {
  return `In force: ${policies.map(({ name }) => name).join(', ') || 'none of these'}.${withdrawn.length > 0 ? ` Withdrawn: ${withdrawn.join(', ')}.` : ''}`;
}

interface Changes {
  readonly files: readonly NamedFile[];
  readonly withdraw: readonly string[];
}

async function readChanges(ask: Caller['ask'], paths: readonly string[], flags: ChangeFlags): Promise<Changes> {
  const { parseAll, readPolicyFiles } = await import('./policy-files.ts');
  const files = parseAll(readPolicyFiles(paths));
  const names = new Set(files.map(({ policy }) => policy.name));
  const withdrawn = flags.withdraw ?? [];
  const both = withdrawn.find((name) => names.has(name));
  if (both !== undefined) throw invalid(`The policy '${both}' is in a file and in --withdraw. Leave one of them out.`);
  if (flags.prune && files.length === 0) throw invalid('--prune needs the files of what is to stay: name them, or withdraw by --withdraw.');
  const inForce = flags.prune ? (await ask('listPolicies')).policies.map(({ name }) => name) : [];
  const withdraw = [...new Set([...withdrawn, ...inForce.filter((name) => !names.has(name))])];
  if (files.length === 0 && withdraw.length === 0) throw invalid('Name files or folders with policies, or what to withdraw by --withdraw.');
  return { files, withdraw };
}

function askPlan(ask: Caller['ask'], files: readonly NamedFile[], withdraw: readonly string[]): Promise<Plan> {
  return ask('planPolicies', { body: { texts: files.map(({ text }) => text), withdraw: [...withdraw] } });
}

/** By the names of policies; whoever names none leaves those that are there. */
async function digestsOf(
  ask: Caller['ask'],
  texts: readonly string[],
  files: readonly NamedFile[],
): Promise<ReadonlyMap<string, { readonly listed_digests: string[] }>> {
  const pairs = readPairs('--listed-digest', texts);
  for (const [name, digest] of pairs) {
    if (!files.some(({ policy }) => policy.name === name)) throw invalid(`--listed-digest names '${name}', which no file holds.`);
    if (digest !== NO_DIGEST && !/^(sha256:)?[0-9a-f]{64}$/.test(digest))
      throw invalid(`--listed-digest needs sha256: and 64 hex digits for '${name}', or ${NO_DIGEST}; got '${digest}'.`);
  }
  const given = [...Map.groupBy(pairs, ([name]) => name)].map(
    ([name, of]) => [name, of.map(([, digest]) => digest).filter((digest) => digest !== NO_DIGEST)] as const,
  );
  const { policies } = await ask('listPolicies');
  const there = policies.map((each) => [each.name, each.listed_digests] as const);
  return new Map([...there, ...given].map(([name, digests]) => [name, { listed_digests: [...digests] }]));
}

function changedNames({ publish, withdraw }: Plan): string[] {
  return [...publish.filter(({ hash, replaces }) => hash !== replaces).map(({ name }) => name), ...withdraw];
}

function headLines(plan: Plan): string[] {
  const rows = [
    ...plan.publish.map(({ name, hash, replaces }) => [
      replaces === null ? 'publish' : replaces === hash ? 'unchanged' : 'replace',
      name,
      shortHash(hash),
      replaces === null || replaces === hash ? '' : `in place of ${shortHash(replaces)}`,
    ]),
    ...plan.withdraw.map((name) => ['withdraw', name, '', '']),
  ];
  const weak = plan.publish.flatMap(({ name, weaknesses }) => weaknesses.map(({ what }) => `weakness of ${name}: ${printable(what)}`));
  return [...table(['', 'POLICY', 'HASH', ''], rows), ...weak, ...plan.warnings.map(({ what }) => `warning: ${printable(what)}`)];
}

type Kind = 'fails' | 'passes' | 'still fails' | 'same';

/** In the order of the table. */
const SHOWN: readonly Kind[] = ['fails', 'passes', 'still fails'];

function kindOf({ now, next }: Line): Kind {
  if (now.is_satisfied !== next.is_satisfied) return next.is_satisfied ? 'passes' : 'fails';
  return !next.is_satisfied && now.missing.join('\n') !== next.missing.join('\n') ? 'still fails' : 'same';
}

function outcomeLines({ lines, is_truncated: isTruncated }: Plan): string[] {
  const rows = SHOWN.flatMap((kind) => lines.filter((line) => kindOf(line) === kind).map((line) => rowOf(line, kind)));
  const changed = table(['', 'VERSION', 'TARGET', 'REQUEST', 'MISSING THEN'], rows);
  return [
    '',
    ...(changed.length === 0 ? ['No open request and no standing version has another outcome.'] : changed),
    ...(isTruncated ? ['There is more than was looked at.'] : []),
  ];
}

function rowOf({ name, version, target, request, next }: Line, kind: Kind): string[] {
  const missing = [...new Set(next.missing.map(printable))].join('; ');
  return [kind, version === null ? name : `${name}/${version}`, target, request === null ? 'stands there' : String(request), missing];
}
