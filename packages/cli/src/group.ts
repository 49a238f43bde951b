/** `countersign group …` */
import { invalid } from '@countersign/contract/problem.ts';
import type { Command } from 'commander';
import { askAll } from './caller.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, printable, relativeTime, show, table } from './verbs.ts';

const NAME = 'name of the group';

interface GroupFlags extends OutputFlags {
  readonly name?: string;
  readonly description?: string;
  readonly confirm?: string;
}

export function addGroup(program: Command): void {
  const noun = addNoun(
    program,
    'group',
    'look after groups of accounts',
    'Commands for groups. A grant to a group holds for all of its members.',
  );
  addList(noun);
  addShow(noun);
  addCreate(noun);
  addUpdate(noun);
  addDelete(noun);
  addMembers(noun);
}

function addList(noun: Command): void {
  const verb = addVerb(
    noun,
    'list',
    { summary: 'list groups', description: 'Lists groups in the order in which they were made.', examples: ['countersign group list'] },
    'ls',
  );
  addCommonFlags(verb).action((flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const groups = (await askAll((query) => ask('listGroups', { query }))).flatMap((page) => page.groups);
      show(flags, {
        document: { groups },
        quiet: groups.map((each) => each.name),
        lines: table(
          ['NAME', 'DESCRIPTION', 'CREATED'],
          groups.map((each) => [each.name, each.description ?? '', relativeTime(each.created_at)]),
        ),
      });
    }),
  );
}

function addShow(noun: Command): void {
  const verb = addVerb(noun, 'show', {
    summary: 'show a group and its members',
    description: 'Shows a group and its members, with what makes them members: a person, or the identity provider.',
    examples: ['countersign group show risk --json', 'countersign group show risk --as-of 2026-03-01T12:00:00Z'],
  })
    .argument('<NAME>', NAME)
    .option('--as-of <TIME>', 'its members then: RFC 3339, or epoch milliseconds');
  addCommonFlags(verb).action((name: string, flags: OutputFlags & { asOf?: string }) =>
    withCaller(verb, async ({ ask }) => {
      const group = await ask('getGroup', { params: { name } });
      const asOf = flags.asOf === undefined ? {} : { as_of: flags.asOf };
      const pages = await askAll((query) => ask('listGroupMembers', { params: { name }, query: { ...query, ...asOf } }));
      const members = pages.flatMap((page) => page.members);
      show(flags, {
        document: { ...group, members },
        quiet: members.map((each) => each.account.name),
        lines: [
          ...(group.description ? [printable(group.description)] : []),
          ...table(
            ['MEMBER', 'KIND', 'BY', 'SINCE'],
            members.map((each) => [each.account.name, each.account.kind, each.sources.join(', '), relativeTime(each.added_at)]),
          ),
        ],
      });
    }),
  );
}

function addCreate(noun: Command): void {
  const verb = addVerb(noun, 'create', {
    summary: 'create a group',
    description: 'Creates a group without members.',
    examples: ["countersign group create risk --description 'Risk models'"],
  })
    .argument('<NAME>', NAME)
    .option('--description <TEXT>', 'what it is for');
  addCommonFlags(verb).action((name: string, flags: GroupFlags) =>
    withCaller(verb, async ({ ask }) => {
      const body = { name, ...(flags.description === undefined ? {} : { description: flags.description }) };
      const group = await ask('createGroup', { body });
      show(flags, { document: group, quiet: [group.name], lines: [`Created the group '${group.name}'.`] });
    }),
  );
}

function addUpdate(noun: Command): void {
  const verb = addVerb(noun, 'update', {
    summary: 'change name or description of a group',
    description: 'Changes a group; an empty description takes it away. Members and grants stay.',
    examples: ['countersign group update risk --name credit-risk'],
  })
    .argument('<NAME>', NAME)
    .option('--name <NAME>', 'new name')
    .option('--description <TEXT>', 'what it is for');
  addCommonFlags(verb).action((name: string, flags: GroupFlags) => {
    const body = {
      ...(flags.name === undefined ? {} : { name: flags.name }),
      ...(flags.description === undefined ? {} : { description: flags.description || null }),
    };
    if (Object.keys(body).length === 0) throw invalid('Say what to change: --name or --description.');
    return withCaller(verb, async ({ ask }) => {
      const group = await ask('updateGroup', { params: { name }, body });
      show(flags, { document: group, quiet: [group.name], lines: [`Changed the group '${group.name}'.`] });
    });
  });
}

function addDelete(noun: Command): void {
  const verb = addVerb(
    noun,
    'delete',
    {
      summary: 'delete a group with its memberships and grants',
      description: 'Deletes a group. Its members lose what they had through it.',
      examples: ['countersign group delete risk --confirm risk'],
    },
    'rm',
  )
    .argument('<NAME>', NAME)
    .option('--confirm <NAME>', 'the name again, instead of being asked for it');
  addCommonFlags(verb).action(async (name: string, flags: GroupFlags) => {
    const { confirmName } = await import('./confirmation.ts');
    await confirmName(name, flags.confirm, `This deletes the group '${name}' and what was granted to it.`);
    await withCaller(verb, async ({ ask }) => {
      await ask('deleteGroup', { params: { name } });
      show(flags, { document: { deleted: { name } }, quiet: [name], lines: [`Deleted the group '${name}'.`] });
    });
  });
}

function addMembers(noun: Command): void {
  const verbs = [
    ['add', 'addGroupMember', 'add accounts to a group', 'Added', 'to'],
    ['remove', 'removeGroupMember', 'take accounts out of a group', 'Took', 'out of'],
  ] as const;
  for (const [word, id, summary, done, preposition] of verbs) {
    const verb = addVerb(noun, word, {
      summary,
      description: `${summary.charAt(0).toUpperCase()}${summary.slice(1)}: users and service accounts.`,
      examples: [`countersign group ${word} risk alice nightly-training`],
    })
      .argument('<NAME>', NAME)
      .argument('<MEMBER...>', 'names of accounts');
    addCommonFlags(verb).action((name: string, members: string[], flags: OutputFlags) =>
      withCaller(verb, async ({ ask }) => {
        for (const member of members) await ask(id, { params: { name, member } });
        const lines = members.map((member) => `${done} '${member}' ${preposition} the group '${name}'.`);
        show(flags, { document: { group: name, members }, quiet: members, lines });
      }),
    );
  }
}
