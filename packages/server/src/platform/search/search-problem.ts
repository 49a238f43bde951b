/** Sentences about searches: upstream's text first (clients match on its beginning), then where, then what to do. */
import { Problem } from '@countersign/contract/problem.ts';

/** @param position where in the text, the first character is 1; absent where the place says nothing. */
export function refuse(message: string, position?: number, advice?: string): Problem {
  const shown = message.length > MESSAGE_MAX ? `${message.slice(0, MESSAGE_MAX)}…` : message;
  const sentences = [shown.endsWith('.') ? shown : `${shown}.`];
  if (position !== undefined) sentences.push(`At position ${position}.`);
  if (advice !== undefined) sentences.push(advice);
  return new Problem('INVALID_PARAMETER_VALUE', sentences.join(' '));
}

/** Messages repeat what they refuse, and that may be a whole filter. */
const MESSAGE_MAX = 3000;
const QUOTED_TEXT_MAX = 1000;

/** A text as upstream prints it in messages: single quotes, or double ones around a text with an apostrophe. */
export function quoted(text: string): string {
  const shown = text.length > QUOTED_TEXT_MAX ? `${text.slice(0, QUOTED_TEXT_MAX)}…` : text;
  if (shown.includes("'") && !shown.includes('"')) return `"${shown}"`;
  return `'${shown.replaceAll("'", "\\'")}'`;
}

/** `{'a', 'b'}`, upstream's print of a set. */
export function printedSet(texts: Iterable<string>): string {
  return `{${printed(texts)}}`;
}

/** `['a', 'b']`, upstream's print of a list. */
export function printedList(texts: Iterable<string>): string {
  return `[${printed(texts)}]`;
}

/** `('a', 'b')`, upstream's print of a tuple. */
export function printedTuple(texts: Iterable<string>): string {
  return `(${printed(texts)})`;
}

function printed(texts: Iterable<string>): string {
  return [...texts].map(quoted).join(', ');
}
