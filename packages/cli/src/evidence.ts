/** `countersign evidence …` */
import type { Command } from 'commander';
import { EXIT } from './exit-codes.ts';
import { say } from './output.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, show } from './verbs.ts';
import { findVersion, VERSION_ARGUMENT } from './version-name.ts';

export function addEvidence(program: Command): void {
  const noun = addNoun(
    program,
    'evidence',
    'export and verify what is known of a version',
    'Commands for evidence packs: signed files that show what a version is, who approved it and why it was allowed.',
  );
  addExport(noun);
  addVerify(noun);
}

function addExport(noun: Command): void {
  const verb = addVerb(noun, 'export', {
    summary: 'write the evidence pack of a version',
    description:
      'Writes a signed zip: manifest, lineage, evidence, checks, approvals with the policies of their day, the events of the version with proofs that they ' +
      'are under a signed checkpoint, and model-card.html for people. It holds names and comments. Anybody can verify it without the server.',
    examples: [
      'countersign evidence export fraud/7 -o fraud-7.zip',
      'countersign evidence export fraud@champion -o champion.zip --since kept.txt',
    ],
  })
    .argument('<VERSION>', VERSION_ARGUMENT)
    .requiredOption('-o, --output <FILE>', 'to this file, which must not be there yet')
    .option('--since <CHECKPOINT>', 'prove that the record goes on from it: a checkpoint that you kept, or a file with one');
  addCommonFlags(verb).action((given: string, flags: OutputFlags & { output: string; since?: string }) =>
    withCaller(verb, async (caller) => {
      const { writePack } = await import('./evidence-files.ts');
      const version = await findVersion(caller.ask, given);
      const { bytes } = await writePack(caller, version, flags);
      show(flags, {
        document: { file: flags.output, bytes },
        quiet: [flags.output],
        lines: [`Wrote ${bytes} bytes to ${flags.output}. Verify them with: countersign evidence verify ${flags.output}`],
      });
    }),
  );
}

function addVerify(noun: Command): void {
  const verb = addVerb(noun, 'verify', {
    summary: 'verify an evidence pack, without any server',
    description:
      'Holds every file of the pack against its signature, every event against the signed checkpoint, and what it says of manifest, policies, approvals ' +
      `and checks against the events. Names what is wrong first, and ends with exit code ${EXIT.checkFailed} then.`,
    examples: [
      'countersign evidence verify fraud-7.zip --key key.pub',
      'countersign evidence verify fraud-7.zip --key key.pub --since kept.txt',
    ],
  })
    .argument('<FILE>', 'what evidence export wrote')
    .option('--key <FILE>', 'the key that you trust, come by in another way: as audit keys prints it, or PEM')
    .option('--since <CHECKPOINT...>', 'checkpoints that you kept, or files with some: the record must go on from each');
  addCommonFlags(verb).action(async (file: string, flags: OutputFlags & { key?: string; since?: string[] }) => {
    const { showPackVerdict, verifyPackFile } = await import('./evidence-files.ts');
    const verdict = await verifyPackFile(file, flags);
    show(flags, showPackVerdict(verdict));
    if (verdict.fault !== undefined) process.exitCode = EXIT.checkFailed;
    else if (flags.key === undefined && !flags.json && !flags.quiet)
      say("Whether that key is the server's, the file can't tell: name the one that you know with --key.");
  });
}
