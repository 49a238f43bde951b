/** `countersign grant …` */
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { GrantKind, GrantSubjectKind } from '@countersign/contract/grants.ts';
import { GRANT_LEVELS, type GrantLevel } from '@countersign/contract/levels.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { invalid } from '@countersign/contract/problem.ts';
import type { Command } from 'commander';
import { askAll, type Caller } from './caller.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, relativeTime, show, table } from './verbs.ts';

type Grant = AnswerOf<EndpointOf<'setGrant'>>;

export function addGrant(program: Command): void {
  const noun = addNoun(
    program,
    'grant',
    'say who may do what',
    `Commands for grants. Levels: ${GRANT_LEVELS.join(', ')}. VIEW sees and downloads nothing; DENY takes all, but from managers.`,
  );
  addSet(noun);
  addList(noun);
  addRemove(noun);
}

interface SubjectFlags {
  readonly user?: string;
  readonly serviceAccount?: string;
  readonly group?: string;
  readonly ci?: string;
}

function addSubject(verb: Command): Command {
  return verb
    .option('--user <NAME>', 'to this user')
    .option('--group <NAME>', 'to all members of this group')
    .option('--service-account <NAME>', 'to this service account')
    .option('--ci <NAME>', 'to this CI identity');
}

function findSubject(flags: SubjectFlags): { subject_kind: GrantSubjectKind; subject: string } | undefined {
  const given = (
    [
      ['user', flags.user],
      ['service-account', flags.serviceAccount],
      ['group', flags.group],
      ['ci', flags.ci],
    ] as const
  ).flatMap(([kind, subject]) => (subject === undefined ? [] : [{ subject_kind: kind, subject }]));
  if (given.length > 1) throw invalid('Name one of --user, --group, --service-account and --ci.');
  return given[0];
}

interface TargetFlags {
  readonly model?: string;
  readonly modelPrefix?: string;
  readonly allModels?: boolean;
  readonly experiment?: string;
  readonly experimentPrefix?: string;
  readonly allExperiments?: boolean;
  readonly onWorkspace?: boolean;
  readonly everywhere?: boolean;
}

function addTarget(verb: Command): Command {
  return verb
    .option('--model <NAME>', 'on this registered model or prompt')
    .option('--model-prefix <PREFIX>', 'on all whose names begin so, now and later')
    .option('--all-models', 'on all of the workspace')
    .option('--experiment <NAME>', 'on this experiment with its runs and logged models')
    .option('--experiment-prefix <PREFIX>', 'on all whose names begin so, now and later')
    .option('--all-experiments', 'on all of the workspace')
    .option('--on-workspace', 'on the workspace itself: USE is membership, MANAGE makes a manager of it')
    .option('--everywhere', 'in every workspace');
}

interface Target {
  readonly kind: GrantKind;
  readonly name?: string;
  readonly prefix?: string;
}

function findTarget(flags: TargetFlags): Target | undefined {
  const given = [
    flags.model === undefined ? undefined : ({ kind: 'registered-model', name: flags.model } as const),
    flags.modelPrefix === undefined ? undefined : ({ kind: 'registered-model', prefix: flags.modelPrefix } as const),
    flags.allModels ? ({ kind: 'registered-model' } as const) : undefined,
    flags.experiment === undefined ? undefined : ({ kind: 'experiment', name: flags.experiment } as const),
    flags.experimentPrefix === undefined ? undefined : ({ kind: 'experiment', prefix: flags.experimentPrefix } as const),
    flags.allExperiments ? ({ kind: 'experiment' } as const) : undefined,
    flags.onWorkspace ? ({ kind: 'workspace' } as const) : undefined,
  ].filter((each) => each !== undefined);
  if (given.length > 1) throw invalid('Name one thing that the grant is about.');
  return given[0];
}

function describe(grant: Grant): string {
  const where = grant.workspace === null ? ' in every workspace' : '';
  if (grant.kind === 'workspace') return grant.workspace === null ? 'every workspace' : `workspace '${grant.workspace}'`;
  const plural = grant.kind === 'experiment' ? 'experiments' : grant.kind === 'registered-model' ? 'models' : `${grant.kind} objects`;
  if (grant.object_id !== null) return `${grant.kind === 'experiment' ? 'experiment' : 'model'} '${grant.name ?? grant.object_id}'`;
  return grant.prefix === null ? `all ${plural}${where}` : `${plural} '${grant.prefix}*'${where}`;
}

