/** Patterns in which `*` stands for any characters, none included; all others for themselves. Pure. */

/** Time is at most pattern times text, both of which are short. */
export function matchesPattern(pattern: string, text: string): boolean {
  let [at, place] = [0, 0];
  let star = -1;
  let starred = 0;
  while (at < text.length) {
    if (pattern[place] === '*') {
      star = place++;
      starred = at;
    } else if (pattern[place] === text[at]) {
      place++;
      at++;
    } else if (star >= 0) {
      // What the last star takes grows by one; earlier stars needn't be tried again.
      place = star + 1;
      at = ++starred;
    } else return false;
  }
  while (pattern[place] === '*') place++;
  return place === pattern.length;
}

/** Whether the one matches whatever the other matches: a star of the other can only be taken by a star. */
export function coversPattern(wide: string, narrow: string): boolean {
  return matchesPattern(wide, narrow);
}

export function isExact(pattern: string): boolean {
  return !pattern.includes('*');
}

/** The characters that stand for themselves. */
export function literalLength(pattern: string): number {
  return pattern.replaceAll('*', '').length;
}
