import { Problem } from '@countersign/contract/problem.ts';
import type { Filter } from '@countersign/contract/search.ts';
import { describe, expect, it } from 'vitest';
import { parseExperimentFilter, parseExperimentOrderBy } from './experiment-search-grammar.ts';
import { parseLoggedModelFilter, parseLoggedModelOrderBy } from './logged-model-search-grammar.ts';
import { parseModelVersionFilter, parseModelVersionOrderBy } from './model-version-search-grammar.ts';
import { parseRegisteredModelFilter, parseRegisteredModelOrderBy } from './registered-model-search-grammar.ts';

function shown(filter: Filter): string[] {
  return filter.map(({ entity, key, operator, value }) => {
    const right = value === undefined ? [] : [value.kind === 'list' ? JSON.stringify(value.texts) : `${value.kind} ${value.text}`];
    return [`${entity}[${key}]`, operator, ...right].join(' ');
  });
}

describe('a filter of experiments', () => {
  it.each([
    ["name LIKE 'churn%' AND tags.team = 'ds'", ['attribute[name] LIKE string churn%', 'tag[team] = string ds']],
    ["experiment_id IN ('1','02')", ['attribute[experiment_id] IN ["1","2"]']],
    ["experiment_id != '7'", ['attribute[experiment_id] != string 7']],
    ['tags.a IS NOT NULL and tag.b is null', ['tag[a] IS NOT NULL', 'tag[b] IS NULL']],
    ['creation_time > 1700000000000', ['attribute[creation_time] > number 1700000000000']],
    ["attribute.`name` = 'a'", ['attribute[name] = string a']],
  ])('%s', (text, expected) => {
    expect(shown(parseExperimentFilter(text))).toEqual(expected);
  });

  it.each([
    ["attributes.name = 'a'", "Invalid entity type 'attributes'. Valid entity types are ('attribute', 'tag', 'tags')"],
    ["name IN ('a')", "Only ['experiment_id'] attributes support comparison with a list"],
    ["name like 'a'", "Invalid comparator 'like'"],
    ["name > 'a'", 'Invalid comparator for string attribute: >'],
    ['creation_time LIKE 1', 'Invalid comparator for numeric attribute: LIKE'],
    ["tags.a > 'x'", 'Invalid comparator for tag: >'],
    ['experiment_id = 1', 'Expected a quoted string value for attributes. Got value 1'],
    ["experiment_id LIKE '1'", 'Invalid comparator for experiment_id: LIKE'],
    ["experiment_id like 'a%'", 'Invalid comparator for experiment_id: LIKE'],
    ["experiment_id = 'abc'", "Invalid experiment ID 'abc'"],
    ["experiment_id IN ('1', 'abc')", "Invalid experiment ID 'abc'"],
    ['creation_time > 1.5', "Invalid value for numeric attribute 'creation_time': '1.5'"],
    ["creation_time > '1'", "Expected numeric value type for numeric attribute: creation_time. Found '1'"],
    ['name IS NULL', "IS NULL / IS NOT NULL is only supported for tags, not for attribute 'name'"],
    ["name = 'a' OR name = 'b'", 'Invalid clause(s) in filter string: OR'],
  ])('%s is refused', (text, message) => {
    expect(refusal(() => parseExperimentFilter(text))).toSatisfy((text: string) => text.startsWith(message));
  });

  it('orders by attributes, which may repeat', () => {
    expect(parseExperimentOrderBy(['attribute.name DESC', 'name'])).toEqual([
      { entity: 'attribute', key: 'name', descending: true },
      { entity: 'attribute', key: 'name', descending: false },
    ]);
    expect(refusal(() => parseExperimentOrderBy(['tag.a']))).toMatch(/^Invalid order_by entity: tag/);
    expect(refusal(() => parseExperimentOrderBy(['foo']))).toMatch(/^Invalid attribute key 'foo' specified/);
  });
});

