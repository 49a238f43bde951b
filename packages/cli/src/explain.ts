/** `countersign explain`: whether a change would be let happen now, and why. */
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import type { Command } from 'commander';
import { decisionLines, shortHash } from './decision-lines.ts';
import { EXIT } from './exit-codes.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addVerb, type OutputFlags, printable, show } from './verbs.ts';
import { findVersion, VERSION_ARGUMENT } from './version-name.ts';

type Explanation = AnswerOf<EndpointOf<'explainVersion'>>;

/** What the argument is called in the help of every verb. */
export const TARGET_ARGUMENT = 'stage:Production, alias:champion';

interface ExplainFlags extends OutputFlags {
  readonly leave?: boolean;
  readonly archiveExisting?: boolean;
}

export function addExplain(program: Command): void {
  const verb = addVerb(program, 'explain', {
    summary: 'say whether you could make a change now, and why',
    description:
      'Says whether your call would succeed, which policy is asked and why that one, what is missing, who can give it and how, and how you ask for it. Nothing is changed. Ends with ' +
      `exit code 0 where it would, ${EXIT.checkFailed} where it would be refused.`,
    examples: ['countersign explain fraud/7 stage:Production', 'countersign explain fraud@champion alias:champion --leave'],
  })
    .argument('<VERSION>', VERSION_ARGUMENT)
    .argument('<TARGET>', `${TARGET_ARGUMENT}, tag:risk=low, or entry`)
    .option('--leave', 'of taking the alias or tag away; for entry, of deleting the version')
    .option('--archive-existing', 'of a stage, where every other version there goes to Archived');
  addCommonFlags(verb).action((given: string, target: string, flags: ExplainFlags) =>
    withCaller(verb, async ({ ask }) => {
      const query = {
        target,
        ...(flags.leave ? { change: 'leave' as const } : {}),
        ...(flags.archiveExisting ? { archive_existing: true } : {}),
      };
      const found = await ask('explainVersion', { params: await findVersion(ask, given), query });
      show(flags, { document: found, quiet: [found.is_allowed ? 'allowed' : 'refused'], lines: linesOf(found, flags.leave === true) });
      if (!found.is_allowed) process.exitCode = EXIT.checkFailed;
    }),
  );
}

function linesOf(found: Explanation, isLeaving: boolean): string[] {
  const what = `${found.name}/${found.version}, ${isLeaving ? 'leaving ' : ''}${found.target}`;
  const asked = found.choices.flatMap(({ target, change, policy, why, others }) => [
    `${change === 'leave' ? 'leaving ' : ''}${target}: ${policy === null ? '' : `${policy.name} (${shortHash(policy.hash)}). `}${why}`,
    ...others.map((other) => `  not ${other.name}: ${other.why}`),
  ]);
  return [
    `${found.is_allowed ? 'Allowed' : 'Refused'}: ${what}.`,
    // What the policies say stands below, each with who and how.
    ...(found.refusal === null || found.decisions.some((each) => !each.is_allowed) ? [] : [found.refusal]),
    '',
    ...asked,
  ]
    .map(printable)
    .concat(decisionLines(found.decisions), askingLines(found.asking));
}

function askingLines(asking: Explanation['asking']): string[] {
  if (asking === null) return [];
  const { text, request, command, is_opened_by_call: isOpenedByCall } = asking;
  const known = request === null || command === null ? text : `Request ${request} is open for it: ${command}`;
  return ['', printable(known), ...(isOpenedByCall && request === null ? ['The refused call asks for it by itself, too.'] : [])];
}
