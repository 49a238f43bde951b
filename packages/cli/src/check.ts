/** `countersign check …` */
import { setTimeout } from 'node:timers/promises';
import { CHECK_CONCLUSIONS, CHECKS_PAGE } from '@countersign/contract/checks.ts';
import type { AnswerOf, InputOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { Problem } from '@countersign/contract/problem.ts';
import { type Command, Option } from 'commander';
import { askAll, type Caller } from './caller.ts';
import { detailsUrlOf, externalIdOf } from './ci-job.ts';
import { EXIT } from './exit-codes.ts';
import { addMeasureFlags, type MeasureFlags, measuresOf, readMetricPairs, readText } from './measure-flags.ts';
import { say } from './output.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, relativeTime, show, table } from './verbs.ts';
import { findVersion, VERSION_ARGUMENT, type VersionName } from './version-name.ts';

type Report = InputOf<EndpointOf<'reportCheck'>>['body'];
type Check = AnswerOf<EndpointOf<'reportCheck'>>['check'];
type Conclusion = (typeof CHECK_CONCLUSIONS)[number];

export function addCheck(program: Command): void {
  const noun = addNoun(
    program,
    'check',
    'report what was checked about a version',
    'Commands for checks: what CI and other tools say about the bytes of a version.',
  );
  addRun(noun);
  addStart(noun);
  addFinish(noun);
  addList(noun);
}

interface ReportFlags extends OutputFlags {
  readonly externalId?: string;
  readonly detailsUrl?: string;
  readonly digest?: string;
  readonly summaryFile?: string;
}

function addReportFlags(verb: Command): Command {
  return verb
    .argument('<NAME>', 'name of the check, as policies call it')
    .argument('<VERSION>', VERSION_ARGUMENT)
    .option('--external-id <ID>', 'which run of the check it is; from the CI job without it')
    .option('--details-url <URL>', 'where people see more, https; the page of the CI job without it')
    .option('--digest <DIGEST>', 'of the bytes that are checked: refused where the version has others')
    .option('--summary-file <FILE>', 'Markdown to show, read when it is reported');
}

function addStart(noun: Command): void {
  const verb = addReportFlags(
    addVerb(noun, 'start', {
      summary: 'report that a check has begun',
      description: 'Reports a check as in progress. Finish it under the same --external-id within an hour, else it counts as timed out.',
      examples: ['countersign check start ci/tests fraud/7', 'countersign check start bias fraud/7 --queued --external-id nightly-41'],
    }),
  ).option('--queued', 'it waits, and has not begun yet');
  addCommonFlags(verb).action((name: string, version: string, flags: ReportFlags & { queued?: boolean }) =>
    withCaller(verb, async ({ ask }) => {
      const status = flags.queued ? 'queued' : 'in_progress';
      const { check } = await ask('reportCheck', { params: await findVersion(ask, version), body: { ...reportOf(name, flags), status } });
      show(flags, { document: check, quiet: [check.external_id], lines: [sentenceOf(check)] });
    }),
  );
}

function addFinish(noun: Command): void {
  const verb = addVerb(noun, 'finish', {
    summary: 'report how a check ended',
    description: 'Reports a check as completed, whether it was started before or not.',
    examples: [
      'countersign check finish ci/tests fraud/7 --conclusion success --metric accuracy=0.95 --dataset holdout',
      'countersign check finish bias fraud@candidate --conclusion failure --summary-file report.md',
    ],
  });
  addMeasureFlags(addReportFlags(verb)).addOption(
    new Option('--conclusion <HOW>', 'how it ended').choices(CHECK_CONCLUSIONS).makeOptionMandatory(),
  );
  addCommonFlags(verb).action((name: string, version: string, flags: ReportFlags & MeasureFlags & { conclusion: Conclusion }) =>
    withCaller(verb, async ({ ask }) => {
      const body = { ...reportOf(name, flags), ...measuresOf(flags), status: 'completed' as const, conclusion: flags.conclusion };
      const { check } = await ask('reportCheck', { params: await findVersion(ask, version), body });
      show(flags, { document: check, quiet: [check.external_id], lines: [sentenceOf(check)] });
    }),
  );
}

function addRun(noun: Command): void {
  const verb = addVerb(noun, 'run', {
    summary: 'run a command as a check, and report how it ends',
    description:
      'Reports the check as in progress, runs the command, and reports success where it ends with 0, else failure. Ends with 0 or 6, with 130 where it was ' +
      'interrupted. The command must end within an hour; a CI job whose token has run out by then shows again which job it is.',
    examples: [
      'countersign check run ci/tests fraud/7 -- pytest -q',
      'countersign check run quality fraud@candidate --metrics-file metrics.json --dataset holdout -- python evaluate.py',
    ],
  });
  addMeasureFlags(addReportFlags(verb)).argument('<COMMAND...>', 'behind --, with its arguments');
  addCommonFlags(verb).action((name: string, version: string, words: string[], flags: ReportFlags & MeasureFlags) =>
    withCaller(verb, async (caller) => {
      const { ask } = caller;
      readMetricPairs(flags.metric);
      const params = await findVersion(ask, version);
      const { summaryFile: _later, ...atOnce } = flags;
      const begun = reportOf(name, atOnce);
      const { check: started } = await ask('reportCheck', { params, body: { ...begun, status: 'in_progress' } });
      const { runWatched } = await import('./watched-command.ts');
      const end = await runWatched(words, flags.json === true || flags.quiet === true);
      if (end.problem !== undefined) say(`countersign: the command '${words[0]}' can't be run (${end.problem}).`);
      const left = leftOf(flags);
      const isInterrupted = end.signal === 'SIGINT' || end.signal === 'SIGTERM';
      const isGreen = end.code === 0 && left.isWhole;
      const conclusion = isInterrupted ? 'cancelled' : isGreen ? 'success' : 'failure';
      const ended = { ...begun, ...left.report, status: 'completed', conclusion } as const;
      // Whoever else began it must not be another one at its end.
      const check = await reportEnd(started.reported_by.kind === 'ci' ? caller : { ask }, params, ended);
      process.exitCode = isInterrupted ? EXIT.interrupted : isGreen ? EXIT.ok : EXIT.checkFailed;
      if (flags.json || flags.quiet) show(flags, { document: check, quiet: [check.external_id], lines: [] });
      else say(sentenceOf(check));
    }),
  );
}

/** What can't be read is told in its place: the check must not stay open for that. */
function leftOf(flags: ReportFlags & MeasureFlags): { readonly report: Partial<Report>; readonly isWhole: boolean } {
  try {
    return { report: { ...measuresOf(flags), ...summaryOf(flags) }, isWhole: true };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    say(`countersign: ${error.message}`);
    return { report: { summary: error.message }, isWhole: false };
  }
}

const TRIES = 5;
const BETWEEN_TRIES_MS = 2000;

/** A server that is away for a moment loses no result, nor does a token of a job that has run out meanwhile. */
async function reportEnd(caller: Caller, params: VersionName, body: Report): Promise<Check> {
  let { ask, asJob } = caller;
  for (let tried = 1; ; tried++) {
    try {
      return (await ask('reportCheck', { params, body })).check;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.code === 'UNAUTHENTICATED' && asJob !== undefined) {
        const again = await asJob();
        if (again === undefined) throw new Problem(error.code, `${error.message} ${HOW_TO_LAST}`, { cause: error });
        ({ ask, asJob } = again);
        continue;
      }
      if (error.code !== 'TEMPORARILY_UNAVAILABLE' || tried === TRIES) throw error;
      await setTimeout(BETWEEN_TRIES_MS);
    }
  }
}

