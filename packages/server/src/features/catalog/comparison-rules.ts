/** Two sets of facts side by side. Pure. */

export type Change = 'same' | 'changed' | 'added' | 'removed';

export interface NamedDifference<Value> {
  readonly name: string;
  readonly change: Change;
  /** null where it is not there. */
  readonly from: Value | null;
  readonly to: Value | null;
}

/** Every name of either side, by name. `key` makes values comparable. */
export function compareNamed<Value>(
  from: ReadonlyMap<string, Value>,
  to: ReadonlyMap<string, Value>,
  key: (value: Value) => unknown = (value) => value,
): NamedDifference<Value>[] {
  const names = [...new Set([...from.keys(), ...to.keys()])].sort();
  return names.map((name) => {
    const left = from.get(name);
    const right = to.get(name);
    return { name, change: changeOf(left, right, key), from: left ?? null, to: right ?? null };
  });
}

function changeOf<Value>(from: Value | undefined, to: Value | undefined, key: (value: Value) => unknown): Change {
  if (from === undefined) return 'added';
  if (to === undefined) return 'removed';
  return Object.is(key(from), key(to)) ? 'same' : 'changed';
}

/** JSON text with sorted keys: equal for equal values, whatever the order they were written in. */
export function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}

export interface ComparedFile {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface FileDifferences {
  readonly sameCount: number;
  readonly added: readonly ComparedFile[];
  readonly removed: readonly ComparedFile[];
  readonly changed: readonly { readonly path: string; readonly from: ComparedFile; readonly to: ComparedFile }[];
}

/** By digest; each list in the order that the manifests have. */
export function compareFiles(from: readonly ComparedFile[], to: readonly ComparedFile[]): FileDifferences {
  const before = new Map(from.map((file) => [file.path, file]));
  const after = new Set(to.map((file) => file.path));
  const changed: { path: string; from: ComparedFile; to: ComparedFile }[] = [];
  const added: ComparedFile[] = [];
  let sameCount = 0;
  for (const file of to) {
    const old = before.get(file.path);
    if (old === undefined) added.push(file);
    else if (old.sha256 === file.sha256) sameCount += 1;
    else changed.push({ path: file.path, from: old, to: file });
  }
  return { sameCount, added, removed: from.filter((file) => !after.has(file.path)), changed };
}
