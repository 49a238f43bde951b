import { describe, expect, it } from 'vitest';
import { checkKindOfIssuer, checkTrustClaims, checkTrustScopes, jobNameOf, mismatchOf, type TrustClaims } from './ci-trust-rules.ts';

const GITHUB: TrustClaims = {
  repository_id: '456789',
  repository_owner_id: '123456',
  workflow_ref: '.github/workflows/release.yml',
  ref: 'refs/heads/main',
};
const JOB = {
  repository: 'octo/churn',
  repository_id: '456789',
  repository_owner_id: '123456',
  workflow_ref: 'octo/churn/.github/workflows/release.yml@refs/heads/main',
  job_workflow_ref: 'octo/shared/.github/workflows/validate.yml@refs/tags/v1',
  ref: 'refs/heads/main',
  run_id: '8100',
};

const without = (...names: string[]): TrustClaims => Object.fromEntries(Object.entries(GITHUB).filter(([name]) => !names.includes(name)));

describe('a trust', () => {
  it.each([
    ['sub', { ...GITHUB, sub: 'repo:octo/churn:ref:refs/heads/main' }, "can't go by sub"],
    ['a name of the repository', { ...GITHUB, repository: 'octo/churn' }, "can't go by repository"],
    ['a name of the owner', { ...GITHUB, repository_owner: 'octo' }, "can't go by repository_owner"],
    ['a person', { ...GITHUB, actor: 'monalisa' }, "can't go by actor"],
    ['no repository', without('repository_id'), 'needs repository_id, a number'],
    ['a name in place of a number', { ...GITHUB, repository_id: 'octo/churn' }, 'needs repository_id, a number'],
    ['no owner', without('repository_owner_id'), 'needs repository_owner_id'],
    ['no workflow', without('workflow_ref'), 'needs workflow_ref or job_workflow_ref'],
    ['no branch and no environment', without('ref'), 'needs ref, environment or both'],
    ['a short ref', { ...GITHUB, ref: 'main' }, 'written in full'],
    ['what is looked at anyway', { ...GITHUB, iss: 'x' }, 'looked at in any case'],
    ['an empty value', { ...GITHUB, environment: '' }, 'needs an exact value'],
    ['a claim that is none', { ...GITHUB, 'a b': 'x' }, 'no name of a claim'],
  ])('that goes by %s is refused with a sentence', (_what, claims, sentence) => {
    expect(() => checkTrustClaims('github', claims)).toThrow(sentence);
  });

  it('of another system names two exact claims, and none of them a name', () => {
    expect(() => checkTrustClaims('custom', { build: '1' })).toThrow('at least two claims');
    expect(() => checkTrustClaims('custom', { build: '1', sub: 'job/release' })).toThrow("can't go by sub");
    expect(checkTrustClaims('custom', { project_id: '1', branch: 'main' })).toEqual({ project_id: '1', branch: 'main' });
  });

  it('on GitLab means a branch, where it says no type of its ref', () => {
    const claims = { project_id: '20', namespace_id: '72', ci_config_ref_uri: '.gitlab-ci.yml', ref: 'main' };
    expect(checkTrustClaims('gitlab', claims)).toEqual({ ...claims, ref_type: 'branch' });
    expect(checkTrustClaims('gitlab', { ...claims, ref_type: 'tag' }).ref_type).toBe('tag');
  });

  it('of a service that is everybody’s goes by the numbers that its kind asks for', () => {
    for (const [kind, issuer] of [
      ['custom', 'https://token.actions.githubusercontent.com'],
      ['custom', 'https://gitlab.com'],
      ['gitlab', 'https://token.actions.githubusercontent.com'],
    ] as const)
      expect(() => checkKindOfIssuer(kind, issuer)).toThrow(/Jobs of everybody come from/);
    expect(() => checkKindOfIssuer('custom', 'https://jenkins.example')).not.toThrow();
    expect(() => checkKindOfIssuer('gitlab', 'https://gitlab.example')).not.toThrow();
    expect(() => checkKindOfIssuer('github', 'https://token.actions.githubusercontent.com')).not.toThrow();
  });

  it('gives no job the right to administer', () => {
    expect(() => checkTrustScopes(['read', 'admin'])).toThrow("can't be given the scope 'admin'");
    expect(() => checkTrustScopes(['run:abc'])).toThrow("can't be given");
    checkTrustScopes(['read', 'write', 'check:bias', 'versions:create', 'requests:create', 'deployments:write']);
  });
});

