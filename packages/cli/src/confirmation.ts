/** What can't be undone is said twice. */
import { createInterface } from 'node:readline/promises';
import { invalid } from '@countersign/contract/problem.ts';
import { say } from './output.ts';
import { canAsk } from './secret-input.ts';

/** Throws INVALID_PARAMETER_VALUE unless the name is given again, by --confirm or typed. */
export async function confirmName(name: string, given: string | undefined, warning: string): Promise<void> {
  if ((given ?? (await askForName(name, warning))) === name) return;
  throw invalid(`The confirmation must be the name, '${name}'. Nothing was changed.`);
}

async function askForName(name: string, warning: string): Promise<string> {
  if (!canAsk()) throw invalid(`${warning} Say it again with --confirm '${name}'.`);
  say(warning);
  const question = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await question.question('Type its name to go on: ');
  } finally {
    question.close();
  }
}
