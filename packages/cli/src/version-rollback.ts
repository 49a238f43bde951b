/** `countersign version rollback`: what stood in a place before comes back. */
import type { Command } from 'commander';
import { TARGET_ARGUMENT } from './explain.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addVerb, type OutputFlags, show } from './verbs.ts';
import { findVersion, VERSION_ARGUMENT } from './version-name.ts';

export function addRollback(noun: Command): void {
  const verb = addVerb(noun, 'rollback', {
    summary: 'bring a version back to where it stood before',
    description:
      'Brings back a version that stood in a stage, or had an alias, before: alone, as the rollback rule of the policy on that place allows. In a stage ' +
      'the others go to Archived.',
    examples: [
      "countersign version rollback fraud/6 stage:Production --reason 'version 7 refuses every second payment'",
      "countersign version rollback fraud/6 alias:champion --reason 'latency of 7' --json",
    ],
  })
    .argument('<VERSION>', VERSION_ARGUMENT)
    .argument('<TARGET>', TARGET_ARGUMENT)
    .requiredOption('--reason <TEXT>', 'why, for the record');
  addCommonFlags(verb).action((given: string, target: string, flags: OutputFlags & { reason: string }) =>
    withCaller(verb, async ({ ask }) => {
      const params = await findVersion(ask, given);
      const answer = await ask('rollbackVersion', { params, body: { target, reason: flags.reason } });
      const words = `${params.name}/${params.version}`;
      show(flags, { document: answer, quiet: [words], lines: [`${words} is back in ${target}.`] });
    }),
  );
}
