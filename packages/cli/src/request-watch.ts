/** `countersign request watch`: waits until a request is answered. */
import { setTimeout } from 'node:timers/promises';
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { invalid, Problem } from '@countersign/contract/problem.ts';
import type { Command } from 'commander';
import type { Caller } from './caller.ts';
import { EXIT } from './exit-codes.ts';
import { say } from './output.ts';
import { withCaller } from './reach.ts';
import { requestId } from './request-id.ts';
import { addCommonFlags, addVerb, type OutputFlags, printable, show } from './verbs.ts';

type Request = AnswerOf<EndpointOf<'getRequest'>>;

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BETWEEN_FIRST_MS = 500;
const BETWEEN_MAX_MS = 10_000;

export function addWatch(noun: Command): void {
  const verb = addVerb(noun, 'watch <ID>', {
    summary: 'wait until a request is answered',
    description:
      `Waits until a request is closed. Ends with exit code 0 where it was approved and carried out, ${EXIT.checkFailed} where it was rejected, cancelled or ` +
      `expired, ${EXIT.unreachable} where --timeout is over first. A server that is away for a while is waited for.`,
    examples: ['countersign request watch 12 --timeout 2h', 'countersign request watch 12 --timeout 30m --json'],
  }).option('--timeout <TIME>', 'wait no longer, as in 90s, 30m, 2h, 1d; for ever without it');
  addCommonFlags(verb).action((id: string, flags: OutputFlags & { timeout?: string }) =>
    withCaller(verb, async ({ ask }) => {
      const until = flags.timeout === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeoutMs(flags.timeout);
      const { request, isInTime } = await closed(ask, requestId(id), until);
      show(flags, { document: request, quiet: [request.state], lines: [sentenceOf(request, isInTime, flags.timeout)] });
      process.exitCode = !isInTime ? EXIT.unreachable : request.state === 'approved' ? EXIT.ok : EXIT.checkFailed;
    }),
  );
}

function timeoutMs(text: string): number {
  const [, number, unit = ''] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? [];
  if (number === undefined) throw invalid(`--timeout must be a number with s, m, h or d behind it, like 30m; got '${text}'.`);
  return Number(number) * (UNITS_MS[unit] ?? 0);
}

/** As it is when it is open no more, or when the time is over. */
async function closed(ask: Caller['ask'], id: number, until: number): Promise<{ readonly request: Request; readonly isInTime: boolean }> {
  // An address at which nobody ever answered is a wrong one.
  let wasThere = false;
  let isAway = false;
  for (let between = BETWEEN_FIRST_MS; ; between = Math.min(between * 1.5, BETWEEN_MAX_MS)) {
    const left = until - Date.now();
    try {
      const request = await ask('getRequest', { params: { request: id } });
      if (request.state !== 'open') return { request, isInTime: true };
      if (left <= 0) return { request, isInTime: false };
      wasThere = true;
      isAway = false;
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'TEMPORARILY_UNAVAILABLE' || left <= 0 || !wasThere) throw error;
      if (!isAway) say(`countersign: ${error.message} Trying again.`);
      isAway = true;
    }
    await setTimeout(Math.min(between, Math.max(until - Date.now(), 0)));
  }
}

function sentenceOf(
  { id, state, closed_by: by, closing_comment: comment }: Request,
  isInTime: boolean,
  timeout: string | undefined,
): string {
  if (!isInTime) return `Request ${id} is open still after ${timeout}.`;
  const who = by === null ? '' : ` by ${by.name}`;
  return printable(`Request ${id} was ${state}${who}.${comment === null || comment === '' ? '' : ` ${comment}`}`);
}
