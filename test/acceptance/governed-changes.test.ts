/** What governance says no to, and why; what it lets through, and what is known of it then. Over HTTP, in the dialects that clients speak. */
import * as accounts from '@countersign/server/features/accounts/accounts.ts';
import * as requests from '@countersign/server/features/requests/requests.ts';
import { getWorkspace } from '@countersign/server/features/workspaces/workspaces.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, grant } from '../support/app.ts';
import { type CiIssuer, githubClaims, startCiIssuer } from '../support/ci-issuer.ts';
import { onBothDatabases } from '../support/databases.ts';
import { type Office, openOffice } from '../support/governed-office.ts';
import type { Answer } from '../support/server.ts';

const DAY_MS = 86_400_000;
const MLFLOW = '/api/2.0/mlflow';

interface PolicyWish {
  readonly mode?: string;
  readonly target?: string;
  readonly more?: string;
  readonly requirements?: string;
}

/** A policy on models with a prefix of its own, so that the tests leave each other alone. */
function policy(
  name: string,
  { mode = 'enforce', target = '{ stage: Production }', more = '', requirements = '' }: PolicyWish = {},
): string {
  const asked = requirements || 'approvals: [{ group: risk }]';
  return `name: ${name}\nmode: ${mode}\nmatch: { model: "${name}.*", target: ${target} }\nrequirements: { ${asked} }\n${more}\n`;
}

const POLICIES = [
  policy('two', { requirements: 'approvals: [{ group: risk, count: 2 }]', more: 'expiry: { request: 7d }' }),
  policy('asked', { more: 'on_refused: open_request' }),
  policy('watched', { mode: 'observe' }),
  policy('warned', { mode: 'warn' }),
  policy('byhand', { more: 'apply: manual' }),
  policy('serving', { more: 'rollback: { within_days: 30, roles: [{ group: on-call }] }' }),
  policy('changing'),
  policy('checked', { requirements: 'approvals: [{ group: risk }], checks: [{ name: ci/tests }]' }),
  policy('urgent', { more: 'break_glass: { permission: break-glass, minutes: 60 }' }),
  policy('entered', {
    target: '{ entry: true }',
    requirements:
      "approvals: [{ group: risk }], checks: [{ name: ci/tests }], metrics: [{ name: accuracy, op: '>=', value: 0.9 }, { name: accuracy, op: '>=', current: {} }]",
    more: 'on_refused: open_request',
  }),
];

