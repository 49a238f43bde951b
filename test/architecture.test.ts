/** The laws of the house, each a test. docs/architecture.md names the test that holds each. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const SERVER = join(ROOT, 'packages/server/src');
const FEATURES = join(SERVER, 'features');

/** The staircase: a room imports only rooms before it. */
const ROOMS = [
  'events',
  'checkpoints',
  'accounts',
  'tokens',
  'groups',
  'workspaces',
  'access',
  'ci-identities',
  'named-permissions',
  'policies',
  'sign-in',
  'administration',
  'ci-trusts',
  'people',
  'artifacts',
  'experiments',
  'logged-models',
  'metrics',
  'runs',
  'models',
  'versions',
  'checks',
  'evidence',
  'blocks',
  'break-glass',
  'approvals',
  'candidates',
  'transitions',
  'requests',
  'comments',
  'webhooks',
  'stage-removal',
  'workspace-removal',
  'audit',
  'lineage',
  'evidence-pack',
  'inbox',
  'catalog',
] as const;

interface Import {
  readonly from: string;
  readonly to: string;
}

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/(?<!\.)\b(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, specifier = '']) => ({
    from: file,
    to: specifier.startsWith('.') ? resolve(dirname(file), specifier) : specifier,
  }));
}

function roomOf(path: string): string | undefined {
  return path.startsWith(FEATURES + sep) ? relative(FEATURES, path).split(sep)[0] : undefined;
}

const serverFiles = sources(SERVER);
const imports = serverFiles.flatMap(importsOf);
const show = ({ from, to }: Import): string => `${relative(ROOT, from)} → ${to.startsWith(ROOT) ? relative(ROOT, to) : to}`;

