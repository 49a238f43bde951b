/** Verifies an export file: without a server, without a database. */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { invalid } from '@countersign/contract/problem.ts';
import { type ExportVerdict, verifyExport } from '@countersign/server/features/audit/export-verification.ts';
import { readKept, readPublicKey } from './kept-checkpoints.ts';
import type { Shown } from './verbs.ts';

const LINE_MAX = 256 << 20;

export interface VerifyFlags {
  readonly key?: string;
  readonly since?: readonly string[];
}

/** `-` is standard input. INVALID_PARAMETER_VALUE for files that can't be read. */
export async function verifyFile(file: string, { key, since = [] }: VerifyFlags): Promise<ExportVerdict> {
  const trustedKey = key === undefined ? undefined : readPublicKey(key);
  const kept = since.flatMap(readKept);
  const stream = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: 1 << 20 });
  try {
    return await verifyExport(linesOf(stream), { trustedKey, kept });
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error;
    throw invalid(`The file ${file} can't be read (${code ?? syscall}).`);
  }
}

/** By newlines only, so that every byte counts. */
async function* linesOf(stream: Readable): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of stream.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_MAX) throw invalid('The file holds a line that is longer than any event. It is no export of the record.');
    yield* lines;
  }
  if (rest !== '') yield rest;
}

export function showVerdict(verdict: ExportVerdict): Shown {
  const { fault, server, afterSeq, untilSeq, checkpoints, texts, newest, keyId } = verdict;
  return {
    document: {
      ok: fault === undefined,
      fault: fault ?? null,
      server: server ?? null,
      after_seq: afterSeq,
      until_seq: untilSeq,
      checkpoints,
      texts,
      newest_checkpoint: newest ?? null,
      key_id: keyId ?? null,
    },
    quiet: fault === undefined ? [String(untilSeq)] : [`line ${fault.line}: ${fault.entry}`],
    lines:
      fault === undefined
        ? [
            untilSeq === 0
              ? 'Whole: nothing has happened yet.'
              : `Whole: events ${afterSeq + 1} to ${untilSeq}, ${checkpoints} checkpoints, ${texts} texts; signed by key ${keyId}.`,
          ]
        : [`NOT WHOLE. Line ${fault.line}: ${fault.entry} ${fault.reason}.`],
  };
}
