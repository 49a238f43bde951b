import { Problem } from '@countersign/contract/problem.ts';
import { describe, expect, it } from 'vitest';
import { parseRunFilter, parseRunOrderBy } from './run-search-grammar.ts';

/** A short print of the tree, so that a table of cases can be read. */
function shown(text: string): string[] {
  return parseRunFilter(text).map(({ entity, key, operator, value }) => {
    const right = value === undefined ? [] : [value.kind === 'list' ? JSON.stringify(value.texts) : JSON.stringify(value.text)];
    return [`${entity}[${key}]`, operator, ...right].join(' ');
  });
}

describe('a filter of runs', () => {
  it.each([
    ["metrics.acc > 0.5 and params.a = '1'", ['metric[acc] > "0.5"', 'param[a] = "1"']],
    ['metrics.`val loss` <= 1e-3', ['metric[val loss] <= "1e-3"']],
    ['metric.acc>=100', ['metric[acc] >= "100"']],
    ['metrics.a > -1', ['metric[a] > "-1"']],
    ['metrics.a > .5', ['metric[a] > ".5"']],
    ['metrics.a > 5.', ['metric[a] > "5."']],
    ['metrics."X//Y#$$@&Z" = 3', ['metric[X//Y#$$@&Z] = "3"']],
    ['metrics."accuracy.2.0" > 5', ['metric[accuracy.2.0] > "5"']],
    ["tags.mlflow.user = 'root' AND status != 'RUNNING'", ['tag[mlflow.user] = "root"', 'attribute[status] != "RUNNING"']],
    ["tags.mlflow.user='root'and status!='RUNNING'", ['tag[mlflow.user] = "root"', 'attribute[status] != "RUNNING"']],
    ['tag."mlflow.user" LIKE \'ro%\'', ['tag[mlflow.user] LIKE "ro%"']],
    ["params.a iLike 'x'", ['param[a] ILIKE "x"']],
    ['params.a IS NULL', ['param[a] IS NULL']],
    ['tags.x is not null', ['tag[x] IS NOT NULL']],
    ["attributes.run_id IN ('a','b')", ['attribute[run_id] IN ["a","b"]']],
    ["run_id in('a',)", ['attribute[run_id] IN ["a"]']],
    ['run_id NOT  IN ("a")', ['attribute[run_id] NOT IN ["a"]']],
    ['attr.start_time >= 1700000000000', ['attribute[start_time] >= "1700000000000"']],
    ['created > 1.5 AND run.Created < 2', ['attribute[start_time] > "1.5"', 'attribute[start_time] < "2"']],
    ["attributes.`Run name` = 'x' AND `run name` = 'y'", ['attribute[run_name] = "x"', 'attribute[run_name] = "y"']],
    ["datasets.digest IN ('d1') AND dataset.context = 'train'", ['dataset[digest] IN ["d1"]', 'dataset[context] = "train"']],
    ["params.1abc = 'x' AND params.order = 'y' AND tags.version = 'z'", ['param[1abc] = "x"', 'param[order] = "y"', 'tag[version] = "z"']],
    ["`params`.model = 'LR'", ['param[model] = "LR"']],
    ["params.'acc' = 'x'", ['param[acc] = "x"']],
    ['params.m = "L\'Hosp"', ['param[m] = "L\'Hosp"']],
    ["params.a = 'it''s'", ['param[a] = "it\'\'s"']],
    ["params.a = 'it\\'s'", ['param[a] = "it\\\\\'s"']],
    ["params.a = ''", ['param[a] = ""']],
    ["params.`a``b` = 'x'", ['param[a``b] = "x"']],
    ["params.a = 'a' params.b = 'b' AND AND params.c = 'c' AND", ['param[a] = "a"', 'param[b] = "b"', 'param[c] = "c"']],
    [
      `tags.mlflow.loggedArtifacts LIKE '%"path"%:%"x.json",%"type"%:%"table"%' and attributes.run_id IN ('1')`,
      ['tag[mlflow.loggedArtifacts] LIKE "%\\"path\\"%:%\\"x.json\\",%\\"type\\"%:%\\"table\\"%"', 'attribute[run_id] IN ["1"]'],
    ],
  ])('%s', (text, expected) => {
    expect(shown(text)).toEqual(expected);
  });

  it('asks for everything when absent or empty', () => {
    expect(parseRunFilter(undefined)).toEqual([]);
    expect(parseRunFilter('')).toEqual([]);
  });

  it('says where each clause begins, counting from 1', () => {
    expect(parseRunFilter("  params.a = '1' AND metrics.b > 2").map(({ position }) => position)).toEqual([3, 22]);
  });

  it.each([
    ["foo.bar = '1'", "Invalid entity type 'foo'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']"],
    ["PARAMS.a = 'x'", "Invalid entity type 'PARAMS'."],
    ["`params.a` = 'x'", "Invalid entity type '`params'."],
    ["dataset.bogus = '1'", "Invalid dataset key 'bogus' specified. Valid keys are '{"],
    ["lifecycle_stage = 'active'", "Invalid attribute key 'lifecycle_stage' specified. Valid keys are '{"],
    ['constructor = 1', "Invalid attribute key 'constructor' specified."],
    ['metrics.a > 1 OR metrics.b > 1', "Invalid clause(s) in filter string: 'OR'"],
    ['metrics.a OR metrics.b > 1', "Invalid clause(s) in filter string: 'metrics.a', 'OR'"],
    ['NOT metrics.a > 1', "Invalid clause(s) in filter string: 'NOT'"],
    ['(metrics.a > 1)', "Invalid clause(s) in filter string: '(metrics.a > 1)'"],
    ['metrics.a', "Invalid clause(s) in filter string: 'metrics.a'"],
    ["params.a = 'b", "Invalid clause(s) in filter string: 'params.a', '=', ''', 'b'. At position 12. The quote"],
    ["run_id IN 'a'", "Invalid clause(s) in filter string: 'run_id', 'IN', ''a''"],
    ["tags.acc = = 'LR'", "Invalid clause(s) in filter string: 'tags.acc', '=', '=', ''LR''"],
    ["attribute.status IS 'RUNNING'", "Invalid clause(s) in filter string: 'attribute.status', 'IS', ''RUNNING''"],
    ['attribute.status = true', "Invalid clause(s) in filter string: 'attribute.status', '=', 'true'"],
    ["run name = 'A'", "Invalid clause(s) in filter string: 'run'"],
    ["params.a = 'a' -- why", "Invalid clause(s) in filter string: '-- why'"],
    ["params.a = 'x';", "Invalid clause(s) in filter string: ';'"],
    ["version = '1'", "Invalid clause(s) in filter string: 'version', '=', ''1''"],
    ['param`.A > 0.1', "Invalid clause(s) in filter string: 'param', '`'"],
    ['metrics.a > +1', "Invalid clause(s) in filter string: 'metrics.a', '>', '+"],
    [
      'metrics.a > 1; metrics.b < 1',
      "Search filter contained multiple expression 'metrics.a > 1; metrics.b < 1'. Provide AND-ed expression list.",
    ],
    ['metrics.a == 1', "Invalid comparator '==' not one of '{"],
    ['metrics.a <> 1', "Invalid comparator '<>' not one of '{"],
    ["params.a > '1'", "Invalid comparator '>' not one of '{"],
    ["params.a RLIKE '1'", "Invalid comparator 'RLIKE' not one of '{"],
    ["params.a NOT LIKE '1'", "Invalid comparator 'NOT LIKE' not one of '{"],
    ['end_time IS NULL', "IS NULL / IS NOT NULL is only supported for tags and params, not for 'attribute' 'end_time'"],
    ['run_id IN ()', 'While parsing a list in the query, expected a non-empty list of string values, but got empty list'],
    ['run_id IN (,)', 'While parsing a list in the query, expected a non-empty list of string values, but got ill-formed list.'],
    ["run_id IN ('a',,'b')", 'While parsing a list in the query, expected a non-empty list of string values, but got ill-formed list.'],
    [
      "run_id IN ('a',1)",
      "While parsing a list in the query, expected string value, punctuation, or whitespace, but got different type in list: ('a', 1)",
    ],
    ["status IN ('a')", "Only ['run_id'] attributes support comparison with a list of quoted string values."],
    ["run_id = ('a')", "Invalid comparator '=' not one of '{"],
    ['metrics.a > nan', 'Expected numeric value type for metric. Found nan'],
    ["metrics.a > '1'", "Expected numeric value type for metric. Found '1'"],
    ['metrics.a > 1.5.2', 'Expected numeric value type for metric. Found 1.5.2'],
    ['metrics.a > 1e999', 'Expected numeric value type for metric. Found 1e999'],
    ["start_time > '0'", "Expected numeric value type for numeric attribute: start_time. Found '0'"],
    ['params.a = 1', "Expected a quoted string value for parameter (e.g. 'my-value'). Got value 1"],
    ["params.a IN ('a')", "Expected a quoted string value for parameter (e.g. 'my-value'). Got value ('a')"],
    ['status = 1', 'Expected a quoted string value for attributes. Got value 1'],
    ['dataset.name = 1', 'Expected a quoted string value for dataset attributes. Got value 1'],
    [
      'params.acc = `LR`',
      'Parameter value is either not quoted or unidentified quote types used for string value `LR`. Use either single or double quotes.',
    ],
    ['0.5 < metrics.a', "Invalid comparison clause. Expected 'Identifier' found '0.5'"],
    ['metrics.a-b > 1', "Invalid comparison clause. Expected 'Identifier' found 'metrics.a-b'"],
    [
      'metrics.a.b/c > 1',
      "Invalid comparison clause. Expected 'Identifier' found 'metrics.a.b/c'. At position 1. Put a key with special characters in back-quotes: metrics.`a.b/c`.",
    ],
    ["params.a = '\0'", 'The search text holds a NUL character. At position 13.'],
    ['   ', "Invalid filter '   '. Could not be parsed."],
  ])('%s is refused', (text, message) => {
    expect(refusal(() => parseRunFilter(text)).startsWith(message)).toBe(true);
  });

  it('has limits: text, clauses, list items and pattern bytes', () => {
    expect(refusal(() => parseRunFilter(' '.repeat(65_537)))).toMatch(/65537 characters long; at most 65536/);
    const clauses = (count: number) => Array.from({ length: count }, () => 'metrics.a > 1').join(' AND ');
    expect(parseRunFilter(clauses(200))).toHaveLength(200);
    expect(refusal(() => parseRunFilter(clauses(201)))).toMatch(/201 clauses; at most 200/);
    const list = (count: number) => `run_id IN (${"'a',".repeat(count)})`;
    expect(parseRunFilter(list(10_000))).toHaveLength(1);
    expect(refusal(() => parseRunFilter(list(10_001)))).toMatch(/10001 items; at most 10000/);
    expect(parseRunFilter(`params.a = '${'x'.repeat(60_000)}'`)).toHaveLength(1);
    expect(refusal(() => parseRunFilter(`params.a LIKE '${'x'.repeat(50_001)}'`))).toMatch(/50001 bytes long; at most 50000/);
    expect(refusal(() => parseRunFilter(`params.a ILIKE '${'é'.repeat(25_001)}'`))).toMatch(/50002 bytes long/);
  });
});

