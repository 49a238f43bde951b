/** Flags that may be given several times, and `NAME=VALUE` as they take it. */
import { invalid } from '@countersign/contract/problem.ts';

/** The first `=` divides. Throws INVALID_PARAMETER_VALUE, naming the flag. */
export function readPairs(flag: string, texts: readonly string[]): [string, string][] {
  return texts.map((text) => {
    const [name = '', value] = text.split(/=(.*)/s);
    if (name === '' || value === undefined || value === '') throw invalid(`${flag} must be NAME=VALUE, got '${text}'.`);
    return [name, value];
  });
}

/** How a flag that may be given several times is read: every value of it. */
export function collected(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
