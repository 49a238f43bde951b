/** `countersign audit …`: the record of what happened, its checkpoints, and whether it is whole. */
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { invalid } from '@countersign/contract/problem.ts';
import type { Command } from 'commander';
import { EXIT } from './exit-codes.ts';
import { say } from './output.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, printable, relativeTime, show, table } from './verbs.ts';

type Event = AnswerOf<EndpointOf<'listEvents'>>['events'][number];

export function addAudit(program: Command): void {
  const noun = addNoun(
    program,
    'audit',
    'read, export and verify the record of what happened',
    'Commands for the chain of events, its checkpoints, and the texts beside it.',
  );
  addList(noun);
  addExport(noun);
  addVerify(noun);
  addCheckpoint(noun);
  addKeys(noun);
  addRotateKey(noun);
  addEraseText(noun);
}

function addList(noun: Command): void {
  const list = addVerb(
    noun,
    'list',
    {
      summary: 'list events of the workspace, the newest first',
      description: 'Lists what happened in the workspace: number, time, type, by whom, and its facts in short; --json has them whole.',
      examples: ['countersign audit list --limit 20', 'countersign audit list --model fraud --oldest'],
    },
    'ls',
  )
    .option('--model <NAME>', 'only those of a model and its versions')
    .option('--limit <N>', 'so many', '50')
    .option('--oldest', 'the oldest first');
  addCommonFlags(list).action((flags: OutputFlags & { model?: string; limit: string; oldest?: boolean }) =>
    withCaller(list, async ({ ask }) => {
      const limit = wholeNumber(flags.limit, 1, 1000, '--limit');
      const query = { limit, order: flags.oldest === true ? ('oldest' as const) : ('newest' as const) };
      const page =
        flags.model === undefined
          ? await ask('listEvents', { query })
          : await ask('listModelEvents', { params: { name: flags.model }, query });
      const rows = page.events.map((event) => [
        String(event.seq),
        relativeTime(event.recorded_at),
        event.type,
        event.principal.name,
        detailsOf(event),
      ]);
      show(flags, {
        document: page,
        quiet: page.events.map((event) => String(event.seq)),
        lines: table(['EVENT', 'WHEN', 'TYPE', 'BY', 'DETAILS'], rows),
      });
    }),
  );
}

const DETAILS_MAX = 100;

/** What a line has room for: the model, the place, what is short among the facts, then the texts that were not erased. */
function detailsOf({ model_id, version_id, target, data, texts }: Event): string {
  const facts = Object.entries({
    model_id,
    version_id,
    target: target === 'access' ? null : target,
    ...(typeof data === 'object' ? data : {}),
    ...texts,
  });
  const parts = facts.flatMap(([name, value]) =>
    value === null || value === '' || typeof value === 'object' ? [] : [`${name}=${printable(String(value))}`],
  );
  const text = parts.join(' ');
  return text.length > DETAILS_MAX ? `${text.slice(0, DETAILS_MAX)}…` : text;
}

function addExport(noun: Command): void {
  const verb = addVerb(noun, 'export', {
    summary: 'write the whole record as lines that can be verified anywhere',
    description:
      'Writes all events of every workspace with their hashes, the checkpoints and the public keys, a JSON line each, up to a checkpoint that is made ' +
      'for it. Without --texts neither free text nor personal data is in it.',
    examples: ['countersign audit export --output record.jsonl', 'countersign audit export --since kept.txt --texts > rest.jsonl'],
  })
    .option('-o, --output <FILE>', 'to this file, which must not be there yet; without it to standard output')
    .option('--since <CHECKPOINT>', 'only what came after it: a checkpoint, a file with one, or how many events it is over')
    .option('--texts', 'with the texts beside the events');
  addCommonFlags(verb).action((flags: OutputFlags & { output?: string; since?: string; texts?: boolean }) =>
    withCaller(verb, async (caller) => {
      const { writeExport } = await import('./audit-export.ts');
      const { lines } = await writeExport(caller, { output: flags.output, since: flags.since, texts: flags.texts === true });
      if (flags.output === undefined) return;
      show(flags, {
        document: { file: flags.output, lines },
        quiet: [flags.output],
        lines: [`Wrote ${lines} lines to ${flags.output}. Verify them with: countersign audit verify ${flags.output}`],
      });
    }),
  );
}

