import type { Command } from 'commander';
import { withCaller } from './reach.ts';
import { addCommonFlags, addVerb, type OutputFlags, show } from './verbs.ts';

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