describe('a job', () => {
  const mismatch = (claims: TrustClaims, job: object) => mismatchOf({ kind: 'github', claims }, job as Readonly<Record<string, unknown>>);

  it.each([
    ['a fork', { repository_id: '999', repository: 'mallory/churn' }, 'repository_id'],
    ['a name that was registered again', { repository_id: '999999' }, 'repository_id'],
    ['an owner that was registered again', { repository_owner_id: '1' }, 'repository_owner_id'],
    ['another branch', { ref: 'refs/heads/feature' }, 'ref'],
    ['a tag of the same name', { ref: 'refs/tags/main' }, 'ref'],
    ['another workflow', { workflow_ref: 'octo/churn/.github/workflows/other.yml@refs/heads/main' }, 'workflow_ref'],
    ['a workflow of another repository', { workflow_ref: 'mallory/x/.github/workflows/release.yml@refs/heads/main' }, 'workflow_ref'],
    ['a file named as if it were ours', { workflow_ref: 'octo/churn/.github/workflows/release.yml@x.yml@refs/heads/main' }, 'workflow_ref'],
    [
      'a branch named as if it were ours',
      { workflow_ref: 'octo/churn/.github/workflows/evil.yml@refs/heads/release.yml@refs/heads/main' },
      'workflow_ref',
    ],
    ['no ref behind the file', { workflow_ref: 'octo/churn/.github/workflows/release.yml@' }, 'workflow_ref'],
    ['no workflow', { workflow_ref: undefined }, 'workflow_ref'],
    ['a list in place of a text', { repository_id: ['456789'] }, 'repository_id'],
  ])('from %s is none of the trust', (_what, change, claim) => {
    expect(mismatch(GITHUB, { ...JOB, ...change })).toBe(claim);
  });

  it('is the trust’s after its repository was renamed, and by number or text', () => {
    const renamed = { repository: 'octo/retention', workflow_ref: 'octo/retention/.github/workflows/release.yml@refs/heads/main' };
    expect(mismatch(GITHUB, { ...JOB, ...renamed })).toBeUndefined();
    expect(mismatch(GITHUB, { ...JOB, repository_id: 456789 })).toBeUndefined();
  });

  it('may be held to the exact ref of a reusable workflow', () => {
    const exact = { ...without('workflow_ref'), job_workflow_ref: 'octo/shared/.github/workflows/validate.yml@refs/tags/v1' };
    expect(mismatch(exact, JOB)).toBeUndefined();
    expect(mismatch(exact, { ...JOB, job_workflow_ref: 'octo/shared/.github/workflows/validate.yml@refs/heads/main' })).toBe(
      'job_workflow_ref',
    );
    const anyRef = { ...exact, job_workflow_ref: 'octo/shared/.github/workflows/validate.yml' };
    expect(mismatch(anyRef, JOB)).toBeUndefined();
    expect(mismatch({ ...exact, job_workflow_ref: '.github/workflows/validate.yml' }, JOB)).toBe('job_workflow_ref');
  });

  it('is called by repository, workflow and run', () => {
    expect(jobNameOf({ kind: 'github', name: 'x' }, JOB)).toBe('ci:github:octo/churn@release.yml#8100');
    expect(jobNameOf({ kind: 'custom', name: 'jenkins' }, { build_number: 7 })).toBe('ci:jenkins#7');
    expect(jobNameOf({ kind: 'github', name: 'x' }, { repository: `a\n${'b'.repeat(500)}` })).toHaveLength(180);
  });
});
