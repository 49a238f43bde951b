/** `countersign workspace …` */
import { readFileSync } from 'node:fs';
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { invalid } from '@countersign/contract/problem.ts';
import type { Settings } from '@countersign/contract/settings.ts';
import { STAGES, type StageDefinition, type StageEdge } from '@countersign/contract/stages.ts';
import { REMOVAL_MODES } from '@countersign/contract/workspaces.ts';
import { type Command, Option } from 'commander';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, printable, relativeTime, show, table } from './verbs.ts';

const NAME = 'name of the workspace';

interface SetupFlags extends OutputFlags {
  readonly description?: string;
  readonly artifactRoot?: string;
  readonly namePattern?: string;
  readonly nameMessage?: string;
  readonly quotaModels?: string;
  readonly quotaVersions?: string;
  readonly quotaSize?: string;
  readonly memberLevel?: string;
  readonly set?: readonly string[];
  readonly settingsFile?: string;
}

export function addWorkspace(program: Command): void {
  const noun = addNoun(
    program,
    'workspace',
    'look after workspaces',
    'Commands for workspaces: everything of one project or department, with its rule for names and its quotas.',
  );
  addList(noun);
  addShow(noun);
  addCreate(noun);
  addUpdate(noun);
  addDelete(noun);
}

function addList(noun: Command): void {
  const verb = addVerb(
    noun,
    'list',
    { summary: 'list workspaces', description: 'Lists the workspaces that you are a member of.', examples: ['countersign workspace list'] },
    'ls',
  );
  addCommonFlags(verb).action((flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const { workspaces } = await ask('listWorkspaces');
      show(flags, {
        document: { workspaces },
        quiet: workspaces.map((each) => each.name),
        lines: table(
          ['NAME', 'DESCRIPTION', 'CREATED'],
          workspaces.map((each) => [each.name, each.description ?? '', each.created_at === 0 ? '' : relativeTime(each.created_at)]),
        ),
      });
    }),
  );
}

function addShow(noun: Command): void {
  const verb = addVerb(noun, 'show', {
    summary: 'show a workspace, its settings and what it holds',
    description: 'Shows a workspace, its settings and what counts against its quotas.',
    examples: ['countersign workspace show vision --json'],
  }).argument('<NAME>', NAME);
  addCommonFlags(verb).action((name: string, flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const workspace = await ask('getWorkspace', { params: { workspace: name } });
      show(flags, { document: workspace, quiet: [workspace.name], lines: linesOf(workspace) });
    }),
  );
}

function linesOf({ description, default_artifact_root: root, settings, usage }: AnswerOf<EndpointOf<'getWorkspace'>>): string[] {
  const rows = Object.entries(settings).map(([name, value]) => [name, shownValue(value)]);
  return [
    ...(description ? [printable(description)] : []),
    ...(root === null ? [] : [`Experiments lie below ${printable(root)}.`]),
    `Holds ${of(usage.models, settings.quota_models)} models, ${of(usage.versions, settings.quota_versions)} versions, ${of(usage.bytes, settings.quota_bytes)} bytes.`,
    ...table(['SETTING', 'VALUE'], rows),
  ];
}

function of(used: number, quota: number | null): string {
  return quota === null ? String(used) : `${used} of ${quota}`;
}

type SettingValue = string | number | boolean | null | readonly (string | StageDefinition | StageEdge)[];

function shownValue(value: SettingValue): string {
  if (value === null || value === '') return '-';
  return Array.isArray(value) ? value.map(shownEntry).join(', ') || '-' : String(value);
}

/** Of a list; what is as usual is left out. */
function shownEntry(entry: string | StageDefinition | StageEdge): string {
  if (typeof entry === 'string') return entry;
  if ('from' in entry) return `${entry.from} → ${entry.to}`;
  const isUsual = STAGES.includes(entry.name);
  const marks = isUsual
    ? []
    : [...(entry.level === 'MANAGE_PRODUCTION' ? [entry.level] : []), ...(entry.active === false ? ['not active'] : [])];
  return marks.length === 0 ? entry.name : `${entry.name} (${marks.join(', ')})`;
}

function addSetup(verb: Command): Command {
  return verb
    .option('--description <TEXT>', 'what it is for')
    .option('--artifact-root <URI>', "storage below which new experiments lie; empty: a folder of the server's own")
    .option('--name-pattern <PATTERN>', 'what the whole name of a model must match; empty: any name')
    .option('--name-message <TEXT>', 'what whoever breaks the pattern is told')
    .option('--quota-models <N>', 'at most so many models; "none" takes the quota away')
    .option('--quota-versions <N>', 'at most so many versions')
    .option('--quota-size <SIZE>', 'at most so many bytes of files: 500MB, 2TB')
    .option('--member-level <LEVEL>', 'what a member has on everything in it: NONE, VIEW, READ, EDIT …')
    .option('--set <NAME=VALUE...>', 'any other setting, its value as JSON')
    .option('--settings-file <FILE>', 'settings as a JSON document');
}

