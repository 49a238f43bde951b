/** What policies say to a change, as people read it: what is missing, who can give it and how; what is there; what doesn't count, and why. */
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { printable, relativeTime } from './verbs.ts';

type Decision = AnswerOf<EndpointOf<'evaluateRequest'>>['decisions'][number];

const SHOWN_HASH = 12;

/** So much of a hash as tells it from the others. */
export function shortHash(hash: string): string {
  return hash.slice(0, SHOWN_HASH);
}

export function decisionLines(decisions: readonly Decision[]): string[] {
  return decisions.flatMap((each) => ['', headOf(each), ...bodyOf(each).map((line) => `  ${line}`)]);
}

function headOf({ policy, mode, path, target, change, is_allowed: isAllowed, is_satisfied: isSatisfied }: Decision): string {
  const verdict = isSatisfied ? 'nothing is missing' : isAllowed ? 'allowed, although something is missing' : 'not allowed yet';
  const way = path === 'requirements' ? '' : `, ${path}`;
  return `${policy.name} (${mode}${way}, ${shortHash(policy.hash)}) on ${change === 'leave' ? 'leaving ' : ''}${printable(target)}: ${verdict}`;
}

function bodyOf(decision: Decision): string[] {
  return [
    ...decision.missing.flatMap((each) => [
      `missing: ${printable(each.what)}`,
      `  who: ${printable(each.who)}`,
      `  how: ${printable(each.how)}`,
      ...(each.until === null ? [] : [`  over ${relativeTime(each.until)}`]),
    ]),
    ...decision.satisfied.map(({ what }) => `there: ${printable(what)}`),
    ...decision.stale_approvals.map(({ what }) => `doesn't count: ${printable(what)}`),
    ...decision.weaknesses.map(({ what }) => `weakness: ${printable(what)}`),
    ...(decision.next_possible_at === null || decision.is_satisfied
      ? []
      : [`possible ${relativeTime(decision.next_possible_at)}, if nothing else changes`]),
  ];
}
