/** Verbs of the nouns that ask the native API: the same flags, the same form of help, the same forms of output. */
import type { Command } from 'commander';
import { print } from './output.ts';
import { addReach } from './reach.ts';

export interface VerbText {
  readonly summary: string;
  readonly description: string;
  readonly examples: readonly string[];
}

export interface OutputFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function addNoun(program: Command, name: string, summary: string, description: string): Command {
  return program.command(name).summary(summary).description(description);
}

/** `usage`: the verb and its arguments, as in `show <NAME>`. */
export function addVerb(noun: Command, usage: string, text: VerbText, alias?: string): Command {
  const verb = noun.command(usage).summary(text.summary).description(text.description);
  if (alias !== undefined) verb.alias(alias);
  return verb.addHelpText('after', `\nExamples:\n${text.examples.map((each) => `  ${each}`).join('\n')}`);
}

/** Behind the verb's own flags, so that help shows those first. */
export function addCommonFlags(verb: Command): Command {
  return addReach(verb.option('--json', 'one JSON document').option('-q, --quiet', 'names or ids only'));
}

export interface Shown {
  /** With the fields of the native API. */
  readonly document: object;
  readonly quiet: readonly string[];
  readonly lines: readonly string[];
}

export function show({ json, quiet }: OutputFlags, shown: Shown): void {
  if (json) print(true, withTimes(shown.document), []);
  else print(false, {}, quiet ? shown.quiet : shown.lines);
}

/** Times as RFC 3339 in UTC, where the API has epoch milliseconds. */
function withTimes(document: object): object {
  return JSON.parse(
    JSON.stringify(document, (name, value: unknown) =>
      typeof value === 'number' && name.endsWith('_at') ? new Date(value).toISOString() : value,
    ),
  ) as object; // it was one
}

/** Columns under their titles, as wide as what stands in them. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const all = [titles, ...rows.map((row) => row.map(printable))];
  const widths = titles.map((_title, column) => Math.max(...all.map((row) => [...(row[column] ?? '')].length)));
  return all.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - [...cell].length))
      .join('  ')
      .trimEnd(),
  );
}

/** What somebody wrote moves no cursor and colours nothing. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ');
}

/** "3 days ago", "in 2 hours"; nothing for null. */
export function relativeTime(at: number | null, now = Date.now()): string {
  if (at === null) return '';
  const format = new Intl.RelativeTimeFormat('en', { numeric: 'always' });
  const seconds = (at - now) / 1000;
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size || size === 1) return format.format(Math.round(seconds / size), unit);
  }
  return '';
}

const UNITS = [
  ['year', 31_536_000],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const;