function addVerify(noun: Command): void {
  const verify = addVerb(noun, 'verify', {
    summary: 'verify an export, or the record itself',
    description:
      'With FILE (- for standard input) verifies an export by itself, without server or database: every hash, text, checkpoint and signature. ' +
      `Without it, has the record verified where it is. Names what is wrong first, and ends with exit code ${EXIT.checkFailed} then.`,
    examples: ['countersign audit verify record.jsonl --key key.pub --since kept.txt', 'countersign audit verify --data-dir ./registry'],
  })
    .argument('[FILE]', 'what audit export wrote')
    .option('--key <FILE>', 'the key that you trust, come by in another way: as audit keys prints it, or PEM')
    .option('--since <CHECKPOINT...>', 'checkpoints that you kept, or files with some: the record must go on from each');
  addCommonFlags(verify).action(async (file: string | undefined, flags: OutputFlags & { key?: string; since?: string[] }) => {
    if (file === undefined) return verifyInPlace(verify, flags);
    const { verifyFile, showVerdict } = await import('./audit-verification.ts');
    const verdict = await verifyFile(file, flags);
    show(flags, showVerdict(verdict));
    if (verdict.fault !== undefined) process.exitCode = EXIT.checkFailed;
    else if (flags.key === undefined && verdict.keyId !== undefined && !flags.json && !flags.quiet)
      say("Whether that key is the server's, the file can't tell: name the one that you know with --key.");
  });
}

function verifyInPlace(verify: Command, flags: OutputFlags & { key?: string; since?: string[] }): Promise<void> {
  if (flags.key !== undefined || flags.since !== undefined)
    throw invalid('--key and --since verify an export: name its file, which countersign audit export writes.');
  return withCaller(verify, async ({ ask }) => {
    const verdict = await ask('verifyEvents');
    const { ok, events, checkpoints, first_bad, reason, bad_checkpoint } = verdict;
    const lines = [
      ...(ok ? [`${events} events, and each follows from the one before; ${checkpoints} signed checkpoints are over them.`] : []),
      ...(first_bad === null ? [] : [`The record is broken: event ${first_bad} ${reason}.`]),
      ...(bad_checkpoint === null ? [] : [`The checkpoint over ${bad_checkpoint.size} events ${bad_checkpoint.reason}.`]),
    ];
    show(flags, { document: verdict, quiet: [String(events)], lines });
    if (!ok) process.exitCode = EXIT.checkFailed;
  });
}

function addCheckpoint(noun: Command): void {
  const verb = addVerb(noun, 'checkpoint', {
    summary: 'make a checkpoint, to be kept elsewhere',
    description:
      'Makes a signed checkpoint over all that has happened, and prints it as one line. Keep it where the server cannot reach it.',
    examples: ['countersign audit checkpoint >> kept.txt', 'countersign audit checkpoint --newest', 'countersign audit checkpoint --list'],
  })
    .option('--newest', 'make none: the newest that is there')
    .option('--list', 'make none: list those that are there, the newest first');
  addCommonFlags(verb).action((flags: OutputFlags & { newest?: boolean; list?: boolean }) =>
    withCaller(verb, async ({ ask }) => {
      if (flags.list) {
        const page = await ask('listCheckpoints', { query: { limit: 1000 } });
        const rows = page.checkpoints.map((each) => [String(each.size), new Date(each.time).toISOString(), each.key_id, each.line]);
        show(flags, {
          document: page,
          quiet: page.checkpoints.map((each) => each.line),
          lines: table(['EVENTS', 'TIME', 'KEY', 'CHECKPOINT'], rows),
        });
        return;
      }
      const answer = await ask(flags.newest ? 'getNewestCheckpoint' : 'makeCheckpoint');
      const lines = answer.checkpoint === null ? [] : [answer.checkpoint.line];
      if (lines.length === 0) say('Nothing has happened yet, so there is no checkpoint.');
      show(flags, { document: answer, quiet: lines, lines });
    }),
  );
}

