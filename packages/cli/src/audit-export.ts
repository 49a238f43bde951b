/** Where an export comes from and where it goes to: pages of the native API, written as lines as they come. */
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { invalid, Problem } from '@countersign/contract/problem.ts';
import { exportRecord, type RecordSource } from '@countersign/server/features/audit/record-export.ts';
import type { Caller } from './caller.ts';
import { readKept } from './kept-checkpoints.ts';

interface ExportFlags {
  readonly output?: string | undefined;
  readonly since?: string | undefined;
  readonly texts: boolean;
}

export interface Exported {
  readonly lines: number;
}

/** RESOURCE_ALREADY_EXISTS where the file is there: what it holds may be the only copy. */
export async function writeExport({ ask }: Caller, { output, since, texts }: ExportFlags): Promise<Exported> {
  const exported = exportRecord(sourceOf(ask, texts), { since: since === undefined ? undefined : readStart(since) });
  let count = 0;
  const lines = async function* (): AsyncGenerator<string> {
    for await (const line of exported) {
      count += 1;
      yield `${line}\n`;
    }
  };
  if (output === undefined) {
    // It stays open for what is said afterwards.
    await pipeline(lines, process.stdout, { end: false });
    return { lines: count };
  }
  try {
    await pipeline(lines, createWriteStream(output, { flags: 'wx', mode: 0o600 }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new Problem('RESOURCE_ALREADY_EXISTS', `The file ${output} is there already. Name another one.`, { cause: error });
  }
  return { lines: count };
}

function readStart(since: string): ReturnType<typeof readKept>[number] | number {
  if (/^[1-9]\d{0,14}$/.test(since)) return Number(since);
  const kept = readKept(since);
  const newest = kept.reduce((a, b) => (b.size > a.size ? b : a));
  if (kept.every((each) => each.serverId === newest.serverId)) return newest;
  throw invalid(`The checkpoints in ${since} are of several servers. Name one of them.`);
}

function sourceOf(ask: Caller['ask'], withTexts: boolean): RecordSource {
  return {
    makeCheckpoint: async () => (await ask('makeCheckpoint')).checkpoint,
    listKeys: () => ask('listCheckpointKeys'),
    listCheckpoints: async (afterSize, limit) => {
      const after = afterSize === 0 ? {} : { after_size: afterSize };
      return (await ask('listCheckpoints', { query: { order: 'oldest', limit, ...after } })).checkpoints;
    },
    listEvents: async (after_seq, limit) =>
      (await ask('exportEvents', { query: { after_seq, limit, texts: withTexts ? 'true' : 'false' } })).events,
  };
}
