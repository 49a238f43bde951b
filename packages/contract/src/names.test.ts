import { describe, expect, it } from 'vitest';
import { checkModelName } from './names.ts';

describe('names of models', () => {
  it('are taken at the lengths that clients use', () => {
    expect(() => checkModelName('é'.repeat(300))).not.toThrow();
  });

  it('are refused where one database could not keep them', () => {
    expect(() => checkModelName('x'.repeat(501))).toThrow("'name' exceeds the maximum length of 500 characters");
  });
});
