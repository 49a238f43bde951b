import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { policyEditorSchema } from './policies.ts';
import { checkPolicy, parsePolicy } from './policy-document.ts';
import { Problem } from './problem.ts';

const HEAD = 'name: p\nmode: enforce\nmatch: {target: {stage: Production}}\n';

function refusalOf(text: string): string {
  try {
    parsePolicy(text);
  } catch (error) {
    if (error instanceof Problem) return `${error.code}: ${error.message}`;
    throw error;
  }
  return '';
}

describe('the text of a policy', () => {
  it('is read with every default', () => {
    expect(parsePolicy(HEAD)).toEqual({
      name: 'p',
      description: '',
      mode: 'enforce',
      match: { model: '*', tags: {}, target: { stage: 'Production' } },
      requirements: {
        sealed: true,
        self_approval: false,
        approvals: [],
        count_person_in: 'one',
        exclude: ['requester', 'version_creator'],
        unlinked: 'refuse',
        quiet_after_change: '7d',
        checks: [],
        metrics: [],
        tags: [],
        description: false,
        model_card_sections: [],
        signature: false,
        input_example: false,
      },
      freeze: [],
      expiry: { request: '30d', approval: '14d' },
      apply: 'automatic',
      on_refused: 'refuse',
    });
  });

  it('gives each policy defaults of its own', () => {
    parsePolicy(`${HEAD}requirements: {approvals: [{group: risk}]}`).requirements.approvals.push({ count: 1 });
    expect(parsePolicy(HEAD).requirements.approvals).toEqual([]);
  });

  it('always excludes requester and creator, unless it allows self-approval', () => {
    expect(parsePolicy(`${HEAD}requirements: {exclude: [run_author, run_author]}`).requirements.exclude).toEqual([
      'requester',
      'run_author',
      'version_creator',
    ]);
    expect(parsePolicy(`${HEAD}requirements: {self_approval: true, exclude: [requester]}`).requirements.exclude).toEqual(['requester']);
  });

  it.each([
    ['', /line 1: it is empty/],
    ['# nothing\n', /must be object|empty/],
    ['name: [', /line 1: it is not YAML/],
    ['name: a\nname: b\n', /line 2: it is not YAML/],
    [`${HEAD}---\nname: q\n`, /line 4: a second document|line 5: a second document/],
    [`${HEAD}# all of it\u2028requirements: { approvals: [{ group: risk }] }\n`, /line 4: it holds the character U\+2028/],
    [`${HEAD}description: x # \u202e eslaf\n`, /line 4: it holds the character U\+202E/],
    [`${HEAD}description: "\\u202e x"\n`, /'description' holds a character by which/],
    ['name: &a p\ndescription: *a\nmode: warn\n', /an alias/],
    ['mode: enforce\nmatch: {target: {stage: Production}}\n', /line 1: it lacks 'name'. Add it/],
    ['name: P P\nmode: enforce\nmatch: {target: {stage: Production}}\n', /line 1: 'name' is not written as it must be. Unique/],
    [`${HEAD}mod: 1\n`, /line 4: it has an unknown member 'mod'. It takes: name, description, mode/],
    [`${HEAD}requirements:\n  sealed: true\n  aprovals: []\n`, /line 6: 'requirements' has an unknown member 'aprovals'. It takes: sealed/],
    [`${HEAD}requirements:\n  approvals:\n    - group: risk\n      count: 0\n`, /line 7: 'requirements.approvals\[0\].count' must be >= 1/],
    [`${HEAD}requirements:\n  approvals:\n    - count: 1\n`, /line 6: .*neither 'group' nor 'level'/],
    [`${HEAD}requirements:\n  approvals:\n    - {group: a, level: EDIT}\n`, /both 'group' and 'level'/],
    [`${HEAD}requirements:\n  approvals: [{group: a}, {group: a, count: 2}]\n`, /'group a' twice/],
    ['name: p\nmode: maybe\nmatch: {target: {stage: Production}}\n', /line 2: 'mode' must be one of observe, warn, enforce/],
    ['name: p\nmode: warn\nmatch:\n  target: {stage: latest}\n', /line 4: 'latest' follows/],
    ['name: p\nmode: warn\nmatch: {target: {prompt: {alias: Latest}}}\n', /line 3: 'latest' follows/],
    ['name: p\nmode: warn\nmatch: {target: {stage: "7"}}\n', /is read as the number of a version/],
    ['name: p\nmode: warn\nmatch: {target: {}}\n', /has no member; it takes exactly one of stage, alias, entry, tag, setting, prompt/],
    ['name: p\nmode: warn\nmatch: {target: {stage: a, alias: b}}\n', /has several members/],
    ['name: p\nmode: warn\nmatch: {model: "prod.*", target: {setting: policies}}\n', /about no model/],
    ['name: p\nmode: warn\nmatch: {target: {setting: policies}}\nrequirements: {checks: [{name: a}]}\n', /a setting has no checks/],
    ['name: p\nmode: warn\nmatch: {target: {setting: policies}}\nrequirements: {approvals: [{level: EDIT}]}\n', /Name a group/],
    [`${HEAD}requirements: {metrics: [{name: a, op: '>='}]}\n`, /neither 'value' nor 'current'/],
    [`${HEAD}requirements: {metrics: [{name: a, op: '=', value: 1}]}\n`, /must be one of >=, >, <=, </],
    [`${HEAD}requirements: {metrics: [{name: a, op: '>', value: .nan}]}\n`, /is NaN. Give a number/],
    [`${HEAD}requirements: {metrics: [{name: a, op: '>', value: 1, check: c}]}\n`, /Say 'reported_by: check'/],
    [`${HEAD}requirements: {soak: {at_least: 2d}}\n`, /neither 'stage' nor 'alias'/],
    [`${HEAD}requirements: {soak: {stage: Staging, at_least: 2 days}}\n`, /Like 90m, 24h, 7d, 2w/],
    [`${HEAD}requirements: {tags: [{key: '../a'}]}\n`, /must not resolve to other names/],
    [`${HEAD}freeze:\n  - {weekly: {from: fri 16:00, to: mon 08:00}, time_zone: Mars/Base}\n`, /line 5: .*unknown time zone 'Mars\/Base'/],
    [`${HEAD}freeze: [{weekly: {from: fri 16:00, to: fri 16:00}, time_zone: UTC}]\n`, /ends when it begins/],
    [`${HEAD}freeze: [{dated: {from: 2026-02-30 00:00, to: 2026-03-01 00:00}, time_zone: UTC}]\n`, /isn't on the calendar/],
    [`${HEAD}freeze: [{dated: {from: 2026-03-02 00:00, to: 2026-03-01 00:00}, time_zone: UTC}]\n`, /ends before it begins/],
    [`${HEAD}freeze: [{dated: {from: 2026-03-02 00:00, to: 2026-03-03 00:00}, time_zone: '+02:00'}]\n`, /unknown time zone/],
    [`${HEAD}rollback: {within_days: 30, roles: []}\n`, /rollback.roles/],
    [`${HEAD}description: "\\0"\n`, /can’t be stored/],
    [`${HEAD}__proto__: {a: 1}\n`, /__proto__/],
    [`description: ${'x'.repeat(70_000)}`, /at most 65536 characters/],
    ['7', /must be object/],
    ['- a', /must be object/],
  ])('is refused in a sentence with line and member: %j', (text, sentence) => {
    expect(refusalOf(text)).toMatch(/^INVALID_PARAMETER_VALUE: /);
    expect(refusalOf(text)).toMatch(sentence);
  });

  it('is refused by a Problem and nothing else, whatever it is', () => {
    const yamlish = fc.array(
      fc.constantFrom(
        ...'abn 0:-{}[],\n\t\'"#&*!|>%@`?.~',
        'name: ',
        'match: ',
        '  - ',
        '\n  ',
        '<<: ',
        '!!binary ',
        'requirements:',
        '---\n',
        '...\n',
      ),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          yamlish.map((each) => each.join('')),
          fc.string({ unit: 'binary' }),
          mutated(),
        ),
        (text) => {
          refusalOf(text);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('given as JSON is refused by a Problem and nothing else, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }), (value) => {
        expect(() => checkPolicy(value)).toThrow(Problem);
      }),
      { numRuns: 300 },
    );
    expect(() => checkPolicy(() => 1)).toThrow(Problem);
    expect(checkPolicy({ name: 'p', mode: 'enforce', match: { target: { stage: 'Production' } } })).toEqual(parsePolicy(HEAD));
  });

  it('nested without end is refused in a sentence', () => {
    expect(refusalOf('['.repeat(30_000))).toMatch(/^INVALID_PARAMETER_VALUE/);
    expect(refusalOf(`${HEAD}description: ${'['.repeat(500)}${']'.repeat(500)}`)).toMatch(/nested too deeply/);
  });
});

