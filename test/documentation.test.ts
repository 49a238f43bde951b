/** What the documentation names is there: files and headings that it links to, commands with their flags, routes of the native API. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { addAudit } from '@countersign/cli/audit.ts';
import { addBlock } from '@countersign/cli/block.ts';
import { addBreakGlass } from '@countersign/cli/break-glass.ts';
import { addCheck } from '@countersign/cli/check.ts';
import { addCiTrust } from '@countersign/cli/ci-trust.ts';
import { addDb } from '@countersign/cli/db.ts';
import { addEvidence } from '@countersign/cli/evidence.ts';
import { addExplain } from '@countersign/cli/explain.ts';
import { addGc } from '@countersign/cli/gc.ts';
import { addGrant } from '@countersign/cli/grant.ts';
import { addGroup } from '@countersign/cli/group.ts';
import { addInbox } from '@countersign/cli/inbox.ts';
import { addKeys } from '@countersign/cli/keys.ts';
import { addModel } from '@countersign/cli/model.ts';
import { addPermission } from '@countersign/cli/permission.ts';
import { addPolicy } from '@countersign/cli/policy.ts';
import { addProvider } from '@countersign/cli/provider.ts';
import { addRequest } from '@countersign/cli/request.ts';
import { addServer } from '@countersign/cli/server.ts';
import { addServiceAccount } from '@countersign/cli/service-account.ts';
import { addToken } from '@countersign/cli/token.ts';
import { addUser } from '@countersign/cli/user.ts';
import { addVersion } from '@countersign/cli/version.ts';
import { addWebhook } from '@countersign/cli/webhook.ts';
import { addWhoami } from '@countersign/cli/whoami.ts';
import { addWorkspace } from '@countersign/cli/workspace.ts';
import { endpoints } from '@countersign/contract/native-api.ts';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const documents = globSync(['*.md', 'docs/**/*.md', 'bench/*.md'], { cwd: ROOT }).sort();
const tests = globSync(['test/**/*.test.ts', 'packages/*/src/**/*.test.ts'], { cwd: ROOT });
const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** As GitHub makes them. */
function anchorsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, title = '']) => title.replaceAll(/[`*_]|\[|\]\([^)]*\)/g, ''));
  return new Set(
    headings.map((title) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

describe.each(documents)('%s', (path) => {
  const text = textOf(path);

  it('links to files and headings that are there', () => {
    const prose = text.replaceAll(/^```[\s\S]*?^```/gm, '');
    const broken = [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link = '']) => link)
      .filter((link) => !/^(https?|mailto):/.test(link))
      .filter((link) => {
        const [file = '', anchor] = link.split('#');
        const target = file === '' ? path : join(dirname(path), file);
        if (!existsSync(join(ROOT, target))) return true;
        return anchor !== undefined && !anchorsOf(textOf(target)).has(anchor);
      });
    expect(broken).toEqual([]);
  });

  it('names commands and flags that are there', () => {
    const faults = commandsIn(text).flatMap((words) => faultOf(words) ?? []);
    expect(faults).toEqual([]);
  });

  it('names tests that are there', () => {
    const named = [...text.matchAll(/`([\w./-]+\.test\.ts)`/g)].map(([, file = '']) => file);
    expect(named.filter((file) => !tests.some((test) => test === file || test.endsWith(`/${file}`)))).toEqual([]);
  });

  it('names routes of the native API that are there', () => {
    const named = [...text.matchAll(/\/api\/v1\/[\w{}…%./@$-]+/g)].map(([route]) => route.replace(/[.…]+$/, ''));
    expect(named.filter((route) => !isRoute(route))).toEqual([]);
  });
});

const program = new Command('countersign');
for (const add of [
  ...[
    addAudit,
    addBlock,
    addBreakGlass,
    addCheck,
    addCiTrust,
    addDb,
    addEvidence,
    addExplain,
    addGc,
    addGrant,
    addGroup,
    addInbox,
    addKeys,
  ],
  ...[addModel, addPermission, addPolicy, addProvider, addRequest, addServer, addServiceAccount, addToken, addUser, addVersion, addWhoami],
  ...[addWebhook, addWorkspace],
])
  add(program);

/** The words behind `countersign` in blocks and in code among prose, up to what the shell makes of the rest. */
function commandsIn(text: string): string[][] {
  const blocks = [...text.matchAll(/^```(?:sh|console|yaml)\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) =>
    block.replaceAll('\\\n', ' ').split('\n'),
  );
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, '');
  const inline = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
  return [...blocks, ...inline].flatMap((line) =>
    [...line.matchAll(/(?:^|[\s$(=])countersign ((?:'[^']*'|"[^"]*"|[^#|;>)'"])*)/g)].map(([, words = '']) =>
      (words.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? []).filter((word) => word !== '…'),
    ),
  );
}

/** What of it isn't there. */
function faultOf(words: readonly string[]): string | undefined {
  const own = words.includes('--') ? words.slice(0, words.indexOf('--')) : words;
  let command = program;
  let at = 0;
  for (; command.commands.length > 0 && at < own.length && !own[at]?.startsWith('-'); at += 1) {
    const next = command.commands.find((each) => each.name() === own[at] || each.aliases().includes(own[at] ?? ''));
    // A sentence of the program, as in a refusal, begins with a colon or goes on with words.
    if (next === undefined) return `countersign ${own.join(' ')}: there is no '${own[at]}'`;
    command = next;
  }
  const known = new Set([...command.options.flatMap(({ long, short }) => [long, short]), '--help', '--version']);
  const unknown = own.slice(at).find((word) => /^--?[a-z]/.test(word) && !known.has(word.split('=')[0]));
  return unknown === undefined ? undefined : `countersign ${own.join(' ')}: there is no '${unknown}'`;
}

const routes = new Set(endpoints.map((each) => each.path.replaceAll(/\{\w+\}/g, '{}')));
const OTHERS = ['/api/v1/openapi.json', '/api/v1/docs'];

/** Each part that isn't the route's own word may be anything. */
function isRoute(named: string): boolean {
  if (OTHERS.includes(named)) return true;
  const parts = named.split('/');
  return [...routes].some((route) => {
    const asked = route.split('/');
    return asked.length === parts.length && asked.every((part, at) => part === '{}' || part === parts[at]);
  });
}

it('the laws that the architecture tells of are tests of that name', () => {
  const laws = [...textOf('docs/architecture.md').matchAll(/^\| [^|]+ \| _(.+?)_ +\|$/gm)].map(([, law = '']) => law);
  expect(laws.length).toBeGreaterThanOrEqual(9);
  const names = [...textOf('test/architecture.test.ts').matchAll(/it\('(.+)'/g)].map(([, name = '']) => name.replaceAll("\\'", "'"));
  expect(laws.filter((law) => !names.some((name) => name.startsWith(law)))).toEqual([]);
});

it('finds what is wrong', () => {
  expect(documents.flatMap((path) => commandsIn(textOf(path))).length).toBeGreaterThan(150);
  const lines = ['countersign policy aply x', 'alice$ countersign request show 1 --jsn', 'x=$(countersign token create a --quiet)'];
  expect(commandsIn(`\`\`\`console\n${lines.join('\n')}\n\`\`\`\n`).map(faultOf)).toEqual([
    "countersign policy aply x: there is no 'aply'",
    "countersign request show 1 --jsn: there is no '--jsn'",
    undefined,
  ]);
  expect([isRoute('/api/v1/requests/7/approve'), isRoute('/api/v1/requests/7/approved')]).toEqual([true, false]);
});
