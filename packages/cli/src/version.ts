/** `countersign version …` */
import { LINEAGE_DEPTH_MAX } from '@countersign/contract/lineage.ts';
import { invalid } from '@countersign/contract/problem.ts';
import { type Command, Option } from 'commander';
import { lineageTree } from './lineage-tree.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, show } from './verbs.ts';
import { addDecisions } from './version-decisions.ts';
import { addEvidence } from './version-evidence.ts';
import { findVersion, VERSION_ARGUMENT } from './version-name.ts';
import { addRollback } from './version-rollback.ts';

export function addVersion(program: Command): void {
  const noun = addNoun(program, 'version', 'look into versions of models', 'Commands for model versions.');
  addLineage(noun);
  addEvidence(noun);
  addDecisions(noun);
  addRollback(noun);
}

interface LineageFlags extends OutputFlags {
  readonly direction: 'up' | 'down' | 'both';
  readonly depth?: string;
}

function addLineage(noun: Command): void {
  const verb = addVerb(noun, 'lineage', {
    summary: 'show where a version comes from and where it went',
    description:
      'Shows data and code, runs and logged models that a version was made from, and its copies and places since. What a client claimed, and nothing ' +
      'shows, is marked so.',
    examples: ['countersign version lineage fraud/7', 'countersign version lineage fraud/7 --direction up --json'],
  })
    .argument('<VERSION>', VERSION_ARGUMENT)
    .addOption(
      new Option('--direction <WAY>', 'only what it comes from, or what it became').choices(['up', 'down', 'both']).default('both'),
    )
    .option('--depth <N>', 'follow so many steps');
  addCommonFlags(verb).action((given: string, flags: LineageFlags) =>
    withCaller(verb, async ({ ask }) => {
      const { direction, depth } = flags;
      const query = { direction, ...(depth === undefined ? {} : { depth: readDepth(depth) }) };
      const graph = await ask('getVersionLineage', { params: await findVersion(ask, given), query });
      show(flags, { document: graph, quiet: graph.nodes.map((node) => node.id), lines: lineageTree(graph) });
    }),
  );
}

function readDepth(text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= LINEAGE_DEPTH_MAX) return Number(text);
  throw invalid(`--depth must be a whole number from 1 to ${LINEAGE_DEPTH_MAX}, got '${text}'.`);
}