/** The flags win over the file. */
function readSettings(flags: SetupFlags): Partial<Settings> {
  const settings: Record<string, unknown> = flags.settingsFile === undefined ? {} : readFile(flags.settingsFile);
  for (const pair of flags.set ?? []) {
    const at = pair.indexOf('=');
    if (at < 1) throw invalid(`--set takes NAME=VALUE, got '${pair}'.`);
    settings[pair.slice(0, at)] = readValue(pair.slice(at + 1));
  }
  const given = {
    name_pattern: flags.namePattern,
    name_message: flags.nameMessage,
    quota_models: flags.quotaModels === undefined ? undefined : readCount('--quota-models', flags.quotaModels),
    quota_versions: flags.quotaVersions === undefined ? undefined : readCount('--quota-versions', flags.quotaVersions),
    quota_bytes: flags.quotaSize === undefined ? undefined : readSize(flags.quotaSize),
    member_level: flags.memberLevel?.toUpperCase(),
  };
  for (const [name, value] of Object.entries(given)) if (value !== undefined) settings[name] = value;
  return settings as Partial<Settings>; // whoever answers checks them
}

function readFile(path: string): Record<string, unknown> {
  try {
    const settings: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof settings === 'object' && settings !== null && !Array.isArray(settings)) return settings as Record<string, unknown>; // narrowed
  } catch (error) {
    throw invalid(`The file of settings ${path} can't be read as JSON (${(error as Error).message}).`);
  }
  throw invalid(`The file of settings ${path} must hold a JSON object.`);
}

function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function readCount(flag: string, text: string): number | null {
  if (text === 'none') return null;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw invalid(`${flag} must be a whole number or none, got '${text}'.`);
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

function readSize(text: string): number | null {
  if (text === 'none') return null;
  const [, number = '', unit = ''] = /^(\d{1,15}(?:\.\d{1,3})?)\s*([a-z]*)$/i.exec(text) ?? [];
  const factor = UNITS[unit.toUpperCase()];
  const bytes = Math.round(Number(number) * (factor ?? 0));
  if (number !== '' && factor !== undefined && Number.isSafeInteger(bytes)) return bytes;
  throw invalid(`--quota-size must be a number of bytes such as 500MB or 2TiB, or none, got '${text}'.`);
}

function bodyOf(flags: SetupFlags) {
  const settings = readSettings(flags);
  return {
    ...(flags.description === undefined ? {} : { description: flags.description }),
    ...(flags.artifactRoot === undefined ? {} : { default_artifact_root: flags.artifactRoot }),
    ...(Object.keys(settings).length === 0 ? {} : { settings }),
  };
}

function addCreate(noun: Command): void {
  const verb = addVerb(noun, 'create', {
    summary: 'create a workspace and set it up',
    description: 'Creates a workspace. Who may enter it is said by grants.',
    examples: [
      "countersign workspace create vision --name-pattern 'vision\\..+' --name-message 'Begin with vision.' --quota-size 2TB",
      'countersign grant set USE --group vision-team --on-workspace --workspace vision',
    ],
  }).argument('<NAME>', NAME);
  addCommonFlags(addSetup(verb)).action((name: string, flags: SetupFlags) => {
    const body = { name, ...bodyOf(flags) };
    return withCaller(verb, async ({ ask }) => {
      const workspace = await ask('createWorkspace', { body });
      show(flags, { document: workspace, quiet: [workspace.name], lines: [`Created the workspace '${workspace.name}'.`] });
    });
  });
}

function addUpdate(noun: Command): void {
  const verb = addVerb(noun, 'update', {
    summary: 'change a workspace or its settings',
    description: 'Changes what is given and leaves the rest. Each change of a setting is an event.',
    examples: [
      'countersign workspace update vision --quota-models 500',
      'countersign workspace update vision --set protect_aliased=true',
      `countersign workspace update vision --set 'stages=[{"name":"Staging"},{"name":"UAT"},{"name":"Production"}]'`,
    ],
  }).argument('<NAME>', NAME);
  addCommonFlags(addSetup(verb)).action((name: string, flags: SetupFlags) => {
    const body = bodyOf(flags);
    if (Object.keys(body).length === 0) throw invalid('Say what to change: --description, --quota-models, --set …; see --help.');
    return withCaller(verb, async ({ ask }) => {
      const workspace = await ask('updateWorkspace', { params: { workspace: name }, body });
      show(flags, { document: workspace, quiet: [workspace.name], lines: [`Changed the workspace '${workspace.name}'.`] });
    });
  });
}

interface DeleteFlags extends OutputFlags {
  readonly mode: (typeof REMOVAL_MODES)[number];
  readonly confirm?: string;
}

function addDelete(noun: Command): void {
  const verb = addVerb(
    noun,
    'delete',
    {
      summary: 'delete a workspace',
      description:
        'Deletes a workspace. One that still holds something is refused (RESTRICT), loses it (CASCADE) or hands it to the default workspace (SET_DEFAULT).',
      examples: ['countersign workspace delete vision --confirm vision', 'countersign workspace delete vision --mode CASCADE'],
    },
    'rm',
  )
    .argument('<NAME>', NAME)
    .addOption(new Option('--mode <MODE>', 'what becomes of what it holds').choices(REMOVAL_MODES).default('RESTRICT'))
    .option('--confirm <NAME>', 'the name again, instead of being asked for it');
  addCommonFlags(verb).action(async (name: string, flags: DeleteFlags) => {
    const { confirmName } = await import('./confirmation.ts');
    await confirmName(name, flags.confirm, `This deletes the workspace '${name}' (${flags.mode}).`);
    await withCaller(verb, async ({ ask }) => {
      await ask('deleteWorkspace', { params: { workspace: name }, query: { mode: flags.mode } });
      show(flags, { document: { deleted: { name } }, quiet: [name], lines: [`Deleted the workspace '${name}'.`] });
    });
  });
}