describe('expressions', () => {
  const expression = (that: string, target = 'stage: Production'): string =>
    `name: p\nmode: enforce\nmatch: {target: {${target}}}\nrequirements:\n  expressions:\n    - name: small\n      says: Keep it small.\n      that: ${JSON.stringify(that)}\n`;

  it('are read and kept as they are written', () => {
    const that = 'int(version.params["depth"]) <= 8';
    expect(parsePolicy(expression(that)).requirements.expressions).toEqual([{ name: 'small', says: 'Keep it small.', that }]);
  });

  it.each([
    ['version.sealed &&', "can't be read at character 18: Unexpected token: EOF"],
    ['version.size > 1', 'is wrong at character 9: No such key: size'],
    ['version.sealed == 1', 'is wrong at character 1: no such overload: bool == int'],
    ['version.tags["a"]', 'is neither true nor false, but of type string'],
    ['model.tags["a"] == "x"', 'is wrong at character 1: Unknown variable: model'],
    ['version.tags["a"].matches("(a+)+")', "uses the method 'matches', which is not offered"],
    ['version.model_card_sections.map(a, a + a).size() > 0', "uses the method 'map', which is not offered"],
    ['cel.bind(a, "x", a == "x")', "uses the method 'bind', which is not offered"],
    ['dyn(version.tags).b == "x"', "uses the function 'dyn', which is not offered"],
    ['[version.tags["a"] + "x"].exists(a, a == "")', "has '.exists' over something that is put together"],
    ['checks.all(a, checks.all(b, checks.all(c, a == c)))', 'has more than 2 loops in one another'],
    ['now > timestamp("2027-01-31 00:00:00 in spring")', "has a 'timestamp' of something else than a time that is written out"],
    ['now > timestamp(version.tags["until"])', "has a 'timestamp' of something else than a time that is written out"],
    ['now.getHours("Europe/Berlin") > 8', "gives '.getHours' a time zone"],
  ])('%s is refused with its line and member', (that, why) => {
    expect(refusalOf(expression(that))).toContain(`Policy, line 8: 'requirements.expressions[0].that' ${why}`);
  });

  it('are refused where they are too long, called the same, or of a setting', () => {
    expect(refusalOf(expression(`version.sealed ${' '.repeat(2000)}`))).toContain("'requirements.expressions[0].that'");
    const twice = `${expression('version.sealed')}    - {name: small, says: No., that: version.sealed}\n`;
    expect(refusalOf(twice)).toContain("'requirements.expressions' has 'small' twice. Name each otherwise");
    expect(refusalOf(expression('version.sealed', 'setting: policies'))).toContain(
      "a setting has no expressions. Leave 'requirements.expressions' out",
    );
  });

  it('are refused by a Problem and nothing else, whatever they are', () => {
    const word = fc.constantFrom(
      ...[
        'version',
        'checks',
        'standing',
        '.tags',
        '["a"]',
        '.all(',
        '.filter(',
        '.size()',
        '(',
        ')',
        'x',
        ',',
        '==',
        '&&',
        '!',
        '-',
        '+',
        '1',
        '2.5',
      ],
      ...[
        '"a"',
        '[',
        ']',
        '{',
        '}',
        ':',
        '?',
        'in',
        'true',
        'null',
        'timestamp(',
        'duration("1h")',
        'now',
        '__proto__',
        "r'\\x'",
        '\\',
        '@',
      ],
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ minLength: 1 }),
          fc.array(word, { minLength: 1, maxLength: 12 }).map((words) => words.join(' ')),
        ),
        (that) => {
          try {
            parsePolicy(expression(that));
          } catch (error) {
            expect(error).toBeInstanceOf(Problem);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('nested without end are refused in a sentence, or read', () => {
    expect(refusalOf(expression(`${'('.repeat(900)}true${')'.repeat(900)}`))).toContain("'requirements.expressions[0].that' can't be read");
    expect(refusalOf(expression(`${'!'.repeat(1900)}true`))).toBe('');
  });
});

/** A good text with one character changed. */
function mutated(): fc.Arbitrary<string> {
  const good = `${HEAD}requirements: {approvals: [{group: risk, count: 2}], checks: [{name: ci/tests, max_age: 7d}]}\n`;
  return fc.tuple(fc.nat(good.length), fc.string({ maxLength: 2 })).map(([at, put]) => good.slice(0, at) + put + good.slice(at + 1));
}

describe('the schema for editors', () => {
  it('is published as it is', async () => {
    const published = { $schema: 'https://json-schema.org/draft/2020-12/schema', ...Object(policyEditorSchema()) };
    await expect(`${JSON.stringify(published, null, 2)}\n`).toMatchFileSnapshot('../../../docs/policies/policy.schema.json');
  });

  it('demands what has no default, and nothing else', () => {
    expect(policyEditorSchema()).toMatchObject({
      required: ['name', 'mode', 'match'],
      additionalProperties: false,
      properties: {
        match: { required: ['target'], properties: { target: { minProperties: 1, maxProperties: 1 } } },
        requirements: { required: [], properties: { checks: { items: { required: ['name'] } } } },
      },
    });
  });
});
