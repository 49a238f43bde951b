/** `countersign permission …` */
import type { HolderKind } from '@countersign/contract/named-permissions.ts';
import { invalid } from '@countersign/contract/problem.ts';
import type { Command } from 'commander';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, relativeTime, show, table } from './verbs.ts';

export function addPermission(program: Command): void {
  const noun = addNoun(
    program,
    'permission',
    'say who holds the permissions that policies ask for by name',
    'Commands for named permissions, such as the one that a policy asks for to break the glass. Users hold them, directly or through a group.',
  );
  addList(noun);
  addGive(noun);
  addTake(noun);
}

interface HolderFlags extends OutputFlags {
  readonly user?: string;
  readonly group?: string;
}

function addHolder(verb: Command): Command {
  return verb
    .argument('<PERMISSION>', 'as a policy names it')
    .option('--user <NAME>', 'this user')
    .option('--group <NAME>', 'the users in this group');
}

function holderOf({ user, group }: HolderFlags): { kind: HolderKind; holder: string } {
  if (user !== undefined && group === undefined) return { kind: 'user', holder: user };
  if (group !== undefined && user === undefined) return { kind: 'group', holder: group };
  throw invalid('Name one of --user and --group.');
}

function addList(noun: Command): void {
  const verb = addVerb(
    noun,
    'list',
    {
      summary: 'list who holds what',
      description: 'Lists who holds which named permission in the workspace.',
      examples: ['countersign permission list', 'countersign permission list break-glass'],
    },
    'ls',
  ).argument('[PERMISSION]', 'only this one');
  addCommonFlags(verb).action((permission: string | undefined, flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const found =
        permission === undefined ? await ask('listNamedPermissions', {}) : await ask('listPermissionHolders', { params: { permission } });
      show(flags, {
        document: found,
        quiet: found.holdings.map((each) => each.holder.name),
        lines: table(
          ['PERMISSION', 'HOLDER', 'NAME', 'GIVEN'],
          found.holdings.map((each) => [each.permission, each.holder.kind, each.holder.name, relativeTime(each.given_at)]),
        ),
      });
    }),
  );
}

function addGive(noun: Command): void {
  const verb = addVerb(noun, 'give', {
    summary: 'give a user or a group a named permission',
    description: 'Gives a user, or the users in a group, a named permission in the workspace. Once more changes nothing.',
    examples: ['countersign permission give break-glass --group on-call', 'countersign permission give break-glass --user erin'],
  });
  addCommonFlags(addHolder(verb)).action((permission: string, flags: HolderFlags) => {
    const { kind, holder } = holderOf(flags);
    return withCaller(verb, async ({ ask }) => {
      await ask('giveNamedPermission', { params: { permission, kind, holder } });
      show(flags, {
        document: { given: { permission, kind, holder } },
        quiet: [holder],
        lines: [`The ${kind} '${holder}' holds '${permission}'.`],
      });
    });
  });
}

function addTake(noun: Command): void {
  const verb = addVerb(noun, 'take', {
    summary: 'take a named permission away',
    description: 'Takes a named permission from a user or a group that it was given to.',
    examples: ['countersign permission take break-glass --user erin'],
  });
  addCommonFlags(addHolder(verb)).action((permission: string, flags: HolderFlags) => {
    const { kind, holder } = holderOf(flags);
    return withCaller(verb, async ({ ask }) => {
      await ask('takeNamedPermission', { params: { permission, kind, holder } });
      show(flags, {
        document: { taken: { permission, kind, holder } },
        quiet: [holder],
        lines: [`The ${kind} '${holder}' no longer holds '${permission}' itself.`],
      });
    });
  });
}
