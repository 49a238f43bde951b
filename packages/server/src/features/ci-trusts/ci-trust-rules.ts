/**
 * Which jobs a trust means: by numbers that are given once, and by the file and the branch or environment that a job runs from. Never by `sub`,
 * whose form its issuer lets people choose, and never by names, which can be registered again by somebody else. Pure.
 */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid, type Problem } from '@countersign/contract/problem.ts';

export type TrustKind = 'github' | 'gitlab' | 'custom';
export type TrustClaims = Readonly<Record<string, string>>;

export const GITHUB_ISSUER = 'https://token.actions.githubusercontent.com';
export const GITLAB_ISSUER = 'https://gitlab.com';

/** Everybody's jobs come from the public services: there a trust without their numbers would let strangers in. INVALID_PARAMETER_VALUE. */
export function checkKindOfIssuer(kind: TrustKind, issuer: string): void {
  const wanted = issuer === GITHUB_ISSUER ? 'github' : issuer === GITLAB_ISSUER ? 'gitlab' : kind;
  if (kind === wanted) return;
  throw invalid(`Jobs of everybody come from ${issuer}. A trust of it is of kind '${wanted}', which asks for the numbers of the project.`);
}

/** Claims that say nothing about who runs, or that somebody else can come to have. */
const NAMES: ReadonlySet<string> = new Set(
  (
    'sub name preferred_username nickname email user_name user_login user_email user_path actor repository repository_owner workflow ' +
    'project_path namespace_path head_ref base_ref enterprise organization organization_slug pipeline_slug job_name'
  ).split(' '),
);
const OF_THE_TOKEN: ReadonlySet<string> = new Set(['iss', 'aud', 'exp', 'iat', 'nbf', 'jti', 'azp']);

const CLAIM_CHARACTERS_MAX = 100;
const VALUE_CHARACTERS_MAX = 1000;
const CLAIMS_MAX = 30;

interface Demand {
  readonly numbers: readonly string[];
  /** At least one of them. */
  readonly files: readonly string[];
}

const DEMANDS: Readonly<Record<Exclude<TrustKind, 'custom'>, Demand>> = {
  github: { numbers: ['repository_id', 'repository_owner_id'], files: ['workflow_ref', 'job_workflow_ref'] },
  gitlab: { numbers: ['project_id', 'namespace_id'], files: ['ci_config_ref_uri'] },
};
const PLACES = ['ref', 'environment'] as const;

/** The claims as they are kept. INVALID_PARAMETER_VALUE with a sentence for a trust that would let in more than it seems to. */
export function checkTrustClaims(kind: TrustKind, claims: TrustClaims): TrustClaims {
  const names = Object.keys(claims);
  if (names.length > CLAIMS_MAX) throw invalid(`A trust has at most ${CLAIMS_MAX} claims.`);
  for (const name of names) checkClaim(name, claims[name] ?? '');
  if (kind === 'custom') {
    if (names.length < 2) {
      throw invalid(
        "A trust of kind 'custom' needs at least two claims with exact values, as in --claim project_id=42 --claim branch=main.",
      );
    }
    return claims;
  }
  const demand = DEMANDS[kind];
  for (const name of demand.numbers) {
    if (!/^\d{1,20}$/.test(claims[name] ?? '')) {
      throw invalid(
        `A trust of kind '${kind}' needs ${name}, a number: names can be registered again by somebody else, numbers can't. Got '${clip(claims[name] ?? '')}'.`,
      );
    }
  }
  if (!demand.files.some((name) => claims[name])) {
    throw invalid(`A trust of kind '${kind}' needs ${demand.files.join(' or ')}: which file says what the job does.`);
  }
  if (!PLACES.some((name) => claims[name])) {
    throw invalid(`A trust of kind '${kind}' needs ref, environment or both: else whoever may push a branch gets in.`);
  }
  if (kind === 'github') for (const name of demand.files) checkWorkflow(name, claims[name]);
  if (kind === 'github' && claims.ref !== undefined && !claims.ref.startsWith('refs/')) {
    throw invalid(`GitHub's ref is written in full, as in refs/heads/main, got '${clip(claims.ref)}'.`);
  }
  // On GitLab a tag and a branch may have one name.
  return kind === 'gitlab' && claims.ref !== undefined && claims.ref_type === undefined ? { ...claims, ref_type: 'branch' } : claims;
}

/** What could never match would be found out by the first job only. */
function checkWorkflow(name: string, file: string | undefined): void {
  if (file === undefined || /^(?:[^/\s]+\/[^/\s]+\/)?\.github\/workflows\/[^/\s]+$/.test(file.replace(/@.*$/s, ''))) return;
  throw invalid(
    `${name} is written as .github/workflows/FILE, or OWNER/REPOSITORY/.github/workflows/FILE for another repository's, got '${clip(file)}'.`,
  );
}

function checkClaim(name: string, value: string): void {
  if (!/^[A-Za-z][\w.:/-]*$/.test(name) || name.length > CLAIM_CHARACTERS_MAX) throw invalid(`'${clip(name)}' is no name of a claim.`);
  if (value === '' || value.length > VALUE_CHARACTERS_MAX || /\p{Cc}/u.test(value)) {
    throw invalid(`The claim ${name} needs an exact value of 1 to ${VALUE_CHARACTERS_MAX} characters.`);
  }
  if (NAMES.has(name)) throw isName(name);
  if (OF_THE_TOKEN.has(name)) throw invalid(`The claim ${name} is looked at in any case. Leave it out.`);
}

