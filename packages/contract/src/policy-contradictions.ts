/** What a schema can't say: members that exclude each other, or that nothing could ever satisfy. Pure. */
import type { FreezeWindow, MetricRule, Policy } from './policies.ts';

export interface Contradiction {
  readonly path: readonly (string | number)[];
  /** Says what is wrong and what to do; without a full stop. */
  readonly sentence: string;
}

/** The first one; undefined where the document makes sense. */
export function contradictionOf(policy: Policy): Contradiction | undefined {
  const { requirements } = policy;
  return (
    ofTarget(policy) ??
    ofSettingTarget(policy) ??
    firstOf(requirements.approvals, ['requirements', 'approvals'], (each) => exactlyOne(each, 'group', 'level')) ??
    duplicateOf(requirements.approvals.map(approverKey), ['requirements', 'approvals'], 'Give the sum as its count') ??
    duplicateOf(
      requirements.checks.map((each) => each.name),
      ['requirements', 'checks'],
      'Name it once',
    ) ??
    duplicateOf(
      requirements.tags.map((each) => each.key),
      ['requirements', 'tags'],
      'Name it once',
    ) ??
    duplicateOf(
      (requirements.expressions ?? []).map((each) => each.name),
      ['requirements', 'expressions'],
      'Name each otherwise',
    ) ??
    firstOf(requirements.metrics, ['requirements', 'metrics'], ofMetric) ??
    ofSoak(policy) ??
    firstOf(policy.freeze, ['freeze'], ofFreeze) ??
    firstOf(policy.rollback?.roles ?? [], ['rollback', 'roles'], (each) => exactlyOne(each, 'group', 'level'))
  );
}

function firstOf<T>(items: readonly T[], path: readonly string[], judge: (item: T) => string | undefined): Contradiction | undefined {
  for (const [index, item] of items.entries()) {
    const sentence = judge(item);
    if (sentence !== undefined) return { path: [...path, index], sentence: `'${path.join('.')}[${index}]' ${sentence}` };
  }
  return undefined;
}

function duplicateOf(keys: readonly string[], path: readonly string[], advice: string): Contradiction | undefined {
  const index = keys.findIndex((key, at) => keys.indexOf(key) < at);
  if (index < 0) return undefined;
  return { path: [...path, index], sentence: `'${path.join('.')}' has '${keys[index]}' twice. ${advice}` };
}

function exactlyOne<K extends string>(item: { readonly [Key in K]?: unknown }, one: K, other: K): string | undefined {
  if (item[one] !== undefined && item[other] !== undefined) return `has both '${one}' and '${other}'. Give one of them`;
  if (item[one] === undefined && item[other] === undefined) return `has neither '${one}' nor '${other}'. Give one of them`;
  return undefined;
}

function approverKey(approver: { readonly group?: string; readonly level?: string }): string {
  return approver.group === undefined ? `level ${approver.level}` : `group ${approver.group}`;
}

/** Clients read `models:/m/latest` and `models:/m/7` as something else than a stage. */
function ofTarget(policy: Policy): Contradiction | undefined {
  const { target } = policy.match;
  const within = target.prompt ?? target;
  const path = target.prompt === undefined ? ['match', 'target'] : ['match', 'target', 'prompt'];
  for (const kind of ['stage', 'alias'] as const) {
    const word = within[kind];
    if (word === undefined) continue;
    const place = [...path, kind];
    if (word.toLowerCase() === 'latest') {
      return { path: place, sentence: `'latest' follows whatever appears in the model. Govern '${path.at(-1)}: {entry: true}' instead` };
    }
    if (kind === 'stage' && /^\d+$/.test(word)) {
      return { path: place, sentence: `'${word}' is read as the number of a version. Name a stage` };
    }
  }
  return undefined;
}

/** Of a change in administration nobody can ask what only a version has. */
function ofSettingTarget(policy: Policy): Contradiction | undefined {
  if (policy.match.target.setting === undefined) return undefined;
  const { requirements: asked, match } = policy;
  if (match.model !== '*' || Object.keys(match.tags).length > 0)
    return { path: ['match'], sentence: "a policy on a setting is about no model. Leave 'model' and 'tags' out" };
  const name = Object.entries({
    checks: asked.checks.length > 0,
    metrics: asked.metrics.length > 0,
    tags: asked.tags.length > 0,
    description: asked.description,
    model_card_sections: asked.model_card_sections.length > 0,
    signature: asked.signature,
    input_example: asked.input_example,
    breaking_signature_needs: asked.breaking_signature_needs !== undefined,
    soak: asked.soak !== undefined,
    registered_by: asked.registered_by !== undefined,
    expressions: asked.expressions !== undefined,
  }).find(([, isAsked]) => isAsked)?.[0];
  if (name !== undefined)
    return { path: ['requirements', name], sentence: `a setting has no ${name.replaceAll('_', ' ')}. Leave 'requirements.${name}' out` };
  if (asked.approvals.some((each) => each.level !== undefined && each.level !== 'MANAGE'))
    return {
      path: ['requirements', 'approvals'],
      sentence: 'a setting is about no model on which anyone has a level. Name a group, or MANAGE for who manages the workspace',
    };
  if (policy.rollback !== undefined) return { path: ['rollback'], sentence: "only versions come back. Leave 'rollback' out" };
  return undefined;
}

function ofMetric(rule: MetricRule): string | undefined {
  if (rule.check !== undefined && rule.reported_by === 'run')
    return "names a check, and takes the metric from a run. Say 'reported_by: check'";
  return exactlyOne(rule, 'value', 'current');
}

function ofSoak(policy: Policy): Contradiction | undefined {
  const { soak } = policy.requirements;
  const sentence = soak && exactlyOne(soak, 'stage', 'alias');
  return sentence === undefined ? undefined : { path: ['requirements', 'soak'], sentence: `'requirements.soak' ${sentence}` };
}

function ofFreeze(window: FreezeWindow): string | undefined {
  const both = exactlyOne(window, 'weekly', 'dated');
  if (both !== undefined) return both;
  if (!isTimeZone(window.time_zone)) return `has an unknown time zone '${window.time_zone}'. Give an IANA name like Europe/Berlin, or UTC`;
  const span = window.weekly ?? window.dated;
  if (span?.from === span?.to) return 'ends when it begins. Give another end';
  const { dated } = window;
  if (dated === undefined) return undefined;
  const wrong = [dated.from, dated.to].find((each) => !isOnCalendar(each));
  if (wrong !== undefined) return `has a time '${wrong}' that isn't on the calendar. Correct it`;
  return dated.to.replace('T', ' ') < dated.from.replace('T', ' ') ? 'ends before it begins. Exchange the two' : undefined;
}

function isTimeZone(name: string): boolean {
  // An offset has no summer time, which is what people who write one expect.
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function isOnCalendar(local: string): boolean {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = local.split(/[- T:]/).map(Number);
  if (year < 1970) return false;
  const at = new Date(Date.UTC(year, month - 1, day, hour, minute));
  return at.getUTCMonth() === month - 1 && at.getUTCDate() === day && at.getUTCHours() === hour && at.getUTCMinutes() === minute;
}