function addKeys(noun: Command): void {
  const verb = addVerb(noun, 'keys', {
    summary: 'print the public keys that sign checkpoints',
    description: 'Prints the keys, oldest first; each but the first is signed by the one before. The last one signs now.',
    examples: ['countersign audit keys', 'countersign audit keys --quiet | tail -n 1 > key.pub'],
  });
  addCommonFlags(verb).action((flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const answer = await ask('listCheckpointKeys');
      const keys = answer.keys.map((key) => key.verifier_key);
      const rows = answer.keys.map((key) => [
        String(key.number),
        new Date(key.created_at).toISOString(),
        key.signed_by === key.number ? 'itself' : `key ${key.signed_by}`,
        key.verifier_key,
      ]);
      if (keys.length === 0) say('There is no key yet. The first checkpoint makes it: countersign audit checkpoint.');
      show(flags, { document: answer, quiet: keys, lines: table(['KEY', 'SINCE', 'SIGNED BY', 'PUBLIC KEY'], rows) });
    }),
  );
}

function addRotateKey(noun: Command): void {
  const verb = addVerb(noun, 'rotate-key', {
    summary: 'have a new key sign checkpoints',
    description:
      'Makes a new key, which the old one signs, and which signs from now on. Where you keep the key yourself, put the new one before the old one ' +
      'instead. With --lost the old key cannot sign: whoever verifies must then be told to trust the new one, with --key.',
    examples: ['countersign audit rotate-key', 'countersign audit rotate-key --lost --checkpoint-key-file new.pem'],
  }).option('--lost', 'the old key is not there any more');
  addCommonFlags(verb).action((flags: OutputFlags & { lost?: boolean }) =>
    withCaller(verb, async ({ ask }) => {
      const key = await ask('rotateCheckpointKey', { body: { lost: flags.lost === true } });
      show(flags, {
        document: key,
        quiet: [key.verifier_key],
        lines: [`Key ${key.number} signs from now on: ${key.verifier_key}`],
      });
    }),
  );
}

function addEraseText(noun: Command): void {
  const erase = addVerb(noun, 'erase-text', {
    summary: 'erase one text beside an event for ever',
    description: 'Erases a text, such as a description, from beside an event. The event stays, and the record still verifies.',
    examples: ['countersign audit erase-text 42 description --confirm 42'],
  })
    .argument('<SEQ>', 'number of the event')
    .argument('<FIELD>', 'member of its texts')
    .option('--confirm <SEQ>', 'the number again, instead of being asked for it');
  addCommonFlags(erase).action(async (text: string, field: string, flags: OutputFlags & { confirm?: string }) => {
    const seq = wholeNumber(text, 1, Number.MAX_SAFE_INTEGER, 'The number of an event');
    const { confirmName } = await import('./confirmation.ts');
    await confirmName(text, flags.confirm, `This erases '${field}' beside event ${text} for ever.`);
    await withCaller(erase, async ({ ask }) => {
      await ask('eraseEventText', { params: { seq, field } });
      show(flags, {
        document: { erased: { seq, field } },
        quiet: [text],
        lines: [`Erased '${field}' beside event ${text}.`],
      });
    });
  });
}

function wholeNumber(text: string, least: number, most: number, name: string): number {
  if (/^\d{1,16}$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text);
  throw invalid(
    `${name} must be a whole number ${most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `of at least ${least}`}, got '${text}'.`,
  );
}
