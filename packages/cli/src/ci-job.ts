/** What a CI system says of the job that a command runs in, by its variables. */
import { randomBytes } from 'node:crypto';

export type Variables = Readonly<Record<string, string | undefined>>;

/** Which run of a check this is: each attempt of a job one of its own. Outside of CI every call is another. */
export function externalIdOf(env: Variables): string {
  const { GITHUB_RUN_ID: run, GITHUB_RUN_ATTEMPT: attempt, CI_JOB_ID: job, BUILD_TAG: build } = env;
  const known = run ? `github-${run}/${attempt || '1'}` : job ? `gitlab-${job}` : build ? build : undefined;
  return known?.replace(/[^\x21-\x7e]/g, '-').slice(0, 200) ?? `cli-${randomBytes(8).toString('hex')}`;
}

/** Where people see the job; nothing where that isn't https. */
export function detailsUrlOf(env: Variables): string | undefined {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run } = env;
  const url = server && repository && run ? `${server}/${repository}/actions/runs/${run}` : env.CI_JOB_URL || env.BUILD_URL;
  return url?.startsWith('https://') && URL.canParse(url) ? url : undefined;
}