onBothDatabases('governed changes', (databaseUrl) => {
  let office: Office;
  let issuer: CiIssuer;
  beforeAll(async () => {
    office = await openOffice(
      await databaseUrl(),
      {
        alice: { level: 'USE', groups: ['risk'] },
        bob: { level: 'READ', groups: ['risk'] },
        carol: { level: 'READ', groups: ['risk'] },
        eve: { level: 'MANAGE' },
        dave: { level: 'READ' },
        olga: { level: 'READ', groups: ['on-call'] },
      },
      { ci: { owner: 'root', scopes: ['read', 'check:ci/tests'] }, robot: { owner: 'bob', scopes: ['read', 'write'] } },
    );
    issuer = await startCiIssuer();
    await office.publish(...POLICIES);
  });
  afterAll(async () => {
    await issuer.close();
    await office.close();
  });

  const move = (who: string, name: string, version: number, stage = 'Production', archive = true): Promise<Answer> =>
    office.as(who, 'POST', `${MLFLOW}/model-versions/transition-stage`, {
      name,
      version: String(version),
      stage,
      archive_existing_versions: archive,
    });
  const open = async (
    who: string,
    name: string,
    version: number,
    target: object = { kind: 'stage', stage: 'Production' },
  ): Promise<number> =>
    (await office.must(who, 'POST', `/api/v1/models/${name}/versions/${version}/requests`, { target, comment: 'please' })).id;
  const answer = (who: string, request: number, how = 'approve', body: object = {}): Promise<Answer> =>
    office.as(who, 'POST', `/api/v1/requests/${request}/${how}`, body);
  const stage = async (name: string, version: number): Promise<string> =>
    (await office.must('root', 'GET', `/api/v1/models/${name}/versions/${version}`)).stage;
  const stale = async (request: number): Promise<[string, string][]> =>
    (await office.must('root', 'GET', `/api/v1/requests/${request}/evaluation`)).decisions.flatMap(
      (each: { stale_approvals: { by: { name: string }; reason: string }[] }) =>
        each.stale_approvals.map(({ by, reason }): [string, string] => [by.name, reason]),
    );
  const decisions = async (name: string, version: number): Promise<[string, string, boolean][]> =>
    (await office.must('root', 'GET', `/api/v1/models/${name}/versions/${version}/decisions`)).decisions.map(
      (each: { target: string; admission: string; policies: { is_satisfied: boolean }[] }) => [
        each.target,
        each.admission,
        each.policies.every(({ is_satisfied }) => is_satisfied),
      ],
    );

  describe('an approval', () => {
    it('is of the evidence that was seen: renewed, it is stale, and given again it counts', async () => {
      const version = await office.register('alice', 'two.evidence', { metrics: { accuracy: 0.9 } });
      const request = await open('alice', 'two.evidence', version);
      expect((await answer('bob', request)).body.state).toBe('open');
      const { run_id } = await office.must('root', 'GET', `/api/v1/models/two.evidence/versions/${version}`);
      await office.must('alice', 'POST', `${MLFLOW}/runs/log-metric`, { run_id, key: 'accuracy', value: 0.5, timestamp: 2 });
      expect(await stale(request)).toEqual([]);
      await office.must('alice', 'POST', `/api/v1/models/two.evidence/versions/${version}/evidence/renew`);
      expect(await stale(request)).toEqual([['bob', 'evidence-changed']]);
      expect((await answer('carol', request)).body.state).toBe('open');
      expect((await answer('bob', request)).body.state).toBe('approved');
      expect(await stage('two.evidence', version)).toBe('Production');
    });

    it('is under the policy of that day: another one in force, and it is stale', async () => {
      const version = await office.register('alice', 'changing.policy');
      const request = await open('alice', 'changing.policy', version);
      await office.publish(policy('changing', { requirements: 'approvals: [{ group: risk, count: 2 }]' }));
      await answer('bob', request);
      await office.publish(policy('changing', { requirements: 'approvals: [{ group: risk, count: 2 }], description: true' }));
      expect(await stale(request)).toEqual([['bob', 'policy-changed']]);
      const refused = await move('eve', 'changing.policy', version);
      expect(refused).toMatchObject({ status: 403, body: { error_code: 'PERMISSION_DENIED' } });
      expect(refused.body.message).toContain("it was given under another policy than 'changing' is now");
      expect(refused.body.message).toContain('no description');
    });

    it('is nobody’s own: not of who asks, not of who made the version, not of whom no policy names', async () => {
      const version = await office.register('alice', 'two.own');
      const own = await open('alice', 'two.own', version);
      expect(await answer('alice', own)).toMatchObject({
        status: 403,
        body: { message: expect.stringMatching(/^The approval of 'alice' would not count: alice is the requester/) },
      });
      await answer('alice', own, 'cancel');
      const others = await open('carol', 'two.own', version);
      expect((await answer('alice', others)).body.message).toMatch(/would not count: alice is who made the version/);
      expect((await answer('carol', others)).body.message).toMatch(/would not count: carol is the requester/);
      for (const who of ['eve', 'root']) {
        const refused = await answer(who, others);
        expect([refused.status, refused.body.message]).toEqual([403, expect.stringContaining(`'${who}' would not count`)]);
      }
      expect((await office.must('root', 'GET', `/api/v1/requests/${others}`)).approvals).toEqual([]);
    });

    it('is a person’s once, through whatever account; and none of whoever the requester let in', async () => {
      const version = await office.register('alice', 'two.persons');
      const request = await open('eve', 'two.persons', version);
      expect((await answer('bob', request)).body.state).toBe('open');
      expect((await answer('robot', request)).body.state).toBe('open');
      const { body } = await move('eve', 'two.persons', version);
      expect(body.message).toContain('1 of 2 approvals');
      const member = () => office.as('root', 'PUT', '/api/v1/groups/risk/members/dave', {});
      await answer('second', Number(/Request (\d+) was opened/.exec((await member()).body.message)?.[1]));
      expect((await member()).status).toBe(200);
      const byRoot = await open('root', 'two.persons', version);
      const let_in = await answer('dave', byRoot);
      expect([let_in.status, let_in.body.message]).toEqual([
        403,
        expect.stringContaining('the requester changed the credentials or groups of dave'),
      ]);
      await answer('root', byRoot, 'cancel');
      expect((await answer('dave', request)).body.state).toBe('approved');
    });

    it('before the version is sealed is of no bytes', async () => {
      const version = await office.register('alice', 'two.unsealed', { text: null });
      const request = await open('alice', 'two.unsealed', version);
      const early = await answer('bob', request);
      expect([early.status, early.body.message]).toEqual([403, expect.stringContaining('before the version was sealed')]);
      const refused = await move('eve', 'two.unsealed', version);
      expect(refused.body.message).toContain('not sealed');
    });

    it('is never given by a job of CI', async () => {
      const trust = { name: 'release', kind: 'github', issuer: issuer.issuer, audience: 'registry', scopes: ['read', 'write'] };
      const claims = {
        repository_id: '456789',
        repository_owner_id: '123456',
        workflow_ref: '.github/workflows/release.yml',
        ref: 'refs/heads/main',
      };
      const added = await office.as('root', 'POST', '/api/v1/ci-trusts', { ...trust, claims });
      expect(added.status, JSON.stringify(added.body)).toBe(403);
      await answer('second', Number(/Request (\d+)/.exec(added.body.message)?.[1]));
      await office.must('root', 'POST', '/api/v1/ci-trusts', { ...trust, claims });
      const account = await accounts.getByName(office.app.ctx, 'ci:release');
      await grant(office.app.ctx, { accountId: account.id }, { kind: 'workspace' }, 'MANAGE');
      const signed = await issuer.sign(githubClaims('registry', Date.now()));
      const exchanged = await ask(office.app, 'POST', '/api/v1/ci/token', { body: { token: signed } });
      expect(exchanged.status, JSON.stringify(exchanged.body)).toBe(200);
      const version = await office.register('alice', 'two.ci');
      const request = await open('alice', 'two.ci', version);
      const approved = await ask(office.app, 'POST', `/api/v1/requests/${request}/approve`, { as: exchanged.body.access_token, body: {} });
      expect([approved.status, approved.body.message]).toEqual([403, expect.stringContaining('is a CI identity, which never approves')]);
      expect((await office.must('root', 'GET', `/api/v1/requests/${request}`)).approvals).toEqual([]);
    });
  });

  describe('a request', () => {
    it('that is rejected or taken back is closed with its approvals, and another one begins anew', async () => {
      const version = await office.register('alice', 'two.closed');
      const first = await open('alice', 'two.closed', version);
      await answer('bob', first);
      const rejected = await answer('carol', first, 'reject', { comment: 'Not in December.' });
      expect(rejected.body).toMatchObject({ state: 'rejected', closed_by: { name: 'carol' }, closing_comment: 'Not in December.' });
      expect(await answer('bob', first)).toMatchObject({ status: 400, body: { error_code: 'INVALID_STATE' } });
      const second = await open('alice', 'two.closed', version);
      expect((await answer('carol', second)).body.state).toBe('open');
      expect((await answer('bob', second, 'cancel')).status).toBe(403);
      expect((await answer('alice', second, 'cancel', { comment: 'Later.' })).body).toMatchObject({ state: 'cancelled' });
      expect((await move('eve', 'two.closed', version)).body.message).toContain('0 of 2 approvals');
      expect(await stage('two.closed', version)).toBe('None');
    });

    it('expires, with its approvals', async () => {
      const version = await office.register('alice', 'two.expiring');
      const request = await open('alice', 'two.expiring', version);
      await answer('bob', request);
      const later = { ...office.app.ctx.clock, now: () => Date.now() + 6 * DAY_MS };
      await requests.sweep({ ...office.app.ctx, clock: later });
      expect((await office.must('alice', 'GET', `/api/v1/requests/${request}`)).state).toBe('open');
      await requests.sweep({ ...office.app.ctx, clock: { ...later, now: () => Date.now() + 8 * DAY_MS } });
      expect((await office.must('alice', 'GET', `/api/v1/requests/${request}`)).state).toBe('expired');
      expect(await answer('carol', request)).toMatchObject({ status: 400, body: { error_code: 'INVALID_STATE' } });
    });

    it('is of one requester once; another one’s is answered with it', async () => {
      const version = await office.register('alice', 'asked.twice');
      const first = await open('alice', 'asked.twice', version);
      const again = await office.as('alice', 'POST', `/api/v1/models/asked.twice/versions/${version}/requests`, {
        target: { kind: 'stage', stage: 'production' },
      });
      expect(again.body).toMatchObject({ error_code: 'RESOURCE_ALREADY_EXISTS', message: expect.stringContaining(`request ${first}`) });
      const second = await open('eve', 'asked.twice', version);
      expect((await answer('bob', first)).body.state).toBe('approved');
      expect((await office.must('eve', 'GET', `/api/v1/requests/${second}`)).state).toBe('approved');
    });

    it('goes with its version', async () => {
      const version = await office.register('alice', 'two.deleted');
      const request = await open('alice', 'two.deleted', version);
      await office.must('alice', 'DELETE', `/api/v1/models/two.deleted/versions/${version}`);
      expect((await office.must('alice', 'GET', `/api/v1/requests/${request}`)).state).toBe('cancelled');
    });
  });

  describe('a policy', () => {
    it.each(['watched', 'warned'])('that is only %s lets through, and what was missing is known', async (name) => {
      const version = await office.register('alice', `${name}.model`);
      const moved = await move('eve', `${name}.model`, version);
      const told = name === 'warned' ? expect.stringContaining("Policy 'warned' only warns") : null;
      expect([moved.status, moved.headers.get('countersign-warning')]).toEqual([200, told]);
      const asked = await office.as('eve', 'GET', `/api/v1/models/${name}.model/versions/${version}/explain?target=stage:Production`);
      expect([asked.body.is_allowed, asked.headers.get('countersign-warning')]).toEqual([true, null]);
      expect(await decisions(`${name}.model`, version)).toEqual([['stage:Production', 'ungoverned', false]]);
    });

    it('that only warns does so whatever the way of the change', async () => {
      const name = 'warned.ways';
      const wish = { name, stage: 'Production', archive_existing_versions: false, comment: '' };
      const ways: Readonly<Record<string, (version: number) => Promise<Answer>>> = {
        'the native API': (version) => office.as('eve', 'PUT', `/api/v1/models/${name}/versions/${version}/stage`, { stage: 'Production' }),
        'a request that is approved': async (version) => answer('eve', await open('alice', name, version)),
        'a request that is applied': async (version) => answer('eve', await open('alice', name, version), 'apply'),
        Databricks: (version) =>
          office.as('eve', 'POST', '/api/2.0/mlflow/databricks/model-versions/transition-stage', { ...wish, version: String(version) }),
        'a request of Databricks': async (version) => {
          const asked = { ...wish, version: String(version) };
          await office.must('alice', 'POST', '/api/2.0/mlflow/transition-requests/create', asked);
          return office.as('eve', 'POST', '/api/2.0/mlflow/transition-requests/approve', asked);
        },
      };
      for (const [way, take] of Object.entries(ways)) {
        const version = await office.register('alice', name);
        const done = await take(version);
        expect([way, done.status, done.headers.get('countersign-warning'), await stage(name, version)]).toEqual([
          way,
          200,
          expect.stringContaining("Policy 'warned' only warns"),
          'Production',
        ]);
      }
    });

    it('that wants to be applied by hand waits for it, and lets the plain call do it, archiving what stood there', async () => {
      const [first, second] = [await office.register('alice', 'byhand.model'), await office.register('alice', 'byhand.model')];
      for (const version of [first, second]) {
        const request = await open('alice', 'byhand.model', version);
        expect((await answer('bob', request)).body.state).toBe('open');
        expect(await stage('byhand.model', version)).toBe('None');
        expect((await move('alice', 'byhand.model', version)).status).toBe(200);
        expect((await office.must('alice', 'GET', `/api/v1/requests/${request}`)).state).toBe('approved');
      }
      expect([await stage('byhand.model', first), await stage('byhand.model', second)]).toEqual(['Archived', 'Production']);
    });

    it('that waits for a check archives what the approvers said', async () => {
      const [first, second] = [await office.register('alice', 'checked.model'), await office.register('alice', 'checked.model')];
      const body = { name: 'checked.model', stage: 'Production', archive_existing_versions: true };
      for (const version of [first, second]) {
        const asked = { ...body, version: String(version) };
        await office.must('alice', 'POST', `${MLFLOW}/transition-requests/create`, asked);
        await office.must('bob', 'POST', `${MLFLOW}/transition-requests/approve`, asked);
        expect(await stage('checked.model', version)).toBe('None');
        await office.must('ci', 'POST', `/api/v1/models/checked.model/versions/${version}/checks`, {
          ...{ name: 'ci/tests', external_id: `job-${version}`, status: 'completed', conclusion: 'success' },
        });
      }
      expect([await stage('checked.model', first), await stage('checked.model', second)]).toEqual(['Archived', 'Production']);
    });

    it('holds what is in its place: not moved out, not deleted, its model not renamed away', async () => {
      const version = await office.register('alice', 'asked.held');
      await answer('bob', await open('alice', 'asked.held', version));
      expect(await stage('asked.held', version)).toBe('Production');
      const body = { name: 'asked.held', version: String(version) };
      const ways = [
        () => move('alice', 'asked.held', version, 'Archived', false),
        () => office.as('alice', 'DELETE', `${MLFLOW}/model-versions/delete`, body),
        () => office.as('alice', 'DELETE', `${MLFLOW}/registered-models/delete`, { name: 'asked.held' }),
        () => office.as('root', 'POST', `${MLFLOW}/registered-models/rename`, { name: 'asked.held', new_name: 'free.held' }),
        () => office.as('root', 'POST', `${MLFLOW}/registered-models/alias`, { name: 'asked.held', alias: 'production', version: '1' }),
      ];
      for (const way of ways) {
        const refused = await way();
        expect([refused.status, refused.body.message]).toEqual([403, expect.stringMatching(/Request \d+ was opened for it/)]);
      }
      expect(await stage('asked.held', version)).toBe('Production');
      // What leaves needs the approvals, and nothing else.
      const leaving = Number(/Request (\d+)/.exec((await move('alice', 'asked.held', version, 'Archived', false)).body.message)?.[1]);
      expect((await answer('bob', leaving)).body.state).toBe('approved');
      expect(await stage('asked.held', version)).toBe('Archived');
    });

    it('lets back what it let in before, by the role that it names, with a reason', async () => {
      const [good, bad, never] = [
        await office.register('alice', 'serving.model'),
        await office.register('alice', 'serving.model'),
        await office.register('alice', 'serving.model'),
      ];
      for (const version of [good, bad]) {
        await office.must('alice', 'POST', `/api/v1/models/serving.model/versions/${version}/requests`, {
          target: { kind: 'stage', stage: 'Production' },
          archive_existing: true,
        });
        const { requests: waiting } = await office.must('bob', 'GET', '/api/v1/requests?state=open&model=serving.model');
        expect((await answer('bob', waiting[0].id)).body.state).toBe('approved');
      }
      const back = (who: string, version: number, reason = 'It answers wrong.') =>
        office.as(who, 'POST', `/api/v1/models/serving.model/versions/${version}/rollback`, { target: 'stage:Production', reason });
      expect(await back('eve', good)).toMatchObject({ status: 403, body: { message: expect.stringContaining('eve is not in a role') } });
      expect((await back('olga', never)).body.message).toContain('were not there in the last 30 days');
      expect((await back('olga', good, ' ')).status).toBe(400);
      expect((await back('olga', good)).status).toBe(200);
      expect([await stage('serving.model', good), await stage('serving.model', bad)]).toEqual(['Production', 'Archived']);
      expect((await decisions('serving.model', good))[0]).toEqual(['stage:Production', 'rollback', true]);
      // What is there by a rollback is no reason for another one.
      expect((await back('olga', bad)).status).toBe(200);
      expect(await office.must('root', 'GET', '/api/v1/events/verification')).toMatchObject({ ok: true });
    });
  });

  describe('an emergency', () => {
    it('goes past a policy once, by whoever may break the glass, and not again before somebody else has looked', async () => {
      const [version, next] = [await office.register('alice', 'urgent.model'), await office.register('alice', 'urgent.model')];
      const held = `/api/v1/named-permissions/break-glass/holders/user/eve`;
      const given = await office.as('root', 'PUT', held, {});
      await answer('second', Number(/Request (\d+) was opened/.exec(given.body.message)?.[1]));
      await office.must('root', 'PUT', held, {});
      const glass = { policy: 'urgent', reason: 'It declines every card.', ticket: 'https://tickets.example/77' };
      expect((await office.as('root', 'POST', '/api/v1/break-glass', glass)).status).toBe(403);
      expect((await move('eve', 'urgent.model', version)).status).toBe(403);
      const { id } = await office.must('eve', 'POST', '/api/v1/break-glass', glass);
      expect((await move('alice', 'urgent.model', version)).status).toBe(403);
      expect((await move('eve', 'urgent.model', version)).status).toBe(200);
      expect(await decisions('urgent.model', version)).toEqual([['stage:Production', 'break-glass', false]]);
      expect((await move('eve', 'urgent.model', next)).status).toBe(403);
      // It opens again, and lets nobody past yet.
      await office.must('eve', 'POST', '/api/v1/break-glass', glass);
      const unreviewed = await move('eve', 'urgent.model', next);
      expect([unreviewed.status, unreviewed.body.message]).toEqual([403, expect.stringContaining('review')]);
      expect((await office.as('eve', 'POST', `/api/v1/break-glass/${id}/review`, { note: 'Fine.' })).status).toBe(403);
      await office.must('root', 'POST', `/api/v1/break-glass/${id}/review`, { note: 'The ticket says the same.' });
      expect((await move('eve', 'urgent.model', next)).status).toBe(200);
    });

    it('keeps known-bad bytes out, whatever was approved', async () => {
      const version = await office.register('alice', 'two.blocked');
      const request = await open('alice', 'two.blocked', version);
      await answer('bob', request);
      const block = { model: 'two.blocked', version, reason: 'It learnt from what it should not have seen.' };
      const { digest } = await office.must('root', 'POST', '/api/v1/blocks', block);
      expect((await answer('carol', request)).body.state).toBe('open');
      const refused = await move('root', 'two.blocked', version);
      expect([refused.status, refused.body.message]).toEqual([403, expect.stringContaining('blocked')]);
      const lift = () => office.as('root', 'POST', `/api/v1/blocks/${digest}/lift`, { reason: 'It did not.' });
      const lifted = await lift();
      expect(lifted.status, JSON.stringify(lifted.body)).toBe(403);
      await answer('second', Number(/Request (\d+) was opened/.exec(lifted.body.message)?.[1]));
      expect((await lift()).status).toBe(200);
      expect((await move('root', 'two.blocked', version)).status).toBe(200);
      expect(await stage('two.blocked', version)).toBe('Production');
    });
  });

  describe('entry into a model', () => {
    const copy = (who: string, from: string): Promise<Answer> =>
      office.as(who, 'POST', `${MLFLOW}/model-versions/create`, { name: 'entered.model', source: `models:/${from}` });
    const requestIn = ({ body }: Answer): number => Number(/Request (\d+) was opened/.exec(body.message)?.[1]);
    const missing = async (request: number): Promise<string[]> =>
      (await office.must('root', 'GET', `/api/v1/requests/${request}/evaluation`)).decisions.flatMap(
        (each: { missing: { requirement: string }[] }) => each.missing.map(({ requirement }) => requirement),
      );

    it('is of the numbers and the checks of what is copied, for the same bytes', async () => {
      const version = await office.register('alice', 'dev.model', { metrics: { accuracy: 0.95 } });
      await office.must('alice', 'POST', `${MLFLOW}/registered-models/create`, { name: 'entered.model' });
      const request = requestIn(await copy('alice', `dev.model/${version}`));
      expect(await missing(request)).toEqual(['checks', 'approvals']);
      const green = { name: 'ci/tests', external_id: '1', status: 'completed', conclusion: 'success' };
      // Managing dev.model entitles nobody to report for another one.
      await office.must('root', 'POST', `/api/v1/models/dev.model/versions/${version}/checks`, green);
      expect(await missing(request)).toEqual(['checks', 'approvals']);
      await office.must('ci', 'POST', `/api/v1/models/dev.model/versions/${version}/checks`, green);
      expect(await missing(request)).toEqual(['approvals']);
      expect((await answer('bob', request)).body.state).toBe('approved');
      const entered = await copy('alice', `dev.model/${version}`);
      expect(entered.body.model_version).toMatchObject({ name: 'entered.model', version: '1' });
      const worse = await office.register('alice', 'dev.model', { metrics: { accuracy: 0.8 } });
      expect(await missing(requestIn(await copy('alice', `dev.model/${worse}`)))).toEqual(['checks', 'metrics', 'metrics', 'approvals']);
    });

    it('that was rejected is asked for anew', async () => {
      const version = await office.register('alice', 'dev.other', { metrics: { accuracy: 0.95 } });
      const first = requestIn(await copy('alice', `dev.other/${version}`));
      expect((await answer('bob', first, 'reject')).body.state).toBe('rejected');
      const second = requestIn(await copy('alice', `dev.other/${version}`));
      expect(second).toBeGreaterThan(first);
    });
  });

  describe('another workspace', () => {
    const inside = (who: string, method: string, path: string, body?: unknown): Promise<Answer> =>
      ask(office.app, method, path, { as: office.tokens[who], headers: { 'x-mlflow-workspace': 'lab' }, body });

    it('has policies, requests and governed settings of its own', async () => {
      await office.must('root', 'POST', '/api/v1/workspaces', { name: 'lab' });
      const lab = await getWorkspace(office.app.ctx, 'lab');
      for (const [who, level] of [
        ['alice', 'USE'],
        ['bob', 'READ'],
      ] as const) {
        const account = await accounts.getByName(office.app.ctx, who);
        await grant({ ...office.app.ctx, workspace: lab }, { accountId: account.id }, { kind: 'workspace' }, level);
      }
      const make = { name: 'two.model' };
      expect((await inside('alice', 'POST', `${MLFLOW}/registered-models/create`, make)).status).toBe(200);
      await inside('alice', 'POST', `${MLFLOW}/model-versions/create`, { ...make, source: 's3://bucket/model' });
      const body = { ...make, version: '1', stage: 'Production' };
      const moveInside = (to: string) => inside('alice', 'POST', `${MLFLOW}/model-versions/transition-stage`, { ...body, stage: to });
      // The policies of the default workspace are not about it.
      expect((await moveInside('Production')).status).toBe(200);
      const text = policy('two', { requirements: 'sealed: false, approvals: [{ group: risk }]', more: 'on_refused: open_request' });
      const published = await inside('root', 'POST', '/api/v1/policies/apply', { policies: [{ text }] });
      expect(published.status, JSON.stringify(published.body)).toBe(200);
      const refused = await moveInside('None');
      expect(refused.status, JSON.stringify(refused.body)).toBe(403);
      const request = Number(/Request (\d+) was opened/.exec(refused.body.message)?.[1]);
      expect((await office.as('bob', 'GET', `/api/v1/requests/${request}`)).status).toBe(404);
      expect((await answer('bob', request)).status).toBe(404);
      expect((await inside('bob', 'POST', `/api/v1/requests/${request}/approve`, {})).body.state).toBe('approved');
      const withdrawn = await inside('root', 'DELETE', '/api/v1/policies/two');
      expect([withdrawn.status, withdrawn.body.message]).toEqual([403, expect.stringMatching(/Request \d+ was opened/)]);
    });
  });

  describe('a model that no policy is about', () => {
    it('is moved by approving, by whoever may move it, as on Databricks', async () => {
      const version = await office.register('alice', 'free.model');
      const body = { name: 'free.model', version: String(version), stage: 'Production' };
      const transition = (who: string, what: string, more: object = {}) =>
        office.as(who, 'POST', `${MLFLOW}/transition-requests/${what}`, { ...body, ...more });
      expect((await transition('bob', 'create', { comment: 'please' })).body.request).toMatchObject({
        to_stage: 'Production',
        user_id: 'bob',
      });
      expect((await transition('bob', 'approve', { archive_existing_versions: true })).status).toBe(403);
      expect((await transition('alice', 'approve', { archive_existing_versions: true })).body.activity).toMatchObject({
        activity_type: 'APPROVED_REQUEST',
        to_stage: 'Production',
      });
      expect(await stage('free.model', version)).toBe('Production');
      expect((await move('alice', 'free.model', version, 'Archived', false)).status).toBe(200);
      expect(await decisions('free.model', version)).toEqual([]);
    });
  });
});