describe('an order of runs', () => {
  it.each([
    ['metrics.acc', 'metric', 'acc', false],
    ['metrics."key 1"  desc', 'metric', 'key 1', true],
    ['metrics.`Mean Square Error` ASC', 'metric', 'Mean Square Error', false],
    ['params.my_param aSc', 'param', 'my_param', false],
    ['tags.a.b.c DESC', 'tag', 'a.b.c', true],
    ['start_time', 'attribute', 'start_time', false],
    ['attribute.Created desc', 'attribute', 'start_time', true],
    ['run_name', 'attribute', 'run_name', false],
  ])('%s', (item, entity, key, descending) => {
    expect(parseRunOrderBy([item])).toEqual([{ entity, key, descending }]);
  });

  it.each([
    ['metrics.a FOO', "Invalid ordering key in order_by clause 'metrics.a FOO'."],
    ['run name', "Invalid ordering key in order_by clause 'run name'."],
    ['a DESC, b', "Invalid order_by clause 'a DESC, b'. Could not be parsed."],
    ['', "Invalid order_by clause ''. Could not be parsed."],
    ['a DESC NULLS LAST', "Invalid order_by clause 'a DESC NULLS LAST'. Could not be parsed."],
    ['metrics.A != 1', "Invalid order_by clause 'metrics.A != 1'. Could not be parsed."],
    ['params.my_param ', "Invalid order_by clause 'params.my_param '. Could not be parsed."],
    ['`metrics.A', "Invalid order_by clause '`metrics.A'. Could not be parsed."],
    ['`metrics.A`', "Invalid entity type '`metrics'."],
    ['m.acc', "Invalid entity type 'm'."],
    ['attribute.start', "Invalid attribute key 'start' specified. Valid keys are '{"],
    ['`run name`', "Invalid attribute key 'run name' specified."],
    ['dataset.name', "Invalid identifier type 'dataset'"],
  ])('%s is refused', (item, message) => {
    expect(refusal(() => parseRunOrderBy(['start_time', item])).startsWith(message)).toBe(true);
  });

  it('refuses the same field twice, also by its other name', () => {
    const message = /^`order_by` contains duplicate fields: \['start_time', 'created DESC'\]/;
    expect(refusal(() => parseRunOrderBy(['start_time', 'created DESC']))).toMatch(message);
  });

  it('refuses more than 50 fields', () => {
    const items = Array.from({ length: 51 }, (_, at) => `metrics.m${at}`);
    expect(parseRunOrderBy(items.slice(1))).toHaveLength(50);
    expect(refusal(() => parseRunOrderBy(items))).toMatch(/51 entries; at most 50/);
  });
});

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    expect(error.code).toBe('INVALID_PARAMETER_VALUE');
    return error.message;
  }
  throw new Error('It was not refused.');
}
