/** Whether a version's numbers are as a policy asks. Pure. */
import type { MetricRule, RequiredCheck } from '@countersign/contract/policies.ts';
import type { CheckReport, EvidenceMetric, PolicyFacts, Standing, VersionEvidence } from '@countersign/contract/policy-facts.ts';
import { countingOf, type Judged, newestOf } from './check-rules.ts';

/** A number, or why there is none. */
type Found = { readonly values: readonly number[] } | { readonly why: string };

export function judgeMetric(rule: MetricRule, required: readonly RequiredCheck[], facts: PolicyFacts, version: VersionEvidence): Judged {
  const on = rule.dataset === undefined ? '' : ` on '${rule.dataset}'`;
  const name = `metric '${rule.name}'${on}`;
  const found = rule.reported_by === 'check' ? fromChecks(rule, required, facts, version.checks) : fromRun(rule, version);
  if ('why' in found) return missing(rule, `${name} ${found.why}`);
  for (const bound of boundsOf(rule, required, facts)) {
    if ('why' in bound) return missing(rule, `${name} can't be compared: ${bound.why}`);
    const bad = found.values.find((value) => !holds(value, rule.op, bound.value));
    if (bad !== undefined) return missing(rule, `${name} is ${bad}; ${rule.op} ${bound.value} is asked${bound.says}`);
  }
  return { ok: { requirement: 'metrics', what: `${name} is ${found.values.join(', ')}, as asked` } };
}

function holds(value: number, op: MetricRule['op'], bound: number): boolean {
  // NaN is in no order, so it satisfies nothing.
  switch (op) {
    case '>=':
      return value >= bound;
    case '>':
      return value > bound;
    case '<=':
      return value <= bound;
    case '<':
      return value < bound;
  }
}

function fromRun(rule: MetricRule, version: VersionEvidence): Found {
  if (version.lineage !== 'verified')
    return { why: version.lineage === 'claimed' ? 'is of a run that is only claimed' : 'is of no run under which the bytes were uploaded' };
  const values = valuesOf(version.metrics, rule);
  return values.length === 0 ? { why: 'is not in the evidence' } : { values };
}

/** Of each check the newest report that counts; where several report the metric, all must satisfy the rule. */
function fromChecks(rule: MetricRule, required: readonly RequiredCheck[], facts: PolicyFacts, checks: readonly CheckReport[]): Found {
  const values = latestReports(rule, counted(required, facts, checks, facts.binding.digest));
  return values.length === 0 ? { why: 'is in no report of a check that counts' } : { values };
}

/** A check that is required counts here by the same terms. */
function counted(
  required: readonly RequiredCheck[],
  facts: PolicyFacts,
  checks: readonly CheckReport[],
  digest: string | null,
): readonly CheckReport[] {
  const counting = countingOf(facts, digest);
  const termsOf = (name: string): Pick<RequiredCheck, 'reporter' | 'own_report'> =>
    required.find((each) => each.name === name) ?? { own_report: false };
  return checks.filter((each) => counting(each, termsOf(each.name)) === undefined);
}

function latestReports(rule: MetricRule, checks: readonly CheckReport[]): readonly number[] {
  const names = new Set(checks.map((each) => each.name).filter((name) => rule.check === undefined || name === rule.check));
  return [...names].flatMap((name) => {
    const newest = newestOf(checks.filter((each) => each.name === name && each.conclusion !== null && hasMetric(each, rule)));
    return newest === undefined ? [] : [newest.metrics[rule.name] ?? Number.NaN];
  });
}

function hasMetric(check: CheckReport, rule: MetricRule): boolean {
  return Object.hasOwn(check.metrics, rule.name) && (rule.dataset === undefined || check.dataset === rule.dataset);
}

/** Without a dataset in the rule: those on every dataset. */
function valuesOf(metrics: readonly EvidenceMetric[], rule: MetricRule): readonly number[] {
  return metrics
    .filter((each) => each.name === rule.name && (rule.dataset === undefined || each.dataset === rule.dataset))
    .map((each) => each.value);
}

type Bound = { readonly value: number; readonly says: string } | { readonly why: string };

/** What the value is compared with: a number, or the best of each version that stands in the target now. */
function boundsOf(rule: MetricRule, required: readonly RequiredCheck[], facts: PolicyFacts): readonly Bound[] {
  const { current } = rule;
  if (current === undefined) return [{ value: rule.value ?? Number.NaN, says: '' }];
  const isHigherBetter = rule.op === '>=' || rule.op === '>';
  return facts.standing.flatMap((holder: Standing): Bound[] => {
    const values =
      rule.reported_by === 'check'
        ? // All of them are for its own bytes; whoever wants to take its place says nothing of it.
          latestReports(rule, counted(required, facts, holder.checks, holder.checks[0]?.digest ?? null))
        : valuesOf(holder.metrics, rule);
    // A NaN there is no number to be compared with.
    const known = values.filter((value) => !Number.isNaN(value));
    if (known.length === 0) return current.without_metric === 'pass' ? [] : [{ why: `${holder.name}, which stands there now, has none` }];
    const best = isHigherBetter ? Math.max(...known) : Math.min(...known);
    const says = `, by ${holder.name}, which stands there now with ${best}`;
    return [{ value: isHigherBetter ? best - current.tolerance : best + current.tolerance, says }];
  });
}

function missing(rule: MetricRule, what: string): Judged {
  const isOfCheck = rule.reported_by === 'check';
  return {
    missing: {
      requirement: 'metrics',
      what,
      who: isOfCheck ? (rule.check ?? 'whoever may report a check') : 'who makes the version',
      how: isOfCheck
        ? 'Report the metric with a check for these bytes.'
        : 'Register a version from a run that logged it, under which the files were uploaded; or renew the evidence.',
      candidates: [],
      until: null,
    },
  };
}
