/** Unicode case folding for ILIKE, the same on both databases (neither folds all of Unicode by itself). */
export function fold(text: string): string {
  // Upper first: it joins what lower case keeps apart (ß/ss, ſ/s); a final sigma folds like any other.
  return text.toUpperCase().toLowerCase().replaceAll('ς', 'σ');
}

/** What a `folded` column holds: the fold where it differs from the text, else null. Read with COALESCE(folded, value). */
export function foldedColumn(text: string): string | null {
  const folded = fold(text);
  return folded === text ? null : folded;
}
