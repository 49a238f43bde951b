/** The known word that is most like a mistyped one, if one is like it at all. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  // Two letters in the wrong order are two steps; all letters wrong is no likeness.
  let least = Math.min(Math.max(2, Math.floor(word.length / 3)) + 1, word.length);
  for (const each of known) {
    const steps = distance(word, each);
    if (steps < least) [best, least] = [each, steps];
  }
  return best;
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(swap, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    above = row;
  }
  return above[b.length] ?? 0;
}