describe('the laws of the house', () => {
  it('order: every room is on the staircase, and imports only rooms below it', () => {
    const rooms = new Set(serverFiles.map(roomOf).filter((room) => room !== undefined));
    expect([...rooms].filter((room) => !(ROOMS as readonly string[]).includes(room))).toEqual([]);
    const upward = imports.filter(({ from, to }) => {
      const [a, b] = [roomOf(from), roomOf(to)];
      return (
        a !== undefined && b !== undefined && a !== b && (ROOMS as readonly string[]).indexOf(b) > (ROOMS as readonly string[]).indexOf(a)
      );
    });
    expect(upward.map(show)).toEqual([]);
  });

  it('what a policy may refuse opens a request: from outside, governed changes go through the room of requests', () => {
    const changes = [
      'registerVersion',
      'moveStage',
      'setAlias',
      'deleteAlias',
      'renameModel',
      'deleteModel',
      'deleteVersion',
      'restoreVersion',
    ];
    const call = new RegExp(
      `\\btransitions\\.(?:${[...changes, 'setModelTag', 'setVersionTag', 'replacePolicies', 'carryOut'].join('|')})\\(`,
    );
    const around = serverFiles.filter((file) => roomOf(file) !== 'requests' && call.test(readFileSync(file, 'utf8')));
    expect(around.map((file) => relative(ROOT, file))).toEqual([]);
  });

  it('what a policy may refuse opens a request: settings are changed in rooms below, so whatever serves a call asks', () => {
    const calls = serverFiles.flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/^.*\bhandle\(ctx, (?:input|raw)\b.*$/gm)].map(([line]) => ({
        file: relative(SERVER, file),
        line,
      })),
    );
    expect(calls.map(({ file }) => file)).toEqual(['api/api-routes.ts', 'api/direct-call.ts', 'mlflow/rpc.ts']);
    expect(calls.filter(({ line }) => !line.includes('asking(ctx, () => handle(ctx,'))).toEqual([]);
  });

  it('doors: between rooms, and from outside, only the door file is imported', () => {
    const around = imports.filter(({ from, to }) => {
      const room = roomOf(to);
      return room !== undefined && roomOf(from) !== room && to !== join(FEATURES, room, `${room}.ts`);
    });
    expect(around.map(show)).toEqual([]);
  });

  it('doors: there are no barrels', () => {
    expect(serverFiles.filter((file) => file.endsWith(`${sep}index.ts`))).toEqual([]);
    expect(serverFiles.filter((file) => /^export \* from/m.test(readFileSync(file, 'utf8'))).map((file) => relative(ROOT, file))).toEqual(
      [],
    );
  });

  it('rules are pure: they import rules, contract and hashing only, and read no clock', () => {
    const rules = serverFiles.filter((file) => file.endsWith('-rules.ts'));
    expect(rules.length).toBeGreaterThan(0);
    const impure = rules
      .flatMap(importsOf)
      .filter(
        ({ to }) => !(to.startsWith('@countersign/contract/') || to === 'node:crypto' || to === 'canonicalize' || to.endsWith('-rules.ts')),
      );
    expect(impure.map(show)).toEqual([]);
    expect(rules.filter((file) => /Date\.now|new Date\(\)|Math\.random|randomBytes/.test(readFileSync(file, 'utf8')))).toEqual([]);
  });

  it('SQL lives in stores and migrations; only doors open transactions', () => {
    const keepers = /(-store|-search|-gc)\.ts$|[\\/]migrations[\\/]|[\\/]platform[\\/]db[\\/]|\.worker\.ts$|-search-[a-z-]+\.ts$/;
    const sql = /['"`](?:SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE)\s/;
    const strays = serverFiles.filter((file) => !keepers.test(file) && sql.test(readFileSync(file, 'utf8')));
    expect(strays.map((file) => relative(ROOT, file))).toEqual([]);
    const openers = serverFiles.filter(
      (file) => /\btransaction\(|\bdb\.write\(/.test(readFileSync(file, 'utf8')) && file.startsWith(FEATURES),
    );
    const notDoors = openers.filter((file) => {
      const room = roomOf(file);
      return file !== join(FEATURES, room ?? '', `${room}.ts`) && !file.endsWith('-gc.ts') && !file.includes('blob');
    });
    expect(notDoors.map((file) => relative(ROOT, file))).toEqual([]);
  });

  it('platform imports no feature, and no feature imports a translator', () => {
    const wrong = imports.filter(({ from, to }) => {
      const inPlatform = from.startsWith(join(SERVER, 'platform') + sep);
      const translators = ['mlflow', 'api', 'databricks'].map((each) => join(SERVER, each) + sep);
      return (inPlatform && roomOf(to) !== undefined) || (roomOf(from) !== undefined && translators.some((each) => to.startsWith(each)));
    });
    expect(wrong.map(show)).toEqual([]);
  });

  it('the contract imports nothing of ours', () => {
    const contract = join(ROOT, 'packages/contract/src');
    const outward = sources(contract)
      .flatMap(importsOf)
      .filter(({ to }) => to.startsWith('@countersign/') || (to.startsWith(ROOT) && !to.startsWith(contract)));
    expect(outward.map(show)).toEqual([]);
  });

  it('a Permit is made in one room only', () => {
    const makers = serverFiles.filter((file) => /as (?:unknown as )?Permit\b/.test(readFileSync(file, 'utf8')));
    expect(makers.map((file) => relative(FEATURES, file))).toEqual(['transitions/permits.ts']);
    const movers = ['setStage', 'setAlias', 'deleteAlias', 'remove', 'removeAll', 'restore', 'create', 'setTag', 'deleteTag'];
    const versions = ['versions.ts', 'registering.ts', 'version-removal.ts']
      .map((file) => readFileSync(join(FEATURES, 'versions', file), 'utf8'))
      .join('\n');
    for (const mover of movers)
      expect(versions, mover).toMatch(new RegExp(`export (?:async )?function ${mover}\\(\\s*ctx: TxCtx,\\s*_?permit: Permit`));
  });

  it('clock and chance come in through the context', () => {
    const readers = serverFiles.filter(
      (file) =>
        file.startsWith(FEATURES) &&
        /Date\.now\(|Math\.random\(|randomUUID\(|randomBytes\((?!size)/.test(
          readFileSync(file, 'utf8').replaceAll('clock.randomBytes(', ''),
        ),
    );
    expect(readers.map((file) => relative(ROOT, file))).toEqual([]);
  });
});
