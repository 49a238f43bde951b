/** `countersign policy …`, `request …`, `explain`, and what `version …` says of decisions: against a running server, as people and scripts call them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EvaluationSchema, RequestSchema } from '@countersign/contract/requests.ts';
import * as groups from '@countersign/server/features/groups/groups.ts';
import * as transitions from '@countersign/server/features/transitions/transitions.ts';
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import { Compile } from 'typebox/compile';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addUser, ask, grant, openApp, type Person, type RunningApp } from '../support/app.ts';
import { countersign } from '../support/cli.ts';
import { contextOf } from '../support/people.ts';
import { type PostgresCluster, startPostgres } from '../support/postgres.ts';
import { makeObjects } from './permission-requests.ts';

const PRODUCTION = `name: fraud-production
mode: enforce
match: { model: 'fraud*', target: { stage: Production } }
requirements:
  approvals: [{ group: risk, count: 2 }]
rollback: { within_days: 30, roles: [{ group: risk }] }
`;
const CHAMPION = `name: fraud-champion
mode: observe
match: { model: 'fraud*', target: { alias: champion } }
requirements: { description: true }
`;
const BY_HAND = `name: fraud-staging
mode: enforce
match: { model: 'fraud*', target: { stage: Staging } }
requirements: { approvals: [{ group: risk }] }
apply: manual
`;

type Name = 'root' | 'second' | 'alice' | 'bob' | 'carol';

/** What databases differ in is the way of a change; the rest is looked at once. */
describe.each(['sqlite', 'postgres'] as const)('commands for policies and requests on %s', (dialect) => {
  const once = dialect === 'sqlite' ? it : it.skip;
  const folder = mkdtempSync(join(tmpdir(), 'countersign-governance-commands-'));
  const policies = join(folder, 'policies');
  let app: RunningApp;
  let cluster: PostgresCluster | undefined;
  let people: Readonly<Record<Name, Person>>;
  /** After the first policies came into force. */
  let published = 0;

  beforeAll(async () => {
    if (dialect === 'postgres') cluster = await startPostgres();
    app = await openApp(cluster === undefined ? {} : { db: new PostgresDatabase(await cluster.createDatabase()) });
    const { ctx } = app;
    const root = await addUser(ctx, 'root', { isAdmin: true });
    const second = await addUser(ctx, 'second', { isAdmin: true });
    const [alice, bob, carol] = [await addUser(ctx, 'alice'), await addUser(ctx, 'bob'), await addUser(ctx, 'carol')];
    people = { root, second, alice, bob, carol };
    // Who made a version must be known, or nobody can be shown to be another.
    const made = await contextOf(ctx, root.account);
    const fraud = await makeObjects(made, 'fraud');
    const risk = await groups.create(ctx, { name: 'risk', workspaceId: groups.SERVER_WIDE });
    for (const { account } of [alice, bob, carol])
      await grant(ctx, { accountId: account.id }, { kind: 'registered-model', id: fraud.modelId }, 'EDIT');
    for (const { account } of [bob, carol]) await groups.addMember(ctx, risk, account);
    // Version 3 stands in Production before any policy.
    const of = { runId: '', loggedModelId: undefined, runLink: '', description: undefined, tags: [] };
    await transitions.registerVersion(made, { name: 'fraud', source: 'models:/fraud/1', ...of });
    await transitions.moveStage(made, { name: 'fraud', version: 3, stage: 'Production', archiveExisting: false });
    mkdirSync(policies);
    writeFileSync(join(policies, 'production.yaml'), PRODUCTION);
    writeFileSync(join(policies, 'champion.yml'), CHAMPION);
    writeFileSync(join(policies, 'README.md'), 'no policy');
  }, 120_000);
  afterAll(async () => {
    await app?.close();
    await cluster?.stop();
    rmSync(folder, { recursive: true });
  });

  async function run(as: Name, ...args: readonly string[]) {
    const env = { COUNTERSIGN_SERVER: app.url, COUNTERSIGN_TOKEN: people[as].secret };
    const { code, stdout, stderr } = await countersign(args, { cwd: folder, env });
    return { code, out: stdout, err: stderr };
  }
  async function ok(as: Name, ...args: readonly string[]): Promise<string> {
    const ended = await run(as, ...args);
    expect(ended.code, `${args.join(' ')}: ${ended.out}${ended.err}`).toBe(0);
    return ended.out;
  }
  const json = async (as: Name, ...args: readonly string[]) => JSON.parse(await ok(as, ...args, '--json'));

  once('check files without a server, by line and member', async () => {
    expect(await ok('alice', 'policy', 'check', policies)).toBe(
      "policies/champion.yml: 'fraud-champion' is fine\npolicies/production.yaml: 'fraud-production' is fine\n".replaceAll(
        'policies/',
        `${policies}/`,
      ),
    );
    writeFileSync(join(folder, 'wrong.yaml'), PRODUCTION.replace('count: 2', 'counts: 2'));
    const wrong = await run('alice', 'policy', 'check', 'wrong.yaml');
    expect([wrong.code, wrong.out]).toEqual([6, expect.stringMatching(/^wrong\.yaml: Policy, line 5: .*counts/)]);
    const planned = await run('root', 'policy', 'plan', 'wrong.yaml');
    expect([planned.code, planned.err]).toEqual([2, expect.stringContaining('wrong.yaml: Policy, line 5')]);
  });

  it('ask for a change, and plan what policies would do to it', async () => {
    const asked = await json('alice', 'request', 'create', 'fraud@champion', '--stage', 'production', '--comment', 'better *by far*');
    expect(Compile(RequestSchema).Check({ ...asked, created_at: 1, expires_at: null })).toBe(true);
    expect(asked).toMatchObject({ name: 'fraud', version: 1, subject: 'stage:Production', state: 'open', comment: 'better *by far*' });
    const again = await run('alice', 'request', 'create', 'fraud/1', '--stage', 'Production');
    expect([again.code, again.err]).toEqual([5, expect.stringContaining(`request ${asked.id}`)]);
    const planned = await ok('root', 'policy', 'plan', policies, '--prune');
    expect(planned).toMatch(/publish +fraud-champion +[0-9a-f]{12}\npublish +fraud-production +[0-9a-f]{12}\n/);
    expect(planned).toMatch(new RegExp(`^fails +fraud/1 +stage:Production +${asked.id} +.*2 approvals`, 'm'));
    expect(planned).toMatch(/^fails +fraud\/3 +stage:Production +stands there/m);
    expect(planned.indexOf('fails ')).toBeLessThan(planned.lastIndexOf('fails '));
    writeFileSync(join(folder, 'crowd.yaml'), PRODUCTION.replace('count: 2', 'count: 9'));
    expect(await ok('root', 'policy', 'plan', 'crowd.yaml')).toContain(
      "\nwarning: With today's members nobody could ever satisfy 'fraud-production': at most 2 of 9 approvals of group 'risk' can be given.",
    );
    expect(await ok('root', 'policy', 'list')).toBe('');
    expect((await run('alice', 'policy', 'plan', policies)).code).toBe(3);
  });

  it('apply files, and leave alone what is in force', async () => {
    const digest = '3f'.repeat(32);
    const unsaid = await run('root', 'policy', 'apply', policies);
    expect([unsaid.code, unsaid.out, unsaid.err]).toEqual([2, '', expect.stringContaining('--yes')]);
    const applied = await run('root', 'policy', 'apply', policies, '--yes', '--listed-digest', `fraud-production=sha256:${digest}`);
    expect([applied.code, applied.out]).toEqual([0, 'In force: fraud-champion, fraud-production.\n']);
    expect(applied.err).toContain('would fail that pass now');
    published = Date.now();
    const list = await ok('alice', 'policy', 'ls');
    expect(list).toMatch(/fraud-champion +observe +fraud\* +alias:champion/);
    expect(list).toMatch(/fraud-production +enforce +fraud\* +stage:Production/);
    const shown = await json('alice', 'policy', 'show', 'fraud-production');
    expect(shown).toMatchObject({ listed_digests: [digest], text: PRODUCTION, withdrawn_at: null });
    expect(await ok('alice', 'policy', 'show', `sha256:${shown.hash}`, '--text')).toBe(PRODUCTION);
    const same = await run('root', 'policy', 'apply', policies);
    expect([same.code, same.err]).toEqual([0, expect.stringMatching(/unchanged +fraud-champion/)]);
    expect((await json('alice', 'policy', 'show', 'fraud-production')).listed_digests).toEqual([digest]);
    expect(await ok('root', 'policy', 'list', '--as-of', '2020-01-01T00:00:00Z')).toBe('');
  });

  it('show what is missing and who can give it, until enough have approved', async () => {
    const [{ id }] = (await json('alice', 'request', 'list', '--mine', '--state', 'open', '--target', 'stage:Production')).requests;
    const shown = await ok('alice', 'request', 'show', String(id));
    expect(shown).toMatch(/^Request \d+: fraud\/1, stage:Production, open\nasked .* by alice/);
    expect(shown).toContain('| better *by far*');
    expect(shown).toMatch(/missing: 0 of 2 approvals of group 'risk'/);
    expect(shown).toMatch(/who: .*bob/);
    expect(shown).toMatch(/you may: .*cancel/);
    const own = await run('alice', 'request', 'approve', String(id));
    expect([own.code, own.err]).toEqual([3, expect.stringContaining('alice')]);
    const early = await run('alice', 'request', 'watch', String(id), '--timeout', '1s');
    expect([early.code, early.out]).toEqual([7, `Request ${id} is open still after 1s.\n`]);
    const watched = run('alice', 'request', 'watch', String(id), '--timeout', '5m', '--json');
    expect(await ok('bob', 'request', 'approve', String(id), '--comment', 'looked')).toContain('open still');
    const evaluation = await json('carol', 'request', 'show', String(id));
    expect(
      Compile(EvaluationSchema)
        .Errors(evaluation)
        .map((each) => each.instancePath),
    ).toEqual(expect.not.arrayContaining(['/decisions/0/missing']));
    expect(evaluation).toMatchObject({ is_allowed: false, request: { available_actions: expect.arrayContaining(['approve']) } });
    expect(await ok('carol', 'request', 'approve', String(id), '--archive-existing')).toBe(`Approved request ${id}: it was carried out.\n`);
    expect((await watched).code).toBe(0);
    expect(JSON.parse((await watched).out)).toMatchObject({ id, state: 'approved' });
    expect(await ok('alice', 'request', 'show', String(id))).toMatch(/approved .* by bob[\s\S]*approved .* by carol/);
    expect(await ok('alice', 'request', 'list', '--model', 'fraud', '--state', 'approved', '--quiet')).toBe(`${id}\n`);
  });

  it('say why it was allowed, and whether the next one would be', async () => {
    const decisions = await ok('alice', 'version', 'decisions', 'fraud/1');
    expect(decisions).toMatch(/stage:Production +policy +fraud-production [0-9a-f]{12}/);
    const refused = await run('alice', 'explain', 'fraud/3', 'stage:Production');
    expect([refused.code, refused.err]).toEqual([6, '']);
    expect(refused.out).toMatch(/^Refused: fraud\/3, stage:Production\./);
    expect(refused.out).toMatch(/missing: 0 of 2 approvals/);
    const command = 'countersign request create fraud/3 --stage Production';
    expect(refused.out).toContain(`\nAsk for it: ${command} (by the API: POST /api/v1/models/fraud/versions/3/requests)\n`);
    const { asking } = JSON.parse((await run('alice', 'explain', 'fraud/3', 'stage:Production', '--json')).out);
    expect(asking).toMatchObject({ request: null, command, is_opened_by_call: false });
    const { method, path, body } = asking.call;
    const { id } = (await ask(app, method, path, { as: people.alice.secret, body })).body;
    const open = await run('bob', 'explain', 'fraud/3', 'stage:Production');
    expect(open.out).toContain(`\nRequest ${id} is open for it: countersign request show ${id}\n`);
    expect(JSON.parse((await run('bob', 'explain', 'fraud/3', 'stage:Production', '--json')).out).asking).toMatchObject({
      request: id,
      call: { method: 'GET', path: `/api/v1/requests/${id}`, body: null },
    });
    await ok('alice', 'request', 'cancel', String(id));
    const allowed = await ok('alice', 'explain', 'fraud/1', 'alias:champion');
    expect(allowed).toMatch(/^Allowed: fraud\/1, alias:champion\.[\s\S]*although something is missing[\s\S]*missing: .*description/);
    expect(allowed).not.toContain('Ask for it');
    expect(await ok('alice', 'explain', 'fraud/1', 'tag:note=x', '--quiet')).toBe('allowed\n');
    expect((await run('alice', 'explain', 'fraud/1', 'somewhere')).code).toBe(2);
  });

  once('reject and take back, which those who wait are told', async () => {
    const { id } = await json('alice', 'request', 'create', 'fraud/3', '--stage', 'Production');
    expect(await ok('bob', 'request', 'reject', String(id), '--comment', 'not yet')).toBe(`Rejected request ${id}.\n`);
    const watched = await run('alice', 'request', 'watch', String(id));
    expect([watched.code, watched.out]).toEqual([6, `Request ${id} was rejected by bob. not yet\n`]);
    expect((await run('bob', 'request', 'approve', String(id))).code).toBe(5);
    const other = await json('alice', 'request', 'create', 'fraud/1', '--delete');
    expect(other).toMatchObject({ subject: 'deleted', change: 'leave', target: { kind: 'entry' } });
    expect(await ok('alice', 'request', 'cancel', String(other.id))).toBe(`Took request ${other.id} back.\n`);
    const tag = await json('alice', 'request', 'create', 'fraud', '--tag', 'risk=low');
    expect(tag).toMatchObject({ name: 'fraud', version: null, subject: 'tag:risk=low' });
    const alias = await json('alice', 'request', 'create', 'models:/fraud/1', '--alias', 'champion', '--remove');
    expect(alias).toMatchObject({ subject: 'alias:champion#removed', change: 'leave' });
    const entry = await json(
      'alice',
      'request',
      'create',
      'fraud',
      '--entry',
      'models:/fraud/1',
      '--description',
      'a copy',
      '--version-tag',
      'a=b',
    );
    expect(entry).toMatchObject({ subject: 'entry', source: 'models:/fraud/1', digest: expect.stringMatching(/[0-9a-f]{64}$/) });
    for (const { id: open } of [tag, alias, entry]) await ok('root', 'request', 'cancel', String(open), '--comment', 'done with');
  });

  it('change policies with a second person, by the same command again', async () => {
    writeFileSync(join(policies, 'staging.yaml'), BY_HAND);
    const refused = await run('root', 'policy', 'apply', policies, '--prune', '--yes');
    expect([refused.code, refused.out]).toEqual([3, '']);
    const [, id = ''] = /Request (\d+) was opened/.exec(refused.err) ?? [];
    expect((await run('root', 'request', 'approve', id)).code).toBe(3);
    expect(await ok('second', 'request', 'approve', id)).toContain('open still');
    expect(await ok('root', 'policy', 'apply', policies, '--prune', '--yes')).toContain('fraud-staging');
    expect((await json('root', 'request', 'show', id)).request.state).toBe('approved');
    expect(await ok('root', 'policy', 'list', '--quiet')).toBe('fraud-champion\nfraud-production\nfraud-staging\n');
    expect(await ok('root', 'policy', 'list', '--quiet', '--as-of', new Date(published).toISOString())).toBe(
      'fraud-champion\nfraud-production\n',
    );
  });

  once('carry out by hand what a policy wants so', async () => {
    const { id } = await json('alice', 'request', 'create', 'fraud/3', '--stage', 'Staging');
    const early = await run('alice', 'request', 'apply', String(id));
    expect([early.code, early.err]).toEqual([5, expect.stringContaining('approval')]);
    expect(await ok('bob', 'request', 'approve', String(id))).toContain('open still');
    expect(await ok('alice', 'request', 'show', String(id))).toContain('The policies would let it happen now.');
    expect(await ok('alice', 'request', 'apply', String(id))).toBe(`Carried out request ${id}.\n`);
  });

  it('bring back what stood there, as the policy lets a role', async () => {
    const { id } = await json('alice', 'request', 'create', 'fraud/3', '--stage', 'Production', '--archive-existing');
    await ok('bob', 'request', 'approve', String(id));
    await ok('carol', 'request', 'approve', String(id));
    const reason = ['--reason', 'payments are refused'];
    expect((await run('alice', 'version', 'rollback', 'fraud/1', 'stage:Production', ...reason)).code).toBe(3);
    expect(await ok('bob', 'version', 'rollback', 'fraud/1', 'stage:Production', ...reason)).toBe('fraud/1 is back in stage:Production.\n');
    const [newest] = (await json('alice', 'version', 'decisions', 'fraud/1')).decisions;
    expect(newest).toMatchObject({ admission: 'rollback', target: 'stage:Production', by: { name: 'bob' } });
  });

  once('withdraw one with a second person', async () => {
    expect((await run('root', 'policy', 'withdraw', 'fraud-champion')).code).toBe(2);
    const refused = await run('root', 'policy', 'withdraw', 'fraud-champion', '--yes');
    const [, id = ''] = /Request (\d+) was opened/.exec(refused.err) ?? [];
    expect(refused.code).toBe(3);
    await ok('second', 'request', 'approve', id);
    expect(await ok('root', 'policy', 'withdraw', 'fraud-champion', '--yes')).toBe("Withdrew the policy 'fraud-champion'.\n");
    expect(await ok('root', 'policy', 'history', 'fraud-champion')).toMatch(/[0-9a-f]{64} +observe +.* +root +.*ago\n$/);
    expect((await run('root', 'policy', 'history', 'nothing')).code).toBe(4);
  });

  once.each([
    [['request', 'create', 'fraud/1'], 2, 'exactly one of'],
    [['request', 'create', 'fraud', '--stage', 'Staging'], 2, 'Name the version'],
    [['request', 'create', 'fraud/9', '--stage', 'Staging'], 4, 'not found'],
    [['request', 'show', '987654'], 4, 'no request 987654'],
    [['request', 'watch', '1', '--timeout', 'soon'], 2, '--timeout must be'],
    [['policy', 'apply', '--prune', '--yes'], 2, '--prune needs'],
    [['policy', 'plan', 'policies', '--withdraw', 'fraud-staging'], 2, 'in a file and in --withdraw'],
    [['policy', 'apply', 'policies', '--listed-digest', 'other=none'], 2, 'which no file holds'],
    [['policy', 'plan', '--withdraw', 'absent'], 4, "'absent'"],
    [['policy', 'list', '--as-of', 'yesterday'], 2, 'as_of'],
  ])('%j ends with %i and says why', async (args, code, words) => {
    const ended = await run('root', ...args);
    expect([ended.code, ended.out, ended.err]).toEqual([code, '', expect.stringContaining(words)]);
  });
});