describe('a filter of registered models', () => {
  it.each([
    ["name lIkE '%blah%'", ['attribute[name] LIKE string %blah%']],
    ["name NOT IN ('a', 'b') AND attribute.name != 'c'", ['attribute[name] NOT IN ["a","b"]', 'attribute[name] != string c']],
    ["name='m' and tag.t1 = 'abc'", ['attribute[name] = string m', 'tag[t1] = string abc']],
    [
      "name = 'p' AND tag.`mlflow.prompt.is_prompt` != 'true'",
      ['attribute[name] = string p', 'tag[mlflow.prompt.is_prompt] != string true'],
    ],
  ])('%s', (text, expected) => {
    expect(shown(parseRegisteredModelFilter(text))).toEqual(expected);
  });

  it.each([
    ["`name` = 'a'", "Invalid attribute key '`name`' specified. Valid keys are '{'name'}'"],
    ["attribute.`name` = 'a'", "Invalid attribute key '`name`' specified."],
    ["run_id = 'x'", "Invalid attribute key 'run_id' specified."],
    ["name > 'a'", 'Invalid comparator for attribute: >'],
    ["tag.a > 'a'", 'Invalid comparator for tag: >'],
    ['tag.a IS NULL', 'Invalid comparator for tag: IS NULL'],
    ["tag.a IN ('a')", 'Expected a quoted string value for tag'],
    ['name!=something', 'Parameter value is either not quoted or unidentified quote types used for string value something'],
    ['evilhax = true', 'Invalid clause(s) in filter string: evilhax, =, true'],
    ['name = 1', 'Expected a quoted string value or a list of quoted string values for attributes. Got value 1'],
  ])('%s is refused', (text, message) => {
    expect(refusal(() => parseRegisteredModelFilter(text))).toSatisfy((text: string) => text.startsWith(message));
  });

  it('orders by name and by the last update, under both of its names', () => {
    expect(parseRegisteredModelOrderBy(['timestamp  deSc', 'name ASC'])).toEqual([
      { entity: 'attribute', key: 'last_updated_timestamp', descending: true },
      { entity: 'attribute', key: 'name', descending: false },
    ]);
  });

  it.each([
    ['creation_timestamp DESC', "Invalid order by key 'creation_timestamp' specified. Valid keys are '{"],
    ['attribute.name', "Invalid order by key 'attribute.name' specified"],
    ['last_updated_timestamp DESC blah', "Invalid order_by clause 'last_updated_timestamp DESC blah'"],
    ['timestamp decs', "Invalid order_by clause 'timestamp decs'"],
    ['name aCs', "Invalid ordering key in order_by clause 'name aCs'."],
  ])('the order %s is refused', (item, message) => {
    expect(refusal(() => parseRegisteredModelOrderBy([item]))).toSatisfy((text: string) => text.startsWith(message));
  });

  it('refuses to order twice by one column', () => {
    expect(refusal(() => parseRegisteredModelOrderBy(['timestamp', 'last_updated_timestamp']))).toMatch(
      /^`order_by` contains duplicate fields:/,
    );
  });
});

describe('a filter of model versions', () => {
  it.each([
    ["name = 'm' AND version_number > 2", ['attribute[name] = string m', 'attribute[version_number] > number 2']],
    ["version_number = '3'", ['attribute[version_number] = number 3']],
    ["run_id NOT IN ('a') AND name IN ('b')", ['attribute[run_id] NOT IN ["a"]', 'attribute[name] IN ["b"]']],
    ["run_id = ''", ['attribute[run_id] = string ']],
    ["source_path LIKE 's3://%'", ['attribute[source_path] LIKE string s3://%']],
    ['tag.`t2` != "xy"', ['tag[t2] != string xy']],
  ])('%s', (text, expected) => {
    expect(shown(parseModelVersionFilter(text))).toEqual(expected);
  });

  it.each([
    ["current_stage = 'Production'", "Invalid attribute key 'current_stage' specified. Valid keys are '{"],
    ['version_number > 1.5', "Invalid value for numeric attribute 'version_number': 1.5"],
    ["version_number > '99999999999999999999'", "Invalid value for numeric attribute 'version_number':"],
    ["version_number LIKE '1'", 'Invalid comparator for attribute version_number: LIKE'],
    ["source_path IN ('a')", "Only ['name', 'run_id'] attributes support comparison with a list of quoted string values."],
    ['name = 1', "Only the '{"],
    [
      'name = a',
      'Parameter value is either not quoted or unidentified quote types used for string value a. Use either single or double quotes.',
    ],
    ["version = '1'", "Invalid clause(s) in filter string: version, =, '1'"],
    ['run_id IN (', 'Invalid clause(s) in filter string: run_id, IN, ('],
    ['name LIKE', 'Invalid clause(s) in filter string: name, LIKE'],
    [
      'run_id IN (1,2,3)',
      'While parsing a list in the query, expected string value, punctuation, or whitespace, but got different type in list',
    ],
  ])('%s is refused', (text, message) => {
    expect(refusal(() => parseModelVersionFilter(text))).toSatisfy((text: string) => text.startsWith(message));
  });

  it('orders by four columns, each once', () => {
    expect(parseModelVersionOrderBy(['version_number DESC', 'attribute.name'])).toEqual([
      { entity: 'attribute', key: 'version_number', descending: true },
      { entity: 'attribute', key: 'name', descending: false },
    ]);
    expect(refusal(() => parseModelVersionOrderBy(['run_id DESC']))).toMatch(/^Invalid attribute key 'run_id' specified/);
    expect(refusal(() => parseModelVersionOrderBy(['tag.name']))).toMatch(/^Invalid order by key 'name' specified/);
    expect(refusal(() => parseModelVersionOrderBy(['name', 'name DESC']))).toMatch(/^`order_by` contains duplicate fields/);
  });
});

