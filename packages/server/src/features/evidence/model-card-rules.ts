/** Which sections of a model card are written. Pure. */

/** A longer one is no card that a person reads. */
const LINES_MAX = 50_000;
const SECTIONS_MAX = 500;
const TITLE_MAX = 200;
/** What templates leave for the author to replace. */
const PLACEHOLDER = /^[[(<{]*\s*(?:more information needed|to ?do|tbd|fill (?:this )?in)\s*[\])>}.!]*$/i;

interface Section {
  readonly level: number;
  readonly title: string;
  hasText: boolean;
}

/** Titles of the Markdown headings that have text below them, their subsections' too; in their order, each once. */
export function writtenSections(markdown: string): readonly string[] {
  const found: Section[] = [];
  /** The section that a line is in, and those around it. */
  let open: Section[] = [];
  let fence: string | undefined;
  const lines = withoutFrontMatter(withoutComments(markdown).split(/\r\n|\n|\r/, LINES_MAX));
  for (const [i, line] of lines.entries()) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (mark !== undefined && (fence === undefined || (mark.startsWith(fence) && line.trim() === mark))) {
      fence = fence === undefined ? mark : undefined;
      continue;
    }
    const heading = fence === undefined ? headingAt(line, lines[i + 1]) : undefined;
    if (heading !== undefined) {
      const section: Section = { ...heading, hasText: false };
      open = [...open.filter((each) => each.level < section.level), section];
      if (found.length < SECTIONS_MAX) found.push(section);
    } else if (isText(line, fence !== undefined)) {
      for (const section of open) section.hasText = true;
    }
  }
  return [...new Set(found.filter((section) => section.hasText && section.title !== '').map((section) => section.title))];
}

function headingAt(line: string, next: string | undefined): Pick<Section, 'level' | 'title'> | undefined {
  const marked = /^ {0,3}(#{1,6})(?:[ \t]|$)/.exec(line);
  if (marked) return { level: (marked[1] ?? '').length, title: titleOf(line.slice(marked[0].length)) };
  if (next === undefined || line.trim() === '' || !/^ {0,3}(?:=+|-+)[ \t]*$/.test(next) || /^ {0,3}[-*>|]/.test(line)) return undefined;
  return { level: next.trim().startsWith('=') ? 1 : 2, title: titleOf(line) };
}

function titleOf(text: string): string {
  let end = text.trimEnd().length;
  while (end > 0 && text[end - 1] === '#') end--;
  return text.slice(0, end).replaceAll(/[*`]/g, '').trim().slice(0, TITLE_MAX);
}

function isText(line: string, isCode: boolean): boolean {
  const text = line.trim();
  if (text === '') return false;
  // A rule, or the line under a heading.
  return isCode || (!/^[-=*_\s]+$/.test(text) && !PLACEHOLDER.test(text));
}

function withoutComments(markdown: string): string {
  let rest = markdown;
  let kept = '';
  for (let start = rest.indexOf('<!--'); start >= 0; start = rest.indexOf('<!--')) {
    kept += rest.slice(0, start);
    const end = rest.indexOf('-->', start + 4);
    if (end < 0) return kept;
    rest = rest.slice(end + 3);
  }
  return kept + rest;
}

function withoutFrontMatter(lines: readonly string[]): readonly string[] {
  if (lines[0]?.trim() !== '---') return lines;
  const end = lines.indexOf('---', 1);
  return end < 0 ? lines : lines.slice(end + 1);
}
