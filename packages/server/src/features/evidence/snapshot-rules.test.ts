import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evidenceOf, factsOf, metricValue, readEvidence, type SnapshotContent } from './snapshot-rules.ts';

const text = fc.string({ maxLength: 4, unit: 'binary' });
const pairs = fc.uniqueArray(fc.record({ key: text, value: text }), { selector: (each) => each.key, maxLength: 5 });
const value = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom('NaN', 'Infinity', '-Infinity'));
const content: fc.Arbitrary<SnapshotContent> = fc.record({
  lineage: fc.constantFrom('verified', 'claimed', 'none'),
  run_id: fc.option(text),
  logged_model_id: fc.option(text),
  metrics: fc.array(
    fc.record({
      name: text,
      value: value as fc.Arbitrary<number | 'NaN'>,
      dataset: fc.option(text),
      dataset_digest: fc.option(text),
      source: fc.constantFrom('run', 'logged model'),
    }),
    { maxLength: 5 },
  ),
  params: pairs,
  datasets: fc.array(fc.record({ name: text, digest: text }), { maxLength: 3 }),
  signature: fc.option(fc.record({ inputs: fc.jsonValue(), outputs: fc.jsonValue(), params: fc.jsonValue() })),
  has_input_example: fc.boolean(),
  flavors: fc.uniqueArray(text, { maxLength: 3 }),
  requirements: fc.array(fc.record({ name: text, asked: text }), { maxLength: 3 }),
  tags: pairs,
  has_description: fc.boolean(),
  model_card_sections: fc.uniqueArray(text, { maxLength: 3 }),
});

const backwards = <Item>(list: readonly Item[]): Item[] => [...list].reverse();
const turned = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(turned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(backwards(Object.entries(value)).map(([name, member]) => [name, turned(member)]));
};

describe('an evidence digest', () => {
  test('is the same for the same content, whatever the order that rows and members come in', () => {
    fc.assert(
      fc.property(content, (facts) => {
        const other = {
          ...facts,
          metrics: backwards(facts.metrics),
          params: backwards(facts.params),
          datasets: backwards(facts.datasets),
          flavors: backwards(facts.flavors),
          requirements: backwards(facts.requirements),
          tags: backwards(facts.tags),
        };
        expect(evidenceOf(turned(other) as SnapshotContent).body).toBe(evidenceOf(facts).body);
      }),
    );
  });

  test('is of a body that says all of it, and is read back as it was', () => {
    fc.assert(
      fc.property(content, (facts) => {
        const evidence = evidenceOf(facts);
        expect(evidence.digest).toBe(hash('sha256', `countersign.evidence.v1\n${evidence.body}`));
        const read = readEvidence(evidence.body, evidence.digest);
        expect(evidenceOf(read.content)).toEqual(evidence);
        expect(factsOf(read)).toEqual(factsOf(evidence));
      }),
    );
  });

  test('differs where a single fact does', () => {
    fc.assert(
      fc.property(content, text, (facts, word) => {
        const other = { ...facts, tags: [...facts.tags, { key: `${word}${facts.tags.map((tag) => tag.key).join()}x`, value: word }] };
        expect(evidenceOf(other).digest).not.toBe(evidenceOf(facts).digest);
      }),
    );
  });

  test('is there for a signature that JSON has no form for', () => {
    const signature = { inputs: [Number.NaN, Infinity, 2 ** 60, '\ud800'], outputs: { ['__proto__']: 1n }, params: null };
    const { body } = evidenceOf({ ...EMPTY, signature });
    expect(JSON.parse(body).signature.inputs).toEqual(['NaN', 'Infinity', '1152921504606847000', '\ufffd']);
  });

  test('stays what it is', () => {
    expect(evidenceOf(EMPTY).digest).toBe('a202e1ce312fced01319b973be999f1081e7ae4711721ce22b9fe9d39f7f4a1a');
  });
});

const EMPTY: SnapshotContent = {
  lineage: 'none',
  run_id: null,
  logged_model_id: null,
  metrics: [],
  params: [],
  datasets: [],
  signature: null,
  has_input_example: false,
  flavors: [],
  requirements: [],
  tags: [],
  has_description: false,
  model_card_sections: [],
};

test('what JSON has no number for is a word, and a number again in facts', () => {
  expect([Number.NaN, 'NaN' as const, Number.MAX_VALUE, -Number.MAX_VALUE, 0.5].map(metricValue)).toEqual([
    'NaN',
    'NaN',
    'Infinity',
    '-Infinity',
    0.5,
  ]);
  const metric = { name: 'auc', value: 'Infinity', dataset: null, dataset_digest: null, source: 'run' } as const;
  const facts = factsOf(evidenceOf({ ...EMPTY, metrics: [metric, { ...metric, value: 'NaN', dataset: 'test' }] }));
  expect(facts.metrics).toEqual([
    { name: 'auc', value: Infinity, dataset: undefined },
    { name: 'auc', value: Number.NaN, dataset: 'test' },
  ]);
});
