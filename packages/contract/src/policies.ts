/** What a policy may say: the document as people write it, with every default. What it leads to is decided by the server's rules. */
import { type Static, type TProperties, type TSchema, Type } from 'typebox';
import { LEVELS } from './levels.ts';
import { EXPRESSION_FACTS } from './policy-expression-facts.ts';
import { closed, oneOf } from './schemas.ts';

export const POLICY_TEXT_MAX = 64 * 1024;

export const POLICY_MODES = ['observe', 'warn', 'enforce'] as const;
export type PolicyMode = (typeof POLICY_MODES)[number];

/** What administration is governed as; `*` in a policy means all of them. */
export const GOVERNED_SETTINGS = [
  'policies',
  'stages',
  'memberships',
  'service-accounts',
  'credentials',
  'identity-providers',
  'ci-trusts',
  'blocks',
] as const;

export const EXCLUDABLE = ['requester', 'version_creator', 'run_author', 'last_editor'] as const;
export type Excludable = (typeof EXCLUDABLE)[number];

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

const LIST_MAX = 20;
const YEAR_DAYS = 366;

const DURATION_UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Of a text that the schema took: `90m`, `24h`, `7d`, `2w`. */
export function durationMs(text: string): number {
  return Number(text.slice(0, -1)) * (DURATION_UNITS_MS[text.slice(-1)] ?? Number.NaN);
}

function text(description: string, maxLength = 200) {
  return Type.String({ minLength: 1, maxLength, description });
}

function optionalText(description: string) {
  return Type.Optional(text(description));
}

function duration(description: string, fallback?: string) {
  return Type.String({
    pattern: '^[1-9][0-9]{0,4}[mhdw]$',
    description: `${description} Like 90m, 24h, 7d, 2w.`,
    ...(fallback === undefined ? {} : { default: fallback }),
  });
}

function flag(fallback: boolean, description: string) {
  return Type.Boolean({ default: fallback, description });
}

function choice<const Words extends readonly string[]>(words: Words, fallback: Words[number], description: string) {
  return Type.Unsafe<Words[number]>({ enum: [...words], default: fallback, description });
}

/** May be left out: its members have defaults. */
function section<P extends TProperties>(properties: P) {
  return Type.Object(properties, { additionalProperties: false, default: {} });
}

function listOf<T extends TSchema>(item: T, description: string) {
  return Type.Array(item, { default: [], maxItems: LIST_MAX, description });
}

const count = Type.Integer({ minimum: 1, maximum: LIST_MAX, default: 1, description: 'How many different persons.' });
const group = optionalText('Name of a group of the workspace.');
const level = Type.Optional(oneOf(LEVELS, 'Anyone who has at least this level on the model.'));

const Approvers = closed({ group, level, count }, 'Either a group or a level.');
/** Whoever may do something: either a group or a level. */
const Role = closed({ group, level }, 'Either a group or a level.');

const place = {
  stage: optionalText('A stage, in any case. An alias named like a stage counts as that stage.'),
  alias: optionalText('An alias; `*` stands for anything.'),
  entry: Type.Optional(
    Type.Literal(true, { description: 'A version appears in the model or leaves it; so `models:/…/latest` is governed.' }),
  ),
};

const Target = Type.Object(
  {
    ...place,
    tag: optionalText('A tag key; `*` stands for anything.'),
    setting: Type.Optional(oneOf([...GOVERNED_SETTINGS, '*'], 'A part of administration.')),
    prompt: Type.Optional(
      Type.Object(place, {
        additionalProperties: false,
        minProperties: 1,
        maxProperties: 1,
        description: 'The same for prompts, which the others leave alone.',
      }),
    ),
  },
  { additionalProperties: false, minProperties: 1, maxProperties: 1, description: 'Exactly one member.' },
);

const Match = closed({
  model: Type.String({ minLength: 1, maxLength: 500, default: '*', description: "Name of the model; `*` stands for anything: 'fraud-*'." }),
  tags: Type.Record(Type.String({ minLength: 1 }), Type.String(), {
    default: {},
    maxProperties: LIST_MAX,
    description: 'Tags of the registered model, all of them, by their exact values.',
  }),
  target: Target,
});

