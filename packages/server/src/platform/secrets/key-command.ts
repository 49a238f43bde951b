/** A key service behind a command of the operator's: `CMD wrap` and `CMD unwrap` read base64 on stdin and answer base64 on stdout. */
import { spawn } from 'node:child_process';
import { Problem } from '@countersign/contract/problem.ts';
import type { KeyService } from './key-ports.ts';

const ANSWER_MS = 30_000;
const ANSWER_BYTES_MAX = 64 * 1024;

export function createCommandService(command: string, answerMs = ANSWER_MS): KeyService {
  return {
    wrap: (key) => run(command, 'wrap', key, answerMs),
    unwrap: (wrapped) => run(command, 'unwrap', wrapped, answerMs),
  };
}

/** What the command says on stderr goes to the server's: it may help, and is not ours to judge. INVALID_STATE where it doesn't answer. */
function run(command: string, verb: 'wrap' | 'unwrap', bytes: Uint8Array, answerMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown): void =>
      reject(new Problem('INVALID_STATE', `The command of --master-key-command can't ${verb} a key: ${why}.`, { cause }));
    const child = spawn(`${command} ${verb}`, { shell: true, stdio: ['pipe', 'pipe', 'inherit'] });
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`it gave no answer within ${answerMs / 1000} s`);
    }, answerMs);
    let text = '';
    child.stdout.on('data', (piece: Buffer) => {
      text += piece.toString('latin1');
      if (text.length > ANSWER_BYTES_MAX) child.kill('SIGKILL');
    });
    child.on('error', (error) => fail(error.message, error));
    child.on('close', (code) => {
      clearTimeout(timer);
      const answer = Buffer.from(text.trim(), 'base64');
      if (code !== 0) fail(`it ended with ${code ?? 'a signal'}`);
      else if (answer.length === 0 || answer.toString('base64').replace(/=+$/, '') !== text.trim().replace(/\s+/g, '').replace(/=+$/, ''))
        fail('it answered something else than base64');
      else resolve(answer);
    });
    // One that ends without reading says so by its exit code.
    child.stdin.on('error', () => {});
    child.stdin.end(`${Buffer.from(bytes).toString('base64')}\n`);
  });
}
