/**
 * Small worlds, in every order: whatever one person does through all the accounts that are his, also as an administrator, brings nothing into a governed
 * place alone, under every policy that asks for an approval and has neither weakness.
 */
import { EVERY_WORKSPACE, NO_OBJECT, setGrant } from '@countersign/server/features/access/access.ts';
import * as accounts from '@countersign/server/features/accounts/accounts.ts';
import * as ciIdentities from '@countersign/server/features/ci-identities/ci-identities.ts';
import * as groups from '@countersign/server/features/groups/groups.ts';
import * as requests from '@countersign/server/features/requests/requests.ts';
import * as tokens from '@countersign/server/features/tokens/tokens.ts';
import * as transitions from '@countersign/server/features/transitions/transitions.ts';
import type { Ctx } from '@countersign/server/platform/context.ts';
import type { Queries } from '@countersign/server/platform/db/database.ts';
import { describe, expect, it } from 'vitest';
import { counts } from '../../counts.ts';
import { openGovernedModels, registerFrom } from '../../support/governed-models.ts';
import { nestedDatabase } from './nested-database.ts';
import { type Seen, see } from './seen.ts';
import { hire, type Member, type Staff } from './staff.ts';
import { succeeds } from './world.ts';

const TARGETS = [{ stage: 'Production' }, { alias: 'champion' }, { entry: true }] as const;
type Target = (typeof TARGETS)[number];
const APPROVALS = [
  [{ group: 'risk' }],
  [{ level: 'MANAGE' }],
  [{ group: 'risk' }, { group: 'legal' }],
  [{ group: 'risk', count: 2 }],
] as const;

const FAMILY: readonly string[] = APPROVALS.flatMap((approvals) =>
  TARGETS.flatMap((target) =>
    ['refuse', 'pass'].map((unlinked) =>
      JSON.stringify({
        name: 'small',
        mode: 'enforce',
        match: { model: 'prod', target },
        requirements: { approvals, unlinked, quiet_after_change: '1m' },
        on_refused: 'open_request',
      }),
    ),
  ),
);

/** Everybody else looks on. */
const PERSONS: Readonly<Record<string, readonly string[]>> = {
  root: ['root'],
  bob: ['bob', 'bobs-robot'],
  alice: ['alice', 'alices-job'],
};

interface Act {
  readonly name: string;
  readonly run: (ctx: Ctx) => Promise<unknown>;
}

/** What somebody could try, with this in front of him. */
function actsOf(seen: Seen, source: string, staff: Staff): readonly Act[] {
  const prod = [...seen.models.values()].find((each) => each.name === 'prod' && each.isAlive);
  const versions = [...seen.versions.values()].filter((each) => each.model === prod?.id);
  const open = [...seen.requests.values()].filter((each) => each.state === 'open');
  const grantTo = (ctx: Ctx, subjectId: number): Promise<unknown> =>
    setGrant(
      ctx,
      { workspaceId: EVERY_WORKSPACE, subjectKind: 'principal', subjectId, kind: 'registered-model', objectId: NO_OBJECT, prefix: '' },
      'MANAGE',
    );
  const joining = (name: string, group: string): Act => ({
    name: `${name} joins ${group}`,
    run: async (ctx) => groups.addMember(ctx, await groups.getByName(ctx, group), await accounts.getByName(ctx, name)),
  });
  return [
    { name: 'register', run: (ctx) => registerFrom(ctx, 'prod', source) },
    ...versions.slice(-1).flatMap((_, at): readonly Act[] => {
      const version = versions.length - at;
      return [
        {
          name: `move ${version}`,
          run: (ctx) => requests.moveStage(ctx, { name: 'prod', version, stage: 'Production', archiveExisting: true }),
        },
        { name: `alias ${version}`, run: (ctx) => requests.setAlias(ctx, 'prod', 'champion', version) },
      ];
    }),
    ...open.flatMap(({ id }): readonly Act[] => [
      { name: `approve ${id}`, run: (ctx) => requests.approve(ctx, id) },
      { name: `apply ${id}`, run: (ctx) => requests.apply(ctx, id) },
    ]),
    { name: 'rename into', run: (ctx) => requests.renameModel(ctx, 'dev', 'prod') },
    { name: 'rename away', run: (ctx) => requests.renameModel(ctx, 'prod', 'elsewhere') },
    { name: 'withdraw', run: (ctx) => requests.replacePolicies(ctx, { published: [], withdrawn: ['small'] }) },
    joining('alice', 'risk'),
    joining('root', 'risk'),
    { name: 'a puppet', run: (ctx) => accounts.createUser(ctx, { name: 'puppet' }) },
    { name: 'a puppet that administers', run: (ctx) => accounts.createUser(ctx, { name: 'puppet', isAdmin: true }) },
    { name: 'the puppet manages', run: async (ctx) => grantTo(ctx, (await accounts.getByName(ctx, 'puppet')).id) },
    joining('puppet', 'risk'),
    {
      name: 'the robot is another’s',
      run: async (ctx) => accounts.setOwner(ctx, await accounts.getByName(ctx, 'bobs-robot'), staff.byName('second').id),
    },
    { name: 'alice administers', run: async (ctx) => accounts.setAdmin(ctx, await accounts.getByName(ctx, 'alice'), true) },
    {
      name: 'the job is another’s',
      run: async (ctx) => ciIdentities.unlink(ctx, await accounts.getByName(ctx, 'alice'), { issuer: 'https://ci.example', actorId: '1' }),
    },
    {
      name: 'a token of carol',
      run: async (ctx) =>
        tokens.mint(ctx, await accounts.getByName(ctx, 'carol'), { kind: 'personal', name: 't', scopes: ['write'], expiresAt: null }),
    },
  ];
}