describe('a filter of logged models', () => {
  it.each([
    ["name = 'lm'", ['attribute[name] = string lm']],
    ['name = "lm"', ['attribute[name] = string "lm"']],
    ['metrics.acc >= -1e3 AND params.a = 1', ['metric[acc] >= number -1e3', 'param[a] = string 1']],
    ["tags.t NOT IN ('a','b')", ['tag[t] NOT IN ["a","b"]']],
    [
      'creation_time > 1 AND creation_timestamp_ms < 2',
      ['attribute[creation_timestamp] > number 1', 'attribute[creation_timestamp] < number 2'],
    ],
    ['status = 2', ['attribute[status] = string 2']],
    ["params.`a b` ILIKE 'X%'", ['param[a b] ILIKE string X%']],
  ])('%s', (text, expected) => {
    expect(shown(parseLoggedModelFilter(text))).toEqual(expected);
  });

  it.each([
    ['metric.acc > 1', "Invalid entity type: 'metric'. Expected one of ['attributes', 'metrics', 'params', 'tags']."],
    ["params.a > '1'", "Invalid comparison operator for params.a: '>'. Expected one of ("],
    ["metrics.a LIKE '1'", "Invalid comparison operator for metrics.a: 'LIKE'. Expected one of ("],
    ["metrics.a > 'x'", 'Expected numeric value type for metrics.a'],
    ["artifact_location = 'a'", "Invalid attribute key 'artifact_location'"],
    ["name = 'a' OR name = 'b'", "Invalid filter string: \"name = 'a' OR name = 'b'\". Expected a list of comparisons separated by 'AND' "],
    ["name = 'a'; name = 'b'", "Invalid filter string: \"name = 'a'; name = 'b'\". Expected a single SQL expression."],
    ['name IS NULL', 'Invalid comparison: name IS NULL. Expected a comparison with 3 tokens.'],
    ["name = ('a')", "Invalid comparison operator for attributes.name: '='."],
  ])('%s is refused', (text, message) => {
    expect(refusal(() => parseLoggedModelFilter(text))).toSatisfy((text: string) => text.startsWith(message));
  });

  it('orders by columns and by metrics on a dataset', () => {
    const onDataset = { field_name: 'metrics.a.b', ascending: false, dataset_name: 'd', dataset_digest: '' };
    expect(parseLoggedModelOrderBy([{ field_name: 'creation_time' }, onDataset])).toEqual([
      { entity: 'attribute', key: 'creation_timestamp', descending: false, datasetName: undefined, datasetDigest: undefined },
      { entity: 'metric', key: 'a.b', descending: true, datasetName: 'd', datasetDigest: undefined },
    ]);
    expect(refusal(() => parseLoggedModelOrderBy([{ field_name: 'bogus' }]))).toMatch(/^Invalid order by field name: bogus/);
    expect(refusal(() => parseLoggedModelOrderBy([{ field_name: 'params.a' }]))).toMatch(
      /^Invalid order by field name: params\.a\. Only metrics are supported\./,
    );
  });
});

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
  throw new Error('It was not refused.');
}
