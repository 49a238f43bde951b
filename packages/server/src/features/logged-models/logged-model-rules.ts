/** What a logged model may be called and hold. Pure. */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { checkLength } from '@countersign/contract/names.ts';
import { invalid } from '@countersign/contract/problem.ts';

const KEY_MAX = 250;
const NAME_MAX = 500;
const DOUBLE_MAX = 1.7976931348623157e308;

export function checkName(name: string): void {
  if (name === '' || /[/:.%"']/.test(name)) {
    throw invalid(
      `Invalid model name ('${clip(name)}') provided. Model name must be a non-empty string and cannot contain the following characters: ` +
        `('/', ':', '.', '%', '"', "'")`,
    );
  }
  checkLength(name, NAME_MAX, 'name');
}

export function checkPairs(pairs: readonly { readonly key: string }[]): void {
  for (const pair of pairs) checkLength(pair.key, KEY_MAX, 'key');
}

/** The first key that comes twice. */
export function findRepeatedKey(pairs: readonly { readonly key: string }[]): string | undefined {
  const seen = new Set<string>();
  for (const { key } of pairs) {
    if (seen.has(key)) return key;
    seen.add(key);
  }
  return undefined;
}

/** Infinities are stored as the greatest double, as upstream does; NaN is a flag of its own. */
export function storedValue(value: number): { readonly value: number; readonly isNan: 0 | 1 } {
  if (Number.isNaN(value)) return { value: 0, isNan: 1 };
  return { value: Math.max(-DOUBLE_MAX, Math.min(DOUBLE_MAX, value)), isNan: 0 };
}

/**
 * The tag in which a logged model lists what was registered from it, with one more entry. A tag that a client made unreadable is
 * begun anew.
 */
export function withVersion(tag: string | undefined, name: string, version: number): string {
  let listed: unknown;
  try {
    listed = tag === undefined ? [] : JSON.parse(tag);
  } catch {
    listed = [];
  }
  return spaced([...(Array.isArray(listed) ? listed : []), { name, version }]);
}

/** JSON as upstream's server writes it into this tag, a space after each comma and colon: tools compare the text. */
function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${spaced(member)}`);
  return `{${members.join(', ')}}`;
}
