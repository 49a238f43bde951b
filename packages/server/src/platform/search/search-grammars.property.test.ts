import { Problem } from '@countersign/contract/problem.ts';
import type { Comparison, SearchOperator, SearchValue } from '@countersign/contract/search.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExperimentFilter, parseExperimentOrderBy } from './experiment-search-grammar.ts';
import { parseLoggedModelFilter, parseLoggedModelOrderBy } from './logged-model-search-grammar.ts';
import { parseModelVersionFilter, parseModelVersionOrderBy } from './model-version-search-grammar.ts';
import { parseRegisteredModelFilter, parseRegisteredModelOrderBy } from './registered-model-search-grammar.ts';
import { parseRunFilter, parseRunOrderBy } from './run-search-grammar.ts';

const READERS: readonly ((text: string) => unknown)[] = [
  parseRunFilter,
  parseExperimentFilter,
  parseRegisteredModelFilter,
  parseModelVersionFilter,
  parseLoggedModelFilter,
  (text) => parseRunOrderBy([text]),
  (text) => parseExperimentOrderBy([text]),
  (text) => parseRegisteredModelOrderBy([text]),
  (text) => parseModelVersionOrderBy([text]),
  (text) => parseLoggedModelOrderBy([{ field_name: text }]),
];

type Printable = Omit<Comparison, 'position'>;

/** Any text that the language can hold: it has no escapes, so nothing may look like the end of the quote. */
const content = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replace(/['"`\\\0]/g, ''));
const key = fc.oneof(content, fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.]{0,8}[a-z]$/));
/** Minus zero is printed as zero. */
const number = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true })).map((each) => each + 0);

function clause(
  entity: string,
  keys: fc.Arbitrary<string>,
  operators: readonly SearchOperator[],
  value: fc.Arbitrary<SearchValue | undefined>,
) {
  return fc.record({ entity: fc.constant(entity), key: keys, operator: fc.constantFrom(...operators), value });
}

const text: fc.Arbitrary<SearchValue> = content.map((each) => ({ kind: 'string', text: each }));
const list: fc.Arbitrary<SearchValue> = fc.array(content, { minLength: 1, maxLength: 5 }).map((texts) => ({ kind: 'list', texts }));
const numeric: fc.Arbitrary<SearchValue> = number.map((each) => ({ kind: 'number', number: each, text: String(each) }));

const runClause: fc.Arbitrary<Printable> = fc.oneof(
  clause('metric', key, ['=', '!=', '<', '<=', '>', '>='], numeric),
  clause('param', key, ['=', '!=', 'LIKE', 'ILIKE'], text),
  clause('tag', key, ['IS NULL', 'IS NOT NULL'], fc.constant(undefined)),
  clause('attribute', fc.constant('run_id'), ['IN', 'NOT IN'], list),
  clause('dataset', fc.constantFrom('name', 'digest', 'context'), ['IN', 'NOT IN'], list),
);

function print(comparison: Printable, spaces: string): string {
  const left = comparison.entity === 'attribute' ? comparison.key : `${comparison.entity}s.\`${comparison.key}\``;
  return [left, comparison.operator, ...printedValue(comparison.value)].join(spaces);
}

function printedValue(value: SearchValue | undefined): string[] {
  switch (value?.kind) {
    case 'list':
      return [`(${value.texts.map((each) => `'${each}'`).join(', ')})`];
    case 'string':
      return [`"${value.text}"`];
    case 'number':
      return [value.text];
    default:
      return [];
  }
}

/** Random text would seldom get past the first token, so most of it is made of the language's own pieces. */
const pieces = fc.constantFrom(
  ...["'", '"', '`', '(', ')', ',', ';', '.', '=', '!=', '<', '-', '--', '\\', ' ', '\n', '\0', '1', '1e', '.5', 'é', '😀'],
  ...['AND', 'OR', 'NOT', 'IN', 'IS', 'NULL', 'LIKE', 'ilike', 'ASC', 'desc', 'metrics.a', 'params.', 'tags.`x`', 'name', 'run_id'],
  ...['experiment_id', 'version_number', "'text'", '__proto__', 'constructor', 'attributes.name', 'creation_time'],
);
const garbage = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc
    .array(
      fc.tuple(pieces, fc.constantFrom('', ' ')).map((pair) => pair.join('')),
      { maxLength: 60 },
    )
    .map((each) => each.join('')),
);

describe('every search grammar', () => {
  it('reads back what it would print', () => {
    fc.assert(
      fc.property(fc.array(runClause, { minLength: 1, maxLength: 10 }), fc.constantFrom(' ', '  ', '\n\t'), (clauses, spaces) => {
        const source = clauses.map((each) => print(each, spaces)).join(`${spaces}and${spaces}`);
        const read = parseRunFilter(source).map(({ position: _, ...rest }) => rest);
        expect(read).toEqual(clauses);
      }),
      { numRuns: 500 },
    );
  });

  it('answers any text with a tree or a Problem', () => {
    fc.assert(
      fc.property(garbage, (source) => {
        for (const read of READERS) {
          try {
            read(source);
          } catch (error) {
            if (!(error instanceof Problem)) throw error;
            expect(error.code).toBe('INVALID_PARAMETER_VALUE');
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ...["'", "''", "\\'", '"', '`', '``', '(', ')', '((', '.', 'a.', 'a.`', "a.'", '-', '--', '1', '1.', '=', ',', ' ', 'é', '"`', `'"`],
    ...['a IN (', 'a IN (a IN (', "a IN ('x',", 'a = (', 'AND ', 'a ', 'a = ', "'a' ", "a = 'x' ", 'not ', 'a is ', 'a not in '],
  ])('reads a long text of %j in time linear in its length', (piece) => {
    const source = piece.repeat(Math.floor(65_536 / piece.length));
    const started = performance.now();
    for (const read of READERS) {
      try {
        read(source);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
      }
    }
    // Ten readers of 64 KiB take some 100 ms when linear; anything quadratic takes minutes.
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
