/** `countersign version decisions`: why what happened to a version was allowed. */
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import type { Command } from 'commander';
import { shortHash } from './decision-lines.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addVerb, type OutputFlags, relativeTime, show, table } from './verbs.ts';
import { findVersion, VERSION_ARGUMENT } from './version-name.ts';

type Decision = AnswerOf<EndpointOf<'listDecisions'>>['decisions'][number];

export function addDecisions(noun: Command): void {
  const verb = addVerb(noun, 'decisions', {
    summary: 'show why past changes of a version were allowed',
    description:
      'Shows each governed change with the policies that were asked, by their hashes, and the approvals that carried it, newest first; --json has every ' +
      'reason as it was then. The text of a policy is shown by policy show HASH.',
    examples: ['countersign version decisions fraud/7', 'countersign version decisions fraud:Production --json'],
  }).argument('<VERSION>', VERSION_ARGUMENT);
  addCommonFlags(verb).action((given: string, flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const { decisions } = await ask('listDecisions', { params: await findVersion(ask, given) });
      show(flags, { document: { decisions }, quiet: decisions.map(({ seq }) => String(seq)), lines: linesOf(decisions) });
    }),
  );
}

function linesOf(decisions: readonly Decision[]): string[] {
  return table(
    ['EVENT', 'WHEN', 'BY', 'TARGET', 'ALLOWED BY', 'POLICIES', 'APPROVALS'],
    decisions.map((each) => [
      String(each.seq),
      relativeTime(each.at),
      each.by.name,
      `${each.change === 'leave' ? 'leaving ' : ''}${each.target}`,
      each.admission,
      each.policies
        .map(({ name, hash, is_satisfied: isSatisfied }) => `${name} ${shortHash(hash)}${isSatisfied ? '' : ' (not satisfied)'}`)
        .join(', '),
      each.approvals.join(' '),
    ]),
  );
}
