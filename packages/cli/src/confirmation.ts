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

/** Throws INVALID_PARAMETER_VALUE unless it is said by --yes or typed. */
export async function confirmYes(isGiven: boolean | undefined, question: string): Promise<void> {
  if (isGiven === true) return;
  if (!canAsk()) throw invalid(`${question} Nobody is there to answer: say it with --yes. Nothing was changed.`);
  const asked = createInterface({ input: process.stdin, output: process.stderr });
  try {
    if (/^y(es)?$/i.test((await asked.question(`${question} [y/N] `)).trim())) return;
  } finally {
    asked.close();
  }
  throw invalid('Nothing was changed.');
}