const RequiredCheck = closed({
  name: text('As it is reported: ci/tests.'),
  reporter: optionalText('Name of the account that must have reported it; `ci:<trust>` for jobs of a CI trust.'),
  max_age: Type.Optional(duration('A report older than this no longer counts.')),
  own_report: flag(false, 'Let a report of the requester or of the version’s creator count. A weakness.'),
});

const MetricRule = Type.Object(
  {
    name: text('Name of the metric.', 250),
    op: oneOf(['>=', '>', '<=', '<'], 'How the version’s value stands to the other.'),
    value: Type.Optional(Type.Number({ description: 'To this number.' })),
    current: Type.Optional(
      closed(
        {
          tolerance: Type.Number({ minimum: 0, default: 0, description: 'How much worse it may be.' }),
          without_metric: choice(
            ['fail', 'pass'],
            'fail',
            'What holds where the version that stands there has no such metric. Where nothing stands, it passes.',
          ),
        },
        'To the value of what stands in the target now.',
      ),
    ),
    dataset: optionalText('Only a value on the dataset of this name.'),
    reported_by: choice(
      ['run', 'check'],
      'run',
      '`run`: from the evidence of a run whose lineage is verified; `check`: from a check that counts.',
    ),
    check: optionalText('With `reported_by: check`: of this check alone. Else every check that reports the metric must satisfy the rule.'),
  },
  { additionalProperties: false, description: 'Either value or current.' },
);

const Expression = closed({
  name: text('What it is called.', 100),
  that: text(`In CEL: true where the version may enter. ${EXPRESSION_FACTS}`, 2000),
  says: text('A sentence for whoever is refused: what is missing, and what to do.', 500),
});

const Requirements = section({
  sealed: flag(true, 'The version must be bound to its bytes. Without it: a weakness.'),
  self_approval: flag(false, 'Let requester and creator approve. A weakness.'),
  approvals: listOf(Approvers, 'Who must approve; one person fills one place.'),
  count_person_in: choice(
    ['one', 'each'],
    'one',
    'Whether an approver who is in several of the groups fills one place in all, or one in each.',
  ),
  exclude: listOf(oneOf(EXCLUDABLE), 'Who may not approve; requester and version_creator are always among them, unless self_approval.'),
  unlinked: choice(
    ['refuse', 'pass'],
    'refuse',
    'What holds where an excluded role was a CI identity that no account is linked to. `pass` is a weakness.',
  ),
  quiet_after_change: duration("An approval doesn't count so long after the requester changed the approver's credentials or groups.", '7d'),
  checks: listOf(RequiredCheck, 'Checks that must be green for exactly these bytes.'),
  metrics: listOf(MetricRule, 'What the numbers must be.'),
  tags: listOf(
    closed({
      key: text('Key of the tag.', 250),
      value: Type.Optional(Type.String({ maxLength: 5000, description: 'Any where left out.' })),
    }),
    'Tags of the version.',
  ),
  description: flag(false, 'The version must have a description.'),
  model_card_sections: listOf(text('Title of a section.'), 'Sections of the model card that must say something.'),
  signature: flag(false, 'The version must have a signature.'),
  input_example: flag(false, 'The version must have an input example.'),
  breaking_signature_needs: Type.Optional(
    closed(
      { group: text('Name of a group.'), count },
      'Who must approve as well where the signature breaks callers of what stands there now.',
    ),
  ),
  soak: Type.Optional(
    Type.Object(
      { stage: optionalText('A stage.'), alias: optionalText('An alias.'), at_least: duration('How long it must have stood there.') },
      { additionalProperties: false, description: 'Either stage or alias, in which the version stands now.' },
    ),
  ),
  registered_by: Type.Optional(closed({ trust: text('Name of a CI trust.') }, 'Only versions that jobs of this trust registered.')),
  // Without a default, so that policies without it keep their hash.
  expressions: Type.Optional(
    Type.Array(Expression, {
      minItems: 1,
      maxItems: LIST_MAX,
      description: 'What must hold beside all that: for what the other members can’t say.',
    }),
  ),
});

