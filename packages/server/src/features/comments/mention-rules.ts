/** Who a comment names with `@name` or `@"a name with spaces"`: not in code, not as a part of an address or a URL. Pure. */

/** More of them in one comment aren't looked up. */
const MENTIONS_MAX = 50;

/** Before an `@` that belongs to an address, a path or a URL, or that is written as one (`\@`). */
const PART_OF_MORE = '(?<![\\p{L}\\p{N}\\p{M}.+/@\\\\=&?#%~-])(?<![\\p{L}\\p{N}]_)';
const NAME = '"([^"\\n]{1,250})"|([\\p{L}\\p{N}_][\\p{L}\\p{N}\\p{M}_.+/@-]{0,249})';
const MENTION = new RegExp(`${PART_OF_MORE}@(?:${NAME})`, 'gu');

/** Each mention as the names that it may mean, the likeliest first: a full stop behind a name may be a part of it, or end the sentence. */
export function mentionsIn(markdown: string): readonly (readonly string[])[] {
  const mentions = new Map<string, readonly string[]>();
  for (const [, quoted, plain = ''] of withoutCode(markdown).matchAll(MENTION)) {
    const written = quoted ?? plain;
    const ended = plain.replace(/[_.+/@-]+$/, '');
    mentions.set(written, quoted !== undefined || ended === plain || ended === '' ? [written] : [written, ended]);
    if (mentions.size === MENTIONS_MAX) break;
  }
  return [...mentions.values()];
}

/** Code and what readers don't see, as CommonMark has them: fenced and indented blocks, spans between backticks, comments. */
function withoutCode(markdown: string): string {
  return withoutBlocks(markdown.split(/\r\n?|\n/))
    .replace(/<!--[\s\S]*?(?:-->|$)/g, ' ')
    .replace(/(?<![`\\])(`+)(?!`)(?:(?!\n[ \t]*\n)[\s\S])*?(?<!`)\1(?!`)/g, ' ');
}

/** Behind what quotes and lists begin with. */
const FENCE = /^(?:[ \t]|>|[-*+][ \t]|\d{1,9}[.)][ \t])*(`{3,}(?=[^`]*$)|~{3,})/;
const LIST_ITEM = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)/;
const INDENTED = /^(?: {4}| {0,3}\t)/;

function withoutBlocks(lines: readonly string[]): string {
  let fence: { readonly mark: string; readonly isQuoted: boolean } | undefined;
  // What is indented below an item of a list is text of that item.
  let isInList = false;
  let isAfterText = false;
  const kept: string[] = [];
  for (const line of lines) {
    // A quote ends with its last line, and what it left open with it.
    if (fence?.isQuoted && !/^[ \t]*>/.test(line)) fence = undefined;
    if (fence !== undefined) {
      const end = /^[ \t>]*(`{3,}|~{3,})[ \t]*$/.exec(line)?.[1];
      if (end?.startsWith(fence.mark)) fence = undefined;
      kept.push('');
      continue;
    }
    const mark = FENCE.exec(line)?.[1];
    if (mark !== undefined) {
      fence = { mark, isQuoted: /^[ \t]*>/.test(line) };
      kept.push('');
      isAfterText = false;
      continue;
    }
    const isBlank = line.trim() === '';
    const isCode: boolean = INDENTED.test(line) && !isInList && !isAfterText;
    kept.push(isCode ? '' : line);
    if (LIST_ITEM.test(line)) isInList = true;
    else if (!isBlank && !/^[ \t]/.test(line) && !isAfterText) isInList = false;
    isAfterText = !isBlank && !isCode;
  }
  return kept.join('\n');
}
