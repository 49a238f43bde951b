/** The form of tokens, and their scopes. Pure. */
import { createHash } from 'node:crypto';
import type { TokenScope } from '@countersign/contract/access.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid } from '@countersign/contract/problem.ts';

/** `csk_` and 256 random bits: found by scanners of repositories, and told from passwords by its beginning. */
export const TOKEN_PREFIX = 'csk_';
export const TOKEN_BYTES = 32;

export function isToken(text: string): boolean {
  return text.startsWith(TOKEN_PREFIX);
}

/** A token has more entropy than any search could try, so a fast hash keeps it. */
export function digestOfToken(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}

/**
 * `read`, `write`, `admin` (each holds those before), `run:<id>` (log to this run alone), `check:<name>` (report this check), and the words of
 * CI identities.
 */
const SCOPE = /^(read|write|admin|run:[\w-]{1,64}|check:[\w.:/ -]{1,100}|versions:create|requests:create|deployments:write)$/;
const SCOPES_MAX = 50;

export function checkScopes(scopes: readonly string[]): void {
  if (scopes.length === 0) throw invalid("A token needs a scope: 'read', 'write', 'admin', 'run:<run id>' or 'check:<name>'.");
  if (scopes.length > SCOPES_MAX) throw invalid(`A token takes at most ${SCOPES_MAX} scopes.`);
  for (const scope of scopes) {
    if (SCOPE.test(scope)) continue;
    throw invalid(`There is no token scope '${clip(scope)}'. Scopes are: read, write, admin, run:<run id>, check:<name>.`);
  }
}

/** Whether a token with this scope may make one with that word. Undefined: no token limits the caller. */
export function coversWord(scope: TokenScope | undefined, word: string): boolean {
  if (scope === undefined) return true;
  if (word.startsWith('run:')) return scope.asks.has('write') || scope.runs.has(word.slice(4));
  if (word.startsWith('check:')) return scope.asks.has('admin') || scope.checks.has(word.slice(6));
  if (word === 'read' || word === 'write' || word === 'admin') return scope.asks.has(word);
  return scope.asks.has('write') || scope.asks.has(word);
}

/** The fewest words that mean the scope: `readScopes` backwards. */
export function wordsOf({ asks, runs, checks }: TokenScope): string[] {
  const widest = (['admin', 'write', 'read'] as const).find((word) => asks.has(word));
  const others = [...asks].filter((word) => !['nothing', 'read', 'write', 'admin'].includes(word));
  return [
    ...(widest === undefined ? [] : [widest]),
    ...others,
    ...[...runs].map((id) => `run:${id}`),
    ...[...checks].map((name) => `check:${name}`),
  ];
}

export function readScopes(scopes: readonly string[]): TokenScope {
  const asks = new Set<string>(['nothing']);
  const runs = new Set<string>();
  const checks = new Set<string>();
  for (const scope of scopes) {
    if (scope === 'admin' || scope === 'write' || scope === 'read') asks.add('read');
    if (scope === 'admin' || scope === 'write') asks.add('write');
    if (scope === 'admin') asks.add('admin');
    if (scope.startsWith('run:')) runs.add(scope.slice(4));
    else if (scope.startsWith('check:')) checks.add(scope.slice(6));
    else asks.add(scope);
  }
  return { asks, runs, checks };
}
