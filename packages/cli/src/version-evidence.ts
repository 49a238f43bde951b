/** `countersign version evidence`: what is known of a version, as decisions are bound to it. */
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import type { Command } from 'commander';
import { withCaller } from './reach.ts';
import { addCommonFlags, addVerb, type OutputFlags, printable, show, table } from './verbs.ts';
import { findVersion, VERSION_ARGUMENT } from './version-name.ts';

type Evidence = AnswerOf<EndpointOf<'getEvidence'>>;

export function addEvidence(noun: Command): void {
  const verb = addVerb(noun, 'evidence', {
    summary: 'show what policies know of a version',
    description:
      'Shows the snapshot that rules read and approvals are bound to, or what would be taken where there is none yet. With --renew takes a new one: ' +
      'approvals of the one before become stale.',
    examples: ['countersign version evidence fraud/7', 'countersign version evidence fraud/7 --renew'],
  })
    .argument('<VERSION>', VERSION_ARGUMENT)
    .option('--renew', 'take a new snapshot, where anything changed');
  addCommonFlags(verb).action((given: string, flags: OutputFlags & { readonly renew?: boolean }) =>
    withCaller(verb, async ({ ask }) => {
      const params = await findVersion(ask, given);
      const found = await ask(flags.renew ? 'renewEvidence' : 'getEvidence', { params });
      show(flags, { document: found, quiet: [found.digest], lines: linesOf(found) });
    }),
  );
}

function linesOf(found: Evidence): string[] {
  const metrics = found.metrics.map(({ name, value, dataset, source }) => [name, String(value), dataset ?? '', source]);
  return [
    `evidence ${found.digest}`,
    takenSentence(found),
    `lineage ${found.lineage}${found.run_id === null ? '' : `, run ${printable(found.run_id)}`}`,
    `signature: ${wordOf(found.signature !== null)}, input example: ${wordOf(found.has_input_example)}, description: ${wordOf(found.has_description)}`,
    `model card: ${found.model_card_sections.map(printable).join(', ') || 'no section with text'}`,
    ...found.tags.map(({ key, value }) => `tag ${printable(key)} = ${printable(value)}`),
    ...(metrics.length === 0 ? [] : ['', ...table(['METRIC', 'VALUE', 'DATASET', 'FROM'], metrics)]),
  ];
}

function takenSentence({ number, taken_at: at, taken_by: by, is_current: isCurrent }: Evidence): string {
  if (number === null || at === null) return 'not taken yet: this is what would be';
  const stale = isCurrent ? '' : '; something has changed since, which --renew takes in';
  return `snapshot ${number}, taken ${new Date(at).toISOString()} by ${printable(by?.name ?? '')}${stale}`;
}

function wordOf(has: boolean): string {
  return has ? 'yes' : 'no';
}
