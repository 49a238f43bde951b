/** Evidence packs as files: written from what a server answers, and verified by themselves. */
import { readFileSync, writeFileSync } from 'node:fs';
import { invalid, Problem } from '@countersign/contract/problem.ts';
import { type PackVerdict, verifyPack } from '@countersign/server/features/evidence-pack/pack-verification.ts';
import type { Caller } from './caller.ts';
import { readKept, readPublicKey } from './kept-checkpoints.ts';
import { printable, type Shown } from './verbs.ts';
import type { VersionName } from './version-name.ts';

/** RESOURCE_ALREADY_EXISTS where the file is there: what it holds may be the only copy. */
export async function writePack(
  { ask }: Caller,
  version: VersionName,
  { output, since }: { readonly output: string; readonly since?: string },
): Promise<{ readonly bytes: number }> {
  const query = since === undefined ? {} : { since: sizeOf(since) };
  const pack = await ask('getEvidencePack', { params: { ...version }, query });
  try {
    writeFileSync(output, pack, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new Problem('RESOURCE_ALREADY_EXISTS', `The file ${output} is there already. Name another one.`, { cause: error });
  }
  return { bytes: pack.length };
}

function sizeOf(since: string): number {
  const [kept, another] = readKept(since);
  if (kept !== undefined && another === undefined) return kept.size;
  throw invalid(`The file ${since} holds several checkpoints. Name one of them.`);
}

/** INVALID_PARAMETER_VALUE for files that can't be read. */
export function verifyPackFile(
  file: string,
  { key, since = [] }: { readonly key?: string; readonly since?: readonly string[] },
): Promise<PackVerdict> {
  const trustedKey = key === undefined ? undefined : readPublicKey(key);
  return verifyPack(readBytes(file), { trustedKey, kept: since.flatMap(readKept) });
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw invalid(`The file ${file} can't be read (${(error as { code?: string }).code ?? 'unknown error'}).`);
  }
}

export function showPackVerdict({ fault, index, events, keyId }: PackVerdict): Shown {
  const of = index && `${printable(index.model.name)}/${index.version.number}`;
  return {
    document: {
      ok: fault === undefined,
      fault: fault ?? null,
      server: index?.server ?? null,
      name: index?.model.name ?? null,
      version: index?.version.number ?? null,
      digest: index?.digest ?? null,
      checkpoint: index?.checkpoint ?? null,
      events,
      key_id: keyId ?? null,
    },
    quiet: fault === undefined ? [of ?? ''] : [`${printable(fault.file)}: ${printable(fault.reason)}`],
    lines:
      fault === undefined
        ? [
            `Whole: ${of}, ${index?.digest === null ? 'not sealed' : `sealed with ${index?.digest}`}; ${events} events under the checkpoint; signed by key ${keyId}.`,
          ]
        : [`NOT WHOLE. ${printable(fault.file)} ${printable(fault.reason)}.`],
  };
}
