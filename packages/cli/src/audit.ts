/** `countersign audit verify`, `countersign audit erase-text` */
import { invalid } from '@countersign/contract/problem.ts';
import type { Command } from 'commander';
import { EXIT } from './exit-codes.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, show } from './verbs.ts';

export function addAudit(program: Command): void {
  const noun = addNoun(
    program,
    'audit',
    'look after the record of what happened',
    'Commands for the chain of events and the texts beside it.',
  );
  const verify = addVerb(noun, 'verify', {
    summary: 'recompute the chain of events',
    description: `Recomputes every hash of the record, and ends with exit code ${EXIT.checkFailed} where it isn't whole.`,
    examples: ['countersign audit verify --data-dir ./registry'],
  });
  addCommonFlags(verify).action((flags: OutputFlags) =>
    withCaller(verify, async ({ ask }) => {
      const verdict = await ask('verifyEvents');
      const line = verdict.ok
        ? `${verdict.events} events, and each follows from the one before.`
        : `The record is broken at event ${verdict.first_bad}.`;
      show(flags, { document: verdict, quiet: [String(verdict.events)], lines: [line] });
      if (!verdict.ok) process.exitCode = EXIT.checkFailed;
    }),
  );
  const erase = addVerb(noun, 'erase-text', {
    summary: 'erase one text beside an event for ever',
    description: 'Erases a text, such as a description, from beside an event. The event stays, and the record still verifies.',
    examples: ['countersign audit erase-text 42 description --confirm 42'],
  })
    .argument('<SEQ>', 'number of the event')
    .argument('<FIELD>', 'member of its texts')
    .option('--confirm <SEQ>', 'the number again, instead of being asked for it');
  addCommonFlags(erase).action(async (text: string, field: string, flags: OutputFlags & { confirm?: string }) => {
    if (!/^[1-9]\d{0,14}$/.test(text)) throw invalid(`The number of an event is 1 or more, got '${text}'.`);
    const { confirmName } = await import('./confirmation.ts');
    await confirmName(text, flags.confirm, `This erases '${field}' beside event ${text} for ever.`);
    await withCaller(erase, async ({ ask }) => {
      await ask('eraseEventText', { params: { seq: Number(text), field } });
      show(flags, {
        document: { erased: { seq: Number(text), field } },
        quiet: [text],
        lines: [`Erased '${field}' beside event ${text}.`],
      });
    });
  });
}

/** `countersign whoami` */
export function addWhoami(program: Command): void {
  const verb = addVerb(program, 'whoami', {
    summary: 'show who you are to a server, and what you may do',
    description: 'Asks a server whose credentials these are, and what they allow in the workspace.',
    examples: ['countersign whoami --server https://registry.example'],
  });
  addCommonFlags(verb).action((flags: OutputFlags) =>
    withCaller(verb, async ({ ask }) => {
      const me = await ask('getMe');
      const { access } = me;
      const role = access.is_admin ? 'administrator of the server' : access.is_manager ? 'administrator of the workspace' : undefined;
      const levels = `models ${access.level_on_models ?? 'as granted'}, experiments ${access.level_on_experiments ?? 'as granted'}`;
      show(flags, {
        document: me,
        quiet: [me.principal.name],
        lines: [
          `${me.principal.name} (${me.principal.kind})`,
          `workspace '${me.workspace}': ${role ?? levels}`,
          ...(me.groups.length > 0 ? [`groups: ${me.groups.join(', ')}`] : []),
          ...(me.token === null ? [] : [`token limited to: ${me.token.scopes.join(' ')}`]),
        ],
      });
    }),
  );
}