/** What makes two moments the same for whoever goes on from there. */
function momentOf(seen: Seen): string {
  const { models, versions, aliases, policies, requests: asked, candidates, members, accounts: people, permissions, tokens: held } = seen;
  return JSON.stringify([
    [...models.values()].map(({ tags: _, ...each }) => each),
    [...versions.values()].map(({ tags: _, ...each }) => each),
    [...aliases],
    [...policies],
    [...asked.values()],
    [...candidates.values()],
    [...members],
    [...people],
    [...permissions],
    [...held],
  ]);
}

/** Versions in the governed place, and what a token of another's would be. */
function reached(seen: Seen, target: Target, start: ReadonlySet<number>): readonly string[] {
  const named = new Set([...seen.models.values()].filter((each) => each.name === 'prod' && each.isAlive).map((each) => each.id));
  return [...seen.versions.values()]
    .filter((each) => each.isAlive && named.has(each.model) && !start.has(each.id))
    .filter((each) => {
      if ('stage' in target) return each.stage === target.stage;
      return 'alias' in target ? seen.aliases.get(`${each.model} ${target.alias}`) === each.id : true;
    })
    .map((each) => `version ${each.id}`);
}

interface Searched {
  readonly tried: number;
  /** What somebody did alone, where it brought something there. */
  readonly ways: readonly (readonly string[])[];
}

/** Every order of so many acts, of each person by himself. */
async function search(text: string, depth: number): Promise<Searched> {
  const store = await openGovernedModels();
  const staff = await hire(store.ctx);
  const [dora, root] = await Promise.all(['dora', 'root'].map((name) => staff.contextOf(staff.byName(name))));
  if (dora === undefined || root === undefined) throw new TypeError('both can sign in');
  const source = `runs:/${await store.logRun(dora)}/model`;
  for (const name of ['prod', 'dev']) {
    await requests.createModel(dora, { name, tags: [] });
    await registerFrom(dora, name, source);
  }
  await requests.replacePolicies(root, { published: [{ text, listedDigests: [] }], withdrawn: [] });
  const { target } = (JSON.parse(text) as { match: { target: Target } }).match;
  const begin = await see(store.ctx.db);
  const isThere = new Set([...begin.versions.values()].filter((each) => begin.models.get(each.model)?.name === 'prod').map(({ id }) => id));
  const start = 'entry' in target ? isThere : new Set<number>();
  let tried = 0;
  const ways: (readonly string[])[] = [];
  await transitions.rehearse(store.ctx, async ({ tx }) => {
    const db = nestedDatabase(tx);
    accounts.setGovernor(db, transitions.governSetting);
    const inside: Ctx = { ...store.ctx, db, tx: undefined };
    for (const own of Object.values(PERSONS)) {
      const known = new Map<string, number>();
      const members = own.map((name) => staff.byName(name));
      const go = async (path: readonly string[], left: number, before: Seen): Promise<void> => {
        const moment = momentOf(before);
        if (left === 0 || (known.get(moment) ?? 0) >= left) return;
        known.set(moment, left);
        for (const act of actsOf(before, source, staff)) {
          for (const member of [...members, ...puppetsOf(before)]) {
            await db.trying(async () => {
              const ctx = await staff.contextOf(member, undefined, inside);
              if (ctx === undefined) return;
              tried++;
              const isDone = await succeeds(requests.asking(ctx, () => act.run(ctx)));
              // What is refused may leave a request behind.
              if (!isDone && !(await hasAsked(db, before))) return;
              const after = await see(db);
              const steps = [...path, `${member.name}: ${act.name}`];
              if (reached(after, target, start).length > 0) ways.push(steps);
              else await go(steps, left - 1, after);
            });
          }
        }
      };
      await go([], depth, await see(db));
    }
  });
  await store.close();
  return { tried, ways };
}

async function hasAsked(db: Queries, before: Seen): Promise<boolean> {
  const row = await db.one<{ count: number }>('SELECT COUNT(*) AS count FROM requests');
  return Number(row?.count) > before.requests.size;
}

describe('one person alone', () => {
  it('brings nothing into a governed place, in whatever order', async () => {
    let tried = 0;
    for (const { every, depth } of counts.smallWorlds) {
      for (const text of FAMILY.filter((_, at) => at % every === 0)) {
        const searched = await search(text, depth);
        expect([text, searched.ways]).toEqual([text, []]);
        tried += searched.tried;
      }
    }
    if (process.env.COUNTERSIGN_DRILL_SHOW) console.info({ tried });
  }, 3_600_000);

  it('does where the policy lets whoever asks approve, or asks nobody', async () => {
    const weak = (requirements: object): string =>
      JSON.stringify({
        name: 'small',
        mode: 'enforce',
        match: { model: 'prod', target: { alias: 'champion' } },
        requirements,
        on_refused: 'open_request',
      });
    const approvals = [{ level: 'MANAGE' }];
    expect((await search(weak({ approvals, self_approval: true }), 2)).ways).toContainEqual(['root: alias 1', 'root: approve 1']);
    expect((await search(weak({}), 1)).ways).toContainEqual(['root: alias 1']);
  }, 600_000);
});

const STAFF_ENDS = 13;

/** An account that was made on the way is his, too. */
function puppetsOf(seen: Seen): readonly Member[] {
  return [...seen.accounts.keys()]
    .filter((id) => id > STAFF_ENDS)
    .map((id) => ({ id, account: id, kind: 'user', person: id, name: 'puppet', checks: [] }));
}
