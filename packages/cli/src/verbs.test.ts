import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addAudit } from './audit.ts';
import { addBlock } from './block.ts';
import { addBreakGlass } from './break-glass.ts';
import { addCheck } from './check.ts';
import { addEvidence } from './evidence.ts';
import { addExplain } from './explain.ts';
import { addGrant } from './grant.ts';
import { addGroup } from './group.ts';
import { addInbox } from './inbox.ts';
import { addModel } from './model.ts';
import { addPermission } from './permission.ts';
import { addPolicy } from './policy.ts';
import { addRequest } from './request.ts';
import { addServiceAccount } from './service-account.ts';
import { addToken } from './token.ts';
import { addUser } from './user.ts';
import { relativeTime, table } from './verbs.ts';
import { addVersion } from './version.ts';
import { addWebhook } from './webhook.ts';
import { addWhoami } from './whoami.ts';

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (piece) => {
      text += piece;
    },
  });
  command.outputHelp();
  return text;
}

describe('the verbs that ask the native API', () => {
  const program = new Command('countersign');
  for (const add of [
    addUser,
    addServiceAccount,
    addGroup,
    addToken,
    addGrant,
    addPermission,
    addAudit,
    addModel,
    addCheck,
    addVersion,
    addEvidence,
    addInbox,
    addWhoami,
    addBlock,
    addBreakGlass,
    addPolicy,
    addRequest,
    addExplain,
    addWebhook,
  ])
    add(program);
  const verbs = leaves(program);

  it.each(verbs.map((verb) => [verb.parent === program ? verb.name() : `${verb.parent?.name()} ${verb.name()}`, verb] as const))(
    '%s says how it is used, with an example that is its own',
    (words, verb) => {
      const help = helpOf(verb);
      for (const flag of ['--json', '--quiet', '--server <URL>', '--token-file', '--token-stdin', '--workspace', '--data-dir'])
        expect(help).toContain(flag);
      expect(help).toContain(`countersign ${words} `.trimEnd());
      expect(verb.summary()).not.toBe('');
    },
  );

  it('take no secret as an argument', () => {
    for (const verb of verbs) {
      for (const option of verb.options) {
        if (/password|token|secret/.test(option.long ?? ''))
          expect(option.long, verb.name()).toMatch(/-stdin$|-file$|^--no-password$|^--revoke-tokens$/);
      }
    }
  });
});

describe('tables', () => {
  it('are as wide as what stands in them, and show nothing that moves a cursor', () => {
    expect(
      table(
        ['A', 'B'],
        [
          ['é\u001b[31m', ''],
          ['long one', 'x'],
        ],
      ),
    ).toEqual(['A         B', 'é [31m', 'long one  x']);
    expect(table(['A'], [])).toEqual([]);
  });

  it('show times as people say them', () => {
    const now = Date.parse('2026-01-10T00:00:00Z');
    expect([-5_000, -7_200_000, 3 * 86_400_000, 0].map((ms) => relativeTime(now + ms, now))).toEqual([
      '5 seconds ago',
      '2 hours ago',
      'in 3 days',
      'in 0 seconds',
    ]);
    expect(relativeTime(null)).toBe('');
  });
});
