import { describe, expect, it } from 'vitest';
import {
  accountNameOf,
  checkGroupValues,
  checkProviderName,
  checkSignInScopes,
  groupValuesOf,
  isEmailVerified,
  localPath,
  readClaim,
} from './provider-rules.ts';

describe('claims', () => {
  it('a claim is read by its name, else along the dots, and only from the claims themselves', () => {
    expect(readClaim({ 'a.b': 1, a: { b: 2 } }, 'a.b')).toBe(1);
    expect(readClaim({ realm_access: { roles: ['x'] } }, 'realm_access.roles')).toEqual(['x']);
    expect(readClaim({ a: 'text' }, 'a.length')).toBeUndefined();
    expect(readClaim({}, 'constructor')).toBeUndefined();
    expect(readClaim({}, '__proto__.x')).toBeUndefined();
  });

  it('a new account is named by the claim, else by an address that is not called unverified, else by the subject', () => {
    expect(accountNameOf({ preferred_username: ' ada ', email: 'a@x' }, 'preferred_username', 's')).toBe('ada');
    expect(accountNameOf({ preferred_username: 7, email: 'a@x' }, 'preferred_username', 's')).toBe('a@x');
    expect(accountNameOf({ email: 'ceo@x', email_verified: false }, 'preferred_username', 's')).toBe('s');
    expect(accountNameOf({}, 'preferred_username', 's')).toBe('s');
  });

  it('an address counts as verified only where the provider says so', () => {
    expect(isEmailVerified({ email: 'a@x', email_verified: true })).toBe(true);
    for (const claims of [{ email: 'a@x' }, { email: 'a@x', email_verified: 'yes' }, { email_verified: true }, {}]) {
      expect(isEmailVerified(claims)).toBe(false);
    }
  });

  it('groups are a list or one word; where they are too many to say, nothing is known', () => {
    expect(groupValuesOf({ groups: ['a', 7, 'b'] }, 'groups')).toEqual(['a', 'b']);
    expect(groupValuesOf({ groups: 'a' }, 'groups')).toEqual(['a']);
    expect(groupValuesOf({}, 'groups')).toEqual([]);
    expect(groupValuesOf({ _claim_names: { groups: 'src1' }, _claim_sources: {} }, 'groups')).toBeUndefined();
  });
});

describe('settings of a provider', () => {
  it('names, scopes and mappings that can be misread are refused', () => {
    for (const name of ['', 'Corp', '-a', 'a b', 'a/b', 'x'.repeat(64)])
      expect(() => checkProviderName(name), name).toThrow('Invalid name');
    expect(checkSignInScopes(['email', 'email'])).toEqual(['openid', 'email']);
    expect(() => checkSignInScopes(['openid email'])).toThrow('no scope');
    expect(() => checkGroupValues(['a', 'a'])).toThrow('mapped twice');
  });
});

describe('the way back after a sign-in', () => {
  it('is a path of this server, whatever was asked for', () => {
    expect(localPath('/models?x=1#y', '/account')).toBe('/models?x=1#y');
    for (const text of [undefined, '', 'models', '//evil.example', '/\\evil.example', 'https://evil.example', '/a\nb', '/a\\b', '/ä']) {
      expect(localPath(text, '/account'), text).toBe('/account');
    }
  });
});
