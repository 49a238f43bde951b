/** A job that shows its CI system's token again, for a fresh one of the server: what it got at its start has run out by the time that it reports. */
import { Problem } from '@countersign/contract/problem.ts';
import type { Variables } from './ci-job.ts';
import { httpCaller, type ServerPlace } from './http-caller.ts';

const ISSUER_MS = 10_000;

/** How the server is asked with a fresh token; undefined where the CI system gives this job no other one. */
export async function showAgain(place: ServerPlace, env: Variables): Promise<ServerPlace | undefined> {
  const token = await findJobToken(env, env.COUNTERSIGN_CI_AUDIENCE || place.url.replace(/\/+$/, ''));
  if (token === undefined) return undefined;
  const trust = env.COUNTERSIGN_CI_TRUST || undefined;
  // The one that has run out would be refused.
  const given = await httpCaller({ ...place, authorization: undefined }).ask('exchangeCiToken', {
    body: { token, ...(trust === undefined ? {} : { trust }) },
  });
  return { ...place, authorization: `Bearer ${given.access_token}` };
}

/** GitHub gives as many as are asked for; elsewhere a second one was put into a variable. */
async function findJobToken(env: Variables, audience: string): Promise<string | undefined> {
  if (env.COUNTERSIGN_CI_TOKEN) return env.COUNTERSIGN_CI_TOKEN.trim();
  const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer } = env;
  if (!url || !bearer || !URL.canParse(url)) return undefined;
  const asked = new URL(url);
  asked.searchParams.set('audience', audience);
  const answer = await askIssuer(asked, bearer);
  const { value } = answer as { value?: unknown }; // judged below
  if (typeof value === 'string') return value;
  throw new Problem('UNAUTHENTICATED', 'The CI system gave this job no token. Has the job the permission id-token: write?');
}

async function askIssuer(url: URL, bearer: string): Promise<object> {
  try {
    const answer = await fetch(url, { headers: { authorization: `bearer ${bearer}` }, signal: AbortSignal.timeout(ISSUER_MS) });
    const document: unknown = answer.ok ? await answer.json() : undefined;
    return typeof document === 'object' && document !== null ? document : {};
  } catch (error) {
    throw new Problem('TEMPORARILY_UNAVAILABLE', `The CI system does not answer at ${url.origin}, so this job gets no fresh token.`, {
      cause: error,
    });
  }
}