function isName(name: string): Problem {
  const why =
    name === 'sub' ? 'its form is not fixed, and owners of repositories choose it' : 'somebody else can come to have the same name';
  return invalid(`A trust can't go by ${name}: ${why}. Use the numeric ids, the file and the ref or environment.`);
}

/** Scopes that a job may be given: never to administer. */
export function checkTrustScopes(scopes: readonly string[]): void {
  const wrong = scopes.find((scope) => scope === 'admin' || scope.startsWith('run:'));
  if (wrong === undefined) return;
  throw invalid(
    `A CI job can't be given the scope '${clip(wrong)}'. It takes: read, write, check:<name>, versions:create, requests:create, deployments:write.`,
  );
}

export type JobClaims = Readonly<Record<string, unknown>>;

/** The first claim that isn't as the trust has it; undefined where all are. */
export function mismatchOf(trust: { readonly kind: TrustKind; readonly claims: TrustClaims }, job: JobClaims): string | undefined {
  return Object.entries(trust.claims).find(([name, wanted]) => !matches(trust.kind, name, wanted, job))?.[0];
}

function matches(kind: TrustKind, name: string, wanted: string, job: JobClaims): boolean {
  const value = textOf(job, name);
  if (value === undefined) return false;
  if (value === wanted) return true;
  if (kind === 'github' && (name === 'workflow_ref' || name === 'job_workflow_ref')) return isWorkflow(name, value, wanted, job);
  if (kind === 'gitlab' && name === 'ci_config_ref_uri') return isPipelineFile(value, wanted, job);
  return false;
}

/**
 * `wanted` without `@`: the file whatever it was taken from, since ref or environment say that. A path that begins with a dot is a file of the
 * repository itself, whose number the trust holds, so that it may be renamed; a file elsewhere is named in full.
 */
function isWorkflow(name: string, value: string, wanted: string, job: JobClaims): boolean {
  if (wanted.includes('@')) return false;
  const file = withoutRef(value);
  if (file === undefined) return false;
  const repository = textOf(job, 'repository');
  const isOwn = name === 'workflow_ref' && wanted.startsWith('.github/') && repository !== undefined;
  return file === (isOwn ? `${repository}/${wanted}` : wanted);
}

/** `gitlab.example/group/project//.gitlab-ci.yml@refs/heads/main` */
function isPipelineFile(value: string, wanted: string, job: JobClaims): boolean {
  if (wanted.includes('@')) return false;
  const file = withoutRef(value);
  if (file === undefined || wanted.includes('//')) return file === wanted;
  const [issuer, project] = [textOf(job, 'iss'), textOf(job, 'project_path')];
  if (issuer === undefined || project === undefined) return false;
  return file === `${issuer.replace(/^https?:\/\//, '').replace(/\/+$/, '')}/${project}//${wanted}`;
}

/** Up to the last `@`, so that no name of a file or branch can stand for another file. What follows must be a ref or a commit. */
function withoutRef(value: string): string | undefined {
  const at = value.lastIndexOf('@');
  return at > 0 && /^(refs\/.+|[0-9a-f]{40,64})$/.test(value.slice(at + 1)) ? value.slice(0, at) : undefined;
}

/** Texts, numbers and truth values by their text; nothing else can be compared. */
function textOf(job: JobClaims, name: string): string | undefined {
  if (!Object.hasOwn(job, name)) return undefined;
  const value = job[name];
  if (typeof value === 'string') return value;
  return (typeof value === 'number' && Number.isSafeInteger(value)) || typeof value === 'boolean' ? String(value) : undefined;
}

export function isActorId(text: string): boolean {
  return /^\d{1,20}$/.test(text);
}

/** What its issuer calls whoever started the job, by a number that is given once; '' where it doesn't say. */
export function starterOf(kind: TrustKind, job: JobClaims): string {
  if (kind === 'custom') return '';
  const id = textOf(job, kind === 'github' ? 'actor_id' : 'user_id') ?? '';
  return isActorId(id) ? id : '';
}

const JOB_NAME_CHARACTERS_MAX = 180;

/** How the job is called where people read what happened: `ci:github:owner/repo@workflow#run`. */
export function jobNameOf(trust: { readonly kind: TrustKind; readonly name: string }, job: JobClaims): string {
  const name =
    trust.kind === 'custom' ? `ci:${trust.name}#${textOf(job, 'build_number') ?? textOf(job, 'jti') ?? ''}` : knownJobName(trust.kind, job);
  return name
    .toWellFormed()
    .replace(/\p{Cc}/gu, ' ')
    .slice(0, JOB_NAME_CHARACTERS_MAX)
    .toWellFormed();
}

function knownJobName(kind: 'github' | 'gitlab', job: JobClaims): string {
  const text = (name: string): string => textOf(job, name) ?? '';
  if (kind === 'gitlab') {
    const file = (withoutRef(text('ci_config_ref_uri')) ?? '').replace(/^.*\/\//, '');
    return `ci:gitlab:${text('project_path')}@${file}#${text('job_id') || text('pipeline_id')}`;
  }
  const file = (withoutRef(text('workflow_ref')) ?? '').replace(/^.*\.github\/workflows\//, '');
  return `ci:github:${text('repository')}@${file}#${text('run_id')}`;
}