const LocalMinute = Type.String({
  pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}$',
  description: "On the zone's clock: 2026-12-19 18:00.",
});
const WeekMinute = Type.String({
  pattern: `^(${WEEKDAYS.join('|')}) ([01][0-9]|2[0-3]):[0-5][0-9]$`,
  description: "On the zone's clock: fri 16:00.",
});

const Freeze = Type.Object(
  {
    weekly: Type.Optional(closed({ from: WeekMinute, to: WeekMinute }, 'Every week.')),
    dated: Type.Optional(closed({ from: LocalMinute, to: LocalMinute }, 'Once.')),
    time_zone: text('IANA name: Europe/Berlin.', 64),
    reason: optionalText('For whoever is refused.'),
  },
  { additionalProperties: false, description: 'Either weekly or dated: from then on, until before then, nothing changes.' },
);

export const PolicySchema = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,99}$', description: 'Unique in the workspace: lowercase letters, digits, . _ -' }),
    description: Type.String({ maxLength: 2000, default: '', description: 'What it is for.' }),
    mode: oneOf(POLICY_MODES, '`observe` records what would be refused, `warn` also tells the caller, `enforce` refuses.'),
    match: Match,
    requirements: Requirements,
    freeze: listOf(Freeze, 'When nothing changes.'),
    expiry: section({ request: duration('After it was opened.', '30d'), approval: duration('After it was given.', '14d') }),
    apply: choice(['automatic', 'manual'], 'automatic', 'Whether what is allowed happens at once, or when somebody says so.'),
    rollback: Type.Optional(
      closed(
        {
          within_days: Type.Integer({ minimum: 1, maximum: YEAR_DAYS, description: 'How long ago the version may have left the target.' }),
          roles: Type.Array(Role, { minItems: 1, maxItems: LIST_MAX, description: 'Who may do it alone, with a reason.' }),
          serving_controller: flag(false, 'The serving controller may, too.'),
        },
        'A version that was here before may come back.',
      ),
    ),
    break_glass: Type.Optional(
      closed(
        {
          permission: text('Name of the permission that it takes.', 100),
          minutes: Type.Integer({ minimum: 1, maximum: 1440, description: 'How long it stays open.' }),
        },
        'A way past the requirements, marked for ever.',
      ),
    ),
    // Without a default: one would change the hash of every policy.
    supersedes: Type.Optional(
      oneOf(['older'], 'A version that comes in closes the open requests of older versions for the same place, as superseded.'),
    ),
    on_refused: choice(['refuse', 'open_request'], 'refuse', 'Whether a refused call opens the request that it would have needed.'),
  },
  { $id: 'Policy', additionalProperties: false },
);

/** With every default filled in. */
export type Policy = Static<typeof PolicySchema>;
export type PolicyTarget = Policy['match']['target'];
export type PolicyRole = { readonly group?: string; readonly level?: (typeof LEVELS)[number] };
export type MetricRule = Static<typeof MetricRule>;
export type RequiredCheck = Static<typeof RequiredCheck>;
export type FreezeWindow = Static<typeof Freeze>;

/** The JSON Schema that editors check a policy by: members with a default may be left out. */
export function policyEditorSchema(): unknown {
  return withoutDefaulted(JSON.parse(JSON.stringify(PolicySchema)));
}

function withoutDefaulted(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutDefaulted);
  if (typeof schema !== 'object' || schema === null) return schema;
  const members: Readonly<Record<string, unknown>> = { ...schema };
  const copy = Object.fromEntries(Object.entries(members).map(([name, value]) => [name, withoutDefaulted(value)]));
  if (!Array.isArray(members.required)) return copy;
  const properties = Object.entries(members.properties ?? {});
  const defaulted = new Set(properties.filter(([, each]) => Object.hasOwn(each, 'default')).map(([name]) => name));
  return { ...copy, required: members.required.filter((name) => !defaulted.has(name)) };
}
