import { describe, expect, it } from 'vitest';
import { coversWord, readScopes, wordsOf } from './token-rules.ts';

const WORDS = ['read', 'write', 'admin', 'run:r1', 'run:r2', 'check:tests', 'versions:create', 'requests:create', 'deployments:write'];

describe('what a token may pass on', () => {
  it.each([
    [['read'], ['read']],
    [['write'], ['read', 'write', 'run:r1', 'run:r2', 'versions:create', 'requests:create', 'deployments:write']],
    [['admin'], WORDS],
    [['run:r1'], ['run:r1']],
    [
      ['read', 'check:tests'],
      ['read', 'check:tests'],
    ],
    [['versions:create'], ['versions:create']],
  ])('of %j is %j', (scopes, passed) => {
    const scope = readScopes(scopes);
    expect(WORDS.filter((word) => coversWord(scope, word))).toEqual(passed);
  });

  it('is everything for whoever signed in without a token', () => {
    expect(WORDS.every((word) => coversWord(undefined, word))).toBe(true);
  });

  it.each([[['read']], [['admin']], [['write', 'check:tests']], [['run:r1', 'run:r2']], [['versions:create', 'requests:create']]])(
    'is shown in the fewest words: %j',
    (scopes) => expect(wordsOf(readScopes(scopes))).toEqual(scopes),
  );
});
