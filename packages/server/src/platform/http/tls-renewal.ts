/** Takes over a renewed certificate while the server runs. */
import { Problem } from '@countersign/contract/problem.ts';
import { startJob } from '../jobs/background-job.ts';
import { judgePair, readTlsTexts, type TlsFiles, type TlsPair, type TlsTexts } from './tls-pair.ts';

/** Between looks at the files. A change is taken when two looks found the same. */
export const LOOK_MS = 5000;

export interface RenewalOptions {
  readonly files: TlsFiles;
  readonly inUse: TlsPair;
  /** Makes new connections use it. */
  readonly use: (pair: TlsPair) => void;
  /** The one that is replaced stays in use. Once for each state of the files. */
  readonly onRefused: (problem: Problem) => void;
  readonly onError: (error: unknown) => void;
  readonly everyMs?: number;
}

export interface Renewal {
  /** Looks at the files at once and takes what is there; answers whether it differed from what was in use. */
  now(): Promise<boolean>;
  stop(): Promise<void>;
}

/**
 * The contents are compared, not times: certificates are replaced by writing, by renaming, and by turning a symbolic link around. Two files
 * can't be replaced in one step everywhere, so a change has to stand still from one look to the next before it is judged.
 */
export function startRenewal(options: RenewalOptions): Renewal {
  let used = options.inUse.digest;
  let glimpsed: string | undefined;
  let judged: string | undefined;

  const look = async (isAsked: boolean): Promise<boolean> => {
    const found = await findTexts(options.files);
    const state = found instanceof Problem ? found.message : found.digest;
    const isNew = state !== used;
    const isStill = isAsked || state === glimpsed;
    glimpsed = state;
    if (!isNew) judged = undefined;
    if (!isNew || !isStill || (state === judged && !isAsked)) return isNew;
    judged = state;
    try {
      if (found instanceof Problem) throw found;
      options.use(judgePair(found, options.files));
      used = state;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      options.onRefused(error);
    }
    return true;
  };

  // One look at a time, so that an older one never wins.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (isAsked: boolean): Promise<boolean> => {
    const turn = last.then(() => look(isAsked));
    last = turn.catch(() => {});
    return turn;
  };
  const everyMs = options.everyMs ?? LOOK_MS;
  const job = startJob({ firstAfterMs: everyMs, everyMs, run: async () => void (await inTurn(false)), onError: options.onError });
  return { now: () => inTurn(true), stop: () => job.stop() };
}

async function findTexts(files: TlsFiles): Promise<TlsTexts | Problem> {
  try {
    return await readTlsTexts(files);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}