function addSet(noun: Command): void {
  const verb = addVerb(noun, 'set', {
    summary: 'grant a level, or change it',
    description:
      'Grants a level on one object (for whoever has MANAGE on it), by prefix, on all of a kind or on the workspace (for its managers), or everywhere ' +
      '(for administrators of the server). The highest grant that reaches somebody counts.',
    examples: [
      'countersign grant set READ --group risk --all-models',
      "countersign grant set MANAGE_STAGING --user alice --model-prefix 'risk.'",
      'countersign grant set USE --group vision --on-workspace --workspace vision',
      'countersign grant set DENY --user bob --model Secret',
    ],
  }).argument('<LEVEL>', GRANT_LEVELS.join(', '));
  addCommonFlags(addTarget(addSubject(verb))).action((text: string, flags: SubjectFlags & TargetFlags & OutputFlags) => {
    const level = text.toUpperCase().replaceAll('-', '_');
    if (!(GRANT_LEVELS as readonly string[]).includes(level))
      throw invalid(`There is no level '${text}'. Levels are: ${GRANT_LEVELS.join(', ')}.`);
    const subject = findSubject(flags);
    const target = findTarget(flags);
    if (subject === undefined) throw invalid('Say to whom: --user, --group, --service-account or --ci.');
    if (target === undefined)
      throw invalid(
        'Say on what: --model, --model-prefix, --all-models, --experiment, --experiment-prefix, --all-experiments, --on-workspace or --everywhere.',
      );
    return withCaller(verb, async ({ ask }) => {
      const body = { ...subject, ...target, ...(flags.everywhere ? { everywhere: true } : {}), level: level as GrantLevel }; // just asked
      const grant = await ask('setGrant', { body });
      const line = `${grant.level} on ${describe(grant)} for ${grant.subject.kind} '${grant.subject.name}'.`;
      show(flags, { document: grant, quiet: [String(grant.id)], lines: [line] });
    });
  });
}

interface ListFlags extends SubjectFlags, OutputFlags {
  readonly model?: string;
  readonly experiment?: string;
  readonly inherited?: boolean;
  readonly everywhere?: boolean;
}

function addList(noun: Command): void {
  const verb = addVerb(
    noun,
    'list',
    {
      summary: 'list grants',
      description: 'Lists grants of the workspace, of one model or experiment, or those that were given to somebody.',
      examples: [
        'countersign grant list',
        'countersign grant list --model SampleModel --inherited',
        'countersign grant list --user alice --json',
      ],
    },
    'ls',
  );
  addSubject(verb)
    .option('--model <NAME>', 'on this registered model or prompt')
    .option('--experiment <NAME>', 'on this experiment')
    .option('--inherited', 'also those that reach it without naming it: by prefix, on all, on the workspace')
    .option('--everywhere', 'those that hold in every workspace');
  addCommonFlags(verb).action((flags: ListFlags) =>
    withCaller(verb, async ({ ask }) => {
      const grants = await listGrants(ask, flags);
      show(flags, {
        document: { grants },
        quiet: grants.map((each) => String(each.id)),
        lines: table(
          ['ID', 'LEVEL', 'TO', 'NAME', 'ON', 'CREATED'],
          grants.map((each) => [
            String(each.id),
            each.level,
            each.subject.kind,
            each.subject.name,
            describe(each),
            relativeTime(each.created_at),
          ]),
        ),
      });
    }),
  );
}

async function listGrants(ask: Caller['ask'], flags: ListFlags): Promise<readonly Grant[]> {
  if (flags.model !== undefined && flags.experiment !== undefined) throw invalid('Name one of --model and --experiment.');
  const object =
    flags.model !== undefined
      ? { kind: 'registered-model' as const, name: flags.model }
      : flags.experiment !== undefined
        ? { kind: 'experiment' as const, name: flags.experiment }
        : {};
  const fixed = {
    ...findSubject(flags),
    ...object,
    ...(flags.inherited ? { inherited: true } : {}),
    ...(flags.everywhere ? { everywhere: true } : {}),
  };
  return (await askAll((page) => ask('listGrants', { query: { ...fixed, ...page } }))).flatMap((page) => page.grants);
}

function addRemove(noun: Command): void {
  const verb = addVerb(
    noun,
    'remove',
    {
      summary: 'take a grant away',
      description: 'Takes a grant away, from the next request on.',
      examples: ['countersign grant remove 12'],
    },
    'rm',
  ).argument('<ID>', 'id, as grant list shows it');
  addCommonFlags(verb).action((text: string, flags: OutputFlags) => {
    if (!/^\d{1,15}$/.test(text)) throw invalid(`The id of a grant is a number, got '${text}'. See countersign grant list.`);
    const id = Number(text);
    return withCaller(verb, async ({ ask }) => {
      await ask('removeGrant', { params: { id } });
      show(flags, { document: { removed: { id } }, quiet: [text], lines: [`Took away the grant ${id}.`] });
    });
  });
}
