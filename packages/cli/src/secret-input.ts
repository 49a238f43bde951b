/** Secrets come in by standard input or by a question without echo; never as an argument, which everybody on the machine can read. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { invalid } from '@countersign/contract/problem.ts';
import { EXIT } from './exit-codes.ts';
import { say } from './output.ts';

/** Whether somebody is there to answer. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true && !process.env.CI;
}

/** What was piped in, without the end of its line. */
export async function readStdinLine(): Promise<string> {
  const given = (await text(process.stdin)).replace(/\r?\n$/, '');
  if (given === '') throw invalid('Standard input was empty: pipe the secret in.');
  if (/[\r\n]/.test(given)) throw invalid('Standard input must hold one line, the secret.');
  return given;
}

/** Nothing of what is typed is shown. Ctrl-C ends the process. */
export function askSecret(question: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: silent, terminal: true });
  // Only now: what is typed at once, before the terminal stops showing it, would be shown.
  process.stderr.write(question);
  return new Promise((resolve) => {
    reader.on('SIGINT', () => {
      reader.close();
      say('');
      process.exit(EXIT.interrupted);
    });
    reader.question('', (answer) => {
      reader.close();
      say('');
      resolve(answer);
    });
  });
}

/** By --password-stdin, or asked for twice. */
export async function readNewPassword(fromStdin: boolean, whose: string): Promise<string> {
  if (fromStdin) return readStdinLine();
  if (!canAsk()) throw invalid('Nobody is there to ask for the password: pipe it in with --password-stdin.');
  const first = await askSecret(`New password of ${whose} (at least 12 characters): `);
  const second = await askSecret('The same again: ');
  if (first !== second) throw invalid('The two passwords differ. Nothing was changed.');
  return first;
}
