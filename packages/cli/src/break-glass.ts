/** `countersign break-glass …` */
import { OPENING_STATES } from '@countersign/contract/break-glass.ts';
import { invalid } from '@countersign/contract/problem.ts';
import { type Command, Option } from 'commander';
import { askAll } from './caller.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, relativeTime, show, table } from './verbs.ts';

export function addBreakGlass(program: Command): void {
  const noun = addNoun(
    program,
    'break-glass',
    'go past a policy in an emergency, and review how it was done',
    'Commands for broken glass: opened with a reason and a ticket, used once, and closed until a second person has reviewed it.',
  );
  addOpen(noun);
  addList(noun);
  addReview(noun);
}

function addOpen(noun: Command): void {
  const verb = addVerb(noun, 'open <POLICY>', {
    summary: 'open a way past a policy',
    description:
      'Opens it for yourself, for as long as the policy says: the next change of yours that it refuses goes through, once, and is marked for ever.',
    examples: ["countersign break-glass open fraud-production --reason 'the model answers nonsense' --ticket INC-7"],
  })
    .requiredOption('--reason <TEXT>', 'why')
    .requiredOption('--ticket <TEXT>', 'where the emergency is written down');
  addCommonFlags(verb).action((policy: string, flags: OutputFlags & { reason: string; ticket: string }) =>
    withCaller(verb, async ({ ask }) => {
      const opening = await ask('openBreakGlass', { body: { policy, reason: flags.reason, ticket: flags.ticket } });
      const lines = [
        `Opened ${opening.id} past policy '${policy}' until ${new Date(opening.expires_at).toISOString()}. Make the change now; a second person reviews it.`,
      ];
      show(flags, { document: opening, quiet: [String(opening.id)], lines });
    }),
  );
}

function addList(noun: Command): void {
  const verb = addVerb(
    noun,
    'list',
    {
      summary: 'list openings, the newest first',
      description: 'Lists who opened a way past which policy, and what was done. used: it waits for its review.',
      examples: ['countersign break-glass list', 'countersign break-glass list --state used'],
    },
    'ls',
  ).addOption(new Option('--state <STATE>', 'only those').choices(OPENING_STATES));
  addCommonFlags(verb).action((flags: OutputFlags & { state?: (typeof OPENING_STATES)[number] }) =>
    withCaller(verb, async ({ ask }) => {
      const state = flags.state === undefined ? {} : { state: flags.state };
      const openings = (await askAll((query) => ask('listBreakGlass', { query: { ...query, ...state } }))).flatMap((page) => page.openings);
      const rows = openings.map((each) => [
        String(each.id),
        each.state,
        each.policy,
        each.opened_by.name,
        relativeTime(each.opened_at),
        each.ticket ?? '',
        [each.name === null ? '' : `${each.name}/${each.version}`, each.subject ?? ''].join(' ').trim(),
        each.reviewed_by?.name ?? '',
      ]);
      show(flags, {
        document: { openings },
        quiet: openings.map(({ id }) => String(id)),
        lines: table(['ID', 'STATE', 'POLICY', 'BY', 'OPENED', 'TICKET', 'USED FOR', 'REVIEWED BY'], rows),
      });
    }),
  );
}

function addReview(noun: Command): void {
  const verb = addVerb(noun, 'review <ID>', {
    summary: 'review how a policy was gone past',
    description: 'Says that a second person has looked at it. From then on the policy can be gone past again.',
    examples: ["countersign break-glass review 3 --note 'the outage was real, version 12 is being fixed'"],
  }).requiredOption('--note <TEXT>', 'what you found');
  addCommonFlags(verb).action((id: string, flags: OutputFlags & { note: string }) =>
    withCaller(verb, async ({ ask }) => {
      const opening = await ask('reviewBreakGlass', { params: { id: numberOf(id) }, body: { note: flags.note } });
      const lines = [`Reviewed opening ${opening.id} of policy '${opening.policy}' by ${opening.opened_by.name}.`];
      show(flags, { document: opening, quiet: [String(opening.id)], lines });
    }),
  );
}

function numberOf(id: string): number {
  if (/^\d{1,15}$/.test(id)) return Number(id);
  throw invalid(`'${id}' is no number of an opening. countersign break-glass list shows them.`);
}
