/** `countersign block …` */
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { type Command, Option } from 'commander';
import { askAll, type Caller } from './caller.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, relativeTime, show, table } from './verbs.ts';
import { findVersion, VERSION_ARGUMENT } from './version-name.ts';

type Block = AnswerOf<EndpointOf<'addBlock'>>;

export function addBlock(program: Command): void {
  const noun = addNoun(
    program,
    'block',
    'keep bytes out of governed places',
    'Commands for blocks: bytes, by the digest of their seal, that may enter no governed place.',
  );
  addList(noun);
  addShow(noun);
  addAdd(noun);
  addLift(noun);
}

function addList(noun: Command): void {
  const verb = addVerb(
    noun,
    'list',
    {
      summary: 'list blocks, the newest first',
      description: 'Lists blocks of the workspace and those of all workspaces.',
      examples: ['countersign block list', 'countersign block list --state open --quiet'],
    },
    'ls',
  ).addOption(new Option('--state <STATE>', 'open: they hold; lifted: they did').choices(['open', 'lifted']));
  addCommonFlags(verb).action((flags: OutputFlags & { state?: 'open' | 'lifted' }) =>
    withCaller(verb, async ({ ask }) => {
      const state = flags.state === undefined ? {} : { state: flags.state };
      const blocks = (await askAll((query) => ask('listBlocks', { query: { ...query, ...state } }))).flatMap((page) => page.blocks);
      show(flags, { document: { blocks }, quiet: blocks.map(({ digest }) => digest), lines: linesOf(blocks) });
    }),
  );
}

function linesOf(blocks: readonly Block[]): string[] {
  return table(
    ['DIGEST', 'STATE', 'WHERE', 'BY', 'SINCE', 'REASON'],
    blocks.map((block) => [
      block.digest,
      block.lifted_at === null ? 'open' : 'lifted',
      block.server_wide ? 'everywhere' : 'workspace',
      block.blocked_by.name,
      relativeTime(block.blocked_at),
      block.reason ?? '',
    ]),
  );
}

function addShow(noun: Command): void {
  const verb = addVerb(noun, 'show <DIGEST>', {
    summary: 'show why bytes are blocked, and where they are',
    description: 'Shows the blocks of a digest, and each version that has these bytes with its stage and aliases.',
    examples: [`countersign block show ${'3f'.repeat(32)}`],
  });
  addCommonFlags(verb).action((digest: string, flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const pages = await askAll((query) => ask('getBlock', { params: { digest }, query }));
      const versions = pages.flatMap((page) => page.versions);
      const blocks = pages[0]?.blocks ?? [];
      const rows = versions.map((each) => [`${each.name}/${each.version}`, each.stage, each.aliases.join(' ')]);
      show(flags, {
        document: { digest, blocks, versions },
        quiet: versions.map((each) => `${each.name}/${each.version}`),
        lines: [...linesOf(blocks), '', ...table(['VERSION', 'STAGE', 'ALIASES'], rows)],
      });
    }),
  );
}

interface AddFlags extends OutputFlags {
  readonly reason: string;
  readonly serverWide?: boolean;
}

function addAdd(noun: Command): void {
  const verb = addVerb(noun, 'add <BYTES>', {
    summary: 'block bytes',
    description: `Blocks bytes: by their digest, or by a version that has them (${VERSION_ARGUMENT}). What has them already stays where it is, and shows it.`,
    examples: [
      "countersign block add fraud/7 --reason 'the training data were poisoned'",
      `countersign block add ${'3f'.repeat(32)} --reason 'CVE in the runtime' --server-wide`,
    ],
  })
    .requiredOption('--reason <TEXT>', 'why, for whoever is refused')
    .option('--server-wide', 'in every workspace');
  addCommonFlags(verb).action((bytes: string, flags: AddFlags) =>
    withCaller(verb, async ({ ask }) => {
      const named = /^[0-9a-f]{64}$/.test(bytes) ? { digest: bytes } : await versionOf(ask, bytes);
      const block = await ask('addBlock', { body: { ...named, reason: flags.reason, ...(flags.serverWide ? { server_wide: true } : {}) } });
      show(flags, { document: block, quiet: [block.digest], lines: [`Blocked ${block.digest}.`] });
    }),
  );
}

async function versionOf(ask: Caller['ask'], text: string): Promise<{ model: string; version: number }> {
  const { name, version } = await findVersion(ask, text);
  return { model: name, version };
}

interface LiftFlags extends OutputFlags {
  readonly reason: string;
  readonly serverWide?: boolean;
}

function addLift(noun: Command): void {
  const verb = addVerb(noun, 'lift <DIGEST>', {
    summary: 'lift a block',
    description: "Lifts a block, which policies govern as the setting 'blocks'. A refusal says what is missing, and who can give it.",
    examples: [`countersign block lift ${'3f'.repeat(32)} --reason 'the data were checked again'`],
  })
    .requiredOption('--reason <TEXT>', 'why')
    .option('--server-wide', 'the block of every workspace');
  addCommonFlags(verb).action((digest: string, flags: LiftFlags) =>
    withCaller(verb, async ({ ask }) => {
      await ask('liftBlock', { params: { digest }, body: { reason: flags.reason, ...(flags.serverWide ? { server_wide: true } : {}) } });
      show(flags, { document: { lifted: { digest } }, quiet: [digest], lines: [`Lifted the block of ${digest}.`] });
    }),
  );
}
