/** `countersign user link-ci …` */
import type { Command } from 'commander';
import { withCaller } from './reach.ts';
import { addCommonFlags, addVerb, type OutputFlags, relativeTime, show, table } from './verbs.ts';

interface LinkFlags extends OutputFlags {
  readonly issuer: string;
  readonly actorId: string;
}

const GITHUB = 'https://token.actions.githubusercontent.com';

function addIdentity(verb: Command): Command {
  return verb
    .argument('<NAME>', 'name of the user')
    .requiredOption('--actor-id <ID>', "the number that the CI system gave the person: GitHub's actor_id, GitLab's user_id")
    .option('--issuer <URL>', "whose jobs: https://gitlab.com, your own GitLab, or GitHub's, which it is without this", GITHUB);
}

/** Which person started a job. */
export function addCiLinks(noun: Command): void {
  const link = addVerb(noun, 'link-ci', {
    summary: 'say which person a CI system means by a number',
    description:
      'Says that whoever a CI system knows by a number is the user. Policies then know who started a job: that person approves neither what the job asked for nor what it registered.',
    examples: [
      'countersign user link-ci alice --actor-id 583231',
      'countersign user link-ci alice --issuer https://gitlab.com --actor-id 41',
    ],
  });
  addCommonFlags(addIdentity(link)).action((name: string, { issuer, actorId, ...flags }: LinkFlags) =>
    withCaller(link, async ({ ask }) => {
      const linked = await ask('linkCiIdentity', { params: { name }, body: { issuer, actor_id: actorId } });
      show(flags, {
        document: linked,
        quiet: [linked.actor_id],
        lines: [`Whoever ${linked.issuer} knows as ${linked.actor_id} is '${name}' from now on, also for jobs that ran before.`],
      });
    }),
  );
  const unlink = addVerb(noun, 'unlink-ci', {
    summary: 'take such a number from a user',
    description: 'Takes a number from a user. Nobody is known then to have started those jobs, and policies refuse what depends on it.',
    examples: ['countersign user unlink-ci alice --actor-id 583231'],
  });
  addCommonFlags(addIdentity(unlink)).action((name: string, { issuer, actorId, ...flags }: LinkFlags) =>
    withCaller(unlink, async ({ ask }) => {
      await ask('unlinkCiIdentity', { params: { name }, query: { issuer, actor_id: actorId } });
      show(flags, {
        document: { unlinked: { issuer, actor_id: actorId } },
        quiet: [actorId],
        lines: [`'${name}' is no longer whoever ${issuer} knows as ${actorId}.`],
      });
    }),
  );
  const list = addVerb(noun, 'ci-links', {
    summary: 'list by what numbers CI systems know a user',
    description: 'Lists by what numbers CI systems know a user.',
    examples: ['countersign user ci-links alice'],
  }).argument('<NAME>', 'name of the user');
  addCommonFlags(list).action((name: string, flags: OutputFlags) =>
    withCaller(list, async ({ ask }) => {
      const found = await ask('listCiIdentities', { params: { name } });
      show(flags, {
        document: found,
        quiet: found.identities.map((each) => each.actor_id),
        lines: table(
          ['ISSUER', 'ACTOR ID', 'LINKED'],
          found.identities.map((each) => [each.issuer, each.actor_id, relativeTime(each.linked_at)]),
        ),
      });
    }),
  );
}