const HOW_TO_LAST =
  "A job's token lives 15 minutes: let the job have the permission id-token: write (GitHub), or give it a second token in COUNTERSIGN_CI_TOKEN.";

function addList(noun: Command): void {
  const verb = addVerb(
    noun,
    'list',
    {
      summary: 'list the checks of a version',
      description: 'Lists checks as each run was reported last, newest first.',
      examples: ['countersign check list fraud/7', 'countersign check list fraud:Production --name ci/tests'],
    },
    'ls',
  )
    .argument('<VERSION>', VERSION_ARGUMENT)
    .option('--history', 'every report of each run')
    .option('--name <NAME>', 'every report of this check');
  addCommonFlags(verb).action((version: string, flags: OutputFlags & { history?: boolean; name?: string }) =>
    withCaller(verb, async ({ ask }) => {
      const params = await findVersion(ask, version);
      const pages = await askAll(({ page_token }) => {
        const query = { limit: CHECKS_PAGE, ...(page_token === undefined ? {} : { page_token }) };
        return flags.name === undefined
          ? ask('listChecks', { params, query: { ...query, ...(flags.history ? { history: true } : {}) } })
          : ask('listCheckHistory', { params: { ...params, check: flags.name }, query });
      });
      const checks = pages.flatMap((page) => page.checks);
      show(flags, { document: { checks }, quiet: checks.map(({ id }) => String(id)), lines: linesOf(checks) });
    }),
  );
}

function linesOf(checks: readonly Check[]): string[] {
  return table(
    ['CHECK', 'CONCLUSION', 'ENTITLED', 'BYTES', 'RUN', 'BY', 'WHEN'],
    checks.map((check) => [
      check.name,
      check.conclusion ?? check.status,
      check.is_entitled ? 'yes' : 'no',
      check.is_current ? 'current' : check.digest === null ? 'unsealed' : 'other',
      check.external_id,
      check.reported_by.name,
      relativeTime(check.reported_at),
    ]),
  );
}

function sentenceOf(check: Check): string {
  const counts = !check.is_entitled ? ' It counts for nothing: this identity may not report it.' : '';
  const bytes = check.digest === null ? ' It counts for nothing: the version is not sealed.' : '';
  return `The check '${check.name}' (${check.external_id}) is ${check.conclusion ?? check.status.replace('_', ' ')}.${counts || bytes}`;
}

function reportOf(name: string, flags: ReportFlags): Omit<Report, 'status'> {
  const url = flags.detailsUrl ?? detailsUrlOf(process.env);
  return {
    name,
    external_id: flags.externalId ?? externalIdOf(process.env),
    ...(url === undefined ? {} : { details_url: url }),
    ...(flags.digest === undefined ? {} : { digest: flags.digest }),
    ...summaryOf(flags),
  };
}

function summaryOf({ summaryFile }: ReportFlags): { summary?: string } {
  return summaryFile === undefined ? {} : { summary: readText('--summary-file', summaryFile) };
}
