/** Whether what a policy's expressions say is so. Pure; what an expression may speak of is `contract/policy-expression-facts.ts`. */
import { clip } from '@countersign/contract/mlflow/message.ts';
import type { GovernedTarget } from '@countersign/contract/permit.ts';
import type { Policy } from '@countersign/contract/policies.ts';
import type {
  CompiledExpression,
  ExpressionCheck,
  ExpressionFacts,
  ExpressionVersion,
} from '@countersign/contract/policy-expression-facts.ts';
import type { CheckReport, EvidenceMetric, PolicyFacts, VersionEvidence } from '@countersign/contract/policy-facts.ts';
import { countingOf, type Judged, newestOf } from './check-rules.ts';
import { type People, peopleOf } from './person-rules.ts';
import type { NamedPolicy } from './policy-hash-rules.ts';

/** For all expressions of a policy together: some ten milliseconds. */
export const STEPS_MAX = 250_000;

export function judgeExpressions(
  { document, expressions: compiled = [] }: NamedPolicy,
  facts: PolicyFacts,
  version: VersionEvidence,
): readonly Judged[] {
  const { expressions = [] } = document.requirements;
  if (expressions.length === 0) return [];
  const offered = offer(document, facts, version);
  let left = STEPS_MAX;
  return expressions.map((expression, at) => {
    const each = compiled[at];
    left -= each?.steps(offered) ?? 0;
    const why =
      left < 0
        ? `it takes more than ${STEPS_MAX} steps with so many facts; make the expressions of the policy simpler`
        : whyNot(each, offered);
    return why === undefined
      ? { ok: { requirement: 'expression', what: `expression '${expression.name}' holds` } }
      : missing(expression, why);
  });
}

/** Whether one of the expressions has a word; one that stands in a literal counts too. */
export function speakOf({ expressions = [] }: Policy['requirements'], word: 'checks' | 'standing'): boolean {
  return expressions.some(({ that }) => that.includes(word));
}

/** undefined: it holds. Empty: it doesn't. Else why it can't be told. */
function whyNot(expression: CompiledExpression | undefined, facts: ExpressionFacts): string | undefined {
  if (expression === undefined) return 'it was not read';
  try {
    return expression.holds(facts) ? undefined : '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function missing({ name, that, says }: NonNullable<Policy['requirements']['expressions']>[number], why: string): Judged {
  const reason = why === '' ? '' : `; it can't be told: ${why}`;
  return {
    missing: {
      requirement: 'expression',
      what: `${name}: ${says.replace(/[.\s]+$/, '')}${reason}`,
      who: 'whoever can make it so',
      how: `It must be true that ${clip(that)}.`,
      candidates: [],
      until: null,
    },
  };
}

function offer({ requirements }: Policy, facts: PolicyFacts, version: VersionEvidence): ExpressionFacts {
  const people = peopleOf(facts);
  const counting = countingOf(facts);
  const counted = version.checks.filter(
    (each) => counting(each, requirements.checks.find(({ name }) => name === each.name) ?? { own_report: false }) === undefined,
  );
  return {
    now: facts.now,
    target: { kind: facts.target.kind, name: nameOf(facts.target) },
    requesters: facts.requesters.map(people.accountNameOf),
    version: versionOf(version, people),
    checks: checksOf(counted, people),
    standing: facts.standing.map(({ name, metrics }) => ({ name, ...numbersOf(metrics) })),
  };
}

function nameOf(target: GovernedTarget): string {
  switch (target.kind) {
    case 'stage':
      return target.stage;
    case 'alias':
      return target.alias;
    case 'tag':
      return target.key;
    case 'setting':
      return target.setting;
    case 'entry':
      return '';
  }
}

function versionOf(version: VersionEvidence, people: People): ExpressionVersion {
  const registrar = people.find(version.registeredBy);
  // Of a run that is only claimed, nothing is known.
  const isVerified = version.lineage === 'verified';
  return {
    sealed: version.isSealed,
    lineage: version.lineage,
    registered_by: people.accountNameOf(version.registeredBy),
    registered_by_trust: registrar?.trust ?? '',
    tags: new Map(Object.entries(version.tags)),
    params: new Map(isVerified ? Object.entries(version.params) : []),
    ...numbersOf(isVerified ? version.metrics : []),
    has_description: version.hasDescription,
    has_signature: version.hasSignature,
    has_input_example: version.hasInputExample,
    model_card_sections: version.modelCardSections,
  };
}

/** What has several values has none, so that nobody picks the one that suits. */
function numbersOf(metrics: readonly EvidenceMetric[]): Pick<ExpressionVersion, 'metrics' | 'metrics_on'> {
  const datasets = Map.groupBy(metrics, ({ dataset }) => dataset ?? '');
  datasets.delete('');
  return { metrics: single(metrics), metrics_on: new Map([...datasets].map(([name, on]) => [name, single(on)])) };
}

function single(metrics: readonly EvidenceMetric[]): ReadonlyMap<string, number> {
  const values = new Map<string, Set<number>>();
  for (const { name, value } of metrics) values.set(name, (values.get(name) ?? new Set()).add(value));
  return new Map([...values].flatMap(([name, [value, ...others]]) => (value === undefined || others.length > 0 ? [] : [[name, value]])));
}

function checksOf(counted: readonly CheckReport[], people: People): ReadonlyMap<string, ExpressionCheck> {
  const names = new Set(counted.map(({ name }) => name));
  return new Map(
    [...names].flatMap((name): [string, ExpressionCheck][] => {
      const newest = newestOf(counted.filter((each) => each.name === name));
      if (newest === undefined) return [];
      const { conclusion, by, dataset = '', at, metrics } = newest;
      return [
        [
          name,
          { conclusion: conclusion ?? '', reporter: people.accountNameOf(by), dataset, at, metrics: new Map(Object.entries(metrics)) },
        ],
      ];
    }),
  );
}
