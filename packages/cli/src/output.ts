/** Data goes to stdout, everything else to stderr. */
import { Problem } from '@countersign/contract/problem.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';

export function say(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}

/** One JSON document, or lines for people. */
export function print(asJson: boolean, document: object, lines: readonly string[]): void {
  process.stdout.write(asJson ? `${JSON.stringify(document)}\n` : lines.map((line) => `${line}\n`).join(''));
}

/** A refusal is a sentence; only a defect has a stack. */
export function fail(error: unknown, asJson: boolean): never {
  const exitCode = exitCodeOf(error);
  const isDefect = exitCode === EXIT.unexpected && !(error instanceof Problem);
  const message = error instanceof Error ? error.message : String(error);
  if (asJson) say(JSON.stringify({ error: { code: error instanceof Problem ? error.code : 'INTERNAL_ERROR', message } }));
  else say(`countersign: ${isDefect && error instanceof Error ? error.stack : message}`);
  process.exit(exitCode);
}
