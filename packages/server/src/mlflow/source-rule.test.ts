import { describe, expect, it } from 'vitest';
import { readSourceRule } from './version-rpcs.ts';

describe("the operator's rule for sources", () => {
  it('is a search, as in Python', () => {
    expect(readSourceRule('^mlflow-artifacts:')?.test('mlflow-artifacts:/1/a')).toBe(true);
    expect(readSourceRule('')).toBeUndefined();
  });

  it('is refused at the start where it cannot be read', () => {
    expect(() => readSourceRule('(unclosed')).toThrow('MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX is no regular expression');
  });
});
