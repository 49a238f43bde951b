/**
 * Expressions of policies in CEL: read and type-checked once, evaluated on facts. Of the language only what ends soon is let in: nothing that grows
 * values or matches by patterns, and no loop but over facts. The only file that knows the library, which is loaded with it.
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import type { CompiledExpression, ExpressionCheck, ExpressionFacts, ExpressionStanding } from './policy-expression-facts.ts';

/** What is wrong with an expression and what to do; without a full stop. */
export class ExpressionFault extends Error {}

class Target {}
class Version {}
class Check {}
class Standing {}

const NUMBERS = 'map<string, double>';
const WORDS = 'map<string, string>';
const NUMBERS_ON = `map<string, ${NUMBERS}>`;
const TIME = 'google.protobuf.Timestamp';

const environment = new Environment({ limits: { maxAstNodes: 2000, maxDepth: 50 } })
  .registerType('Target', { ctor: Target, fields: { kind: 'string', name: 'string' } })
  .registerType('Version', {
    ctor: Version,
    fields: {
      sealed: 'bool',
      lineage: 'string',
      registered_by: 'string',
      registered_by_trust: 'string',
      tags: WORDS,
      params: WORDS,
      metrics: NUMBERS,
      metrics_on: NUMBERS_ON,
      has_description: 'bool',
      has_signature: 'bool',
      has_input_example: 'bool',
      model_card_sections: 'list<string>',
    },
  })
  .registerType('Check', {
    ctor: Check,
    fields: { conclusion: 'string', reporter: 'string', dataset: 'string', at: TIME, metrics: NUMBERS },
  })
  .registerType('Standing', { ctor: Standing, fields: { name: 'string', metrics: NUMBERS, metrics_on: NUMBERS_ON } })
  .registerVariable('now', TIME)
  .registerVariable('target', 'Target')
  .registerVariable('requesters', 'list<string>')
  .registerVariable('version', 'Version')
  .registerVariable('checks', 'map<string, Check>')
  .registerVariable('standing', 'list<Standing>');

/** Throws ExpressionFault. */
export function compileExpression(text: string): CompiledExpression {
  const parsed = parse(text);
  const shape = shapeOf(parsed.ast);
  const { valid, type, error } = parsed.check();
  if (!valid) throw faultOf(error, 'is wrong');
  if (type !== 'bool') throw new ExpressionFault(`is neither true nor false, but of type ${type}. Compare it with something`);
  return {
    steps: (facts) => shape.nodes * largestOf(facts, shape) ** shape.depth,
    holds: (facts) => {
      let value: unknown;
      try {
        value = parsed(contextOf(facts));
      } catch (error) {
        throw new Error(summaryOf(error));
      }
      if (typeof value !== 'boolean') throw new Error('it is neither true nor false');
      return value;
    },
  };
}

function parse(text: string): ReturnType<Environment['parse']> {
  try {
    return environment.parse(text);
  } catch (error) {
    throw faultOf(error, "can't be read");
  }
}

function faultOf(error: unknown, what: string): ExpressionFault {
  const range = error instanceof Error && 'range' in error ? (error.range as { start?: number } | undefined) : undefined; // the library's errors have it
  const place = range?.start === undefined ? '' : ` at character ${range.start + 1}`;
  return new ExpressionFault(`${what}${place}: ${summaryOf(error)}. Write it in CEL, over the facts that the schema names`);
}

/** The library's message shows the text with a mark below it; this is the sentence alone. */
function summaryOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const said = 'summary' in error ? String(error.summary) : error.message;
  return said.replace(/\.$/, '');
}

interface Shape {
  readonly nodes: number;
  /** Of loops in loops. */
  readonly depth: number;
  /** How many elements the longest list of literals has. */
  readonly longest: number;
  /** Of variables and fields that it speaks of. */
  readonly names: ReadonlySet<string>;
}

const FUNCTIONS: ReadonlySet<string> = new Set(['has', 'size', 'int', 'double', 'string', 'timestamp', 'duration']);
const LOOPS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'filter']);
const METHODS: ReadonlySet<string> = new Set([
  ...LOOPS,
  ...['size', 'startsWith', 'endsWith', 'contains', 'lowerAscii', 'upperAscii', 'trim'],
  ...['getFullYear', 'getMonth', 'getDate', 'getDayOfWeek', 'getHours', 'getMinutes'],
]);
/** With a zone, so that it is the same moment wherever the server stands. */
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)$/;
const DEPTH_MAX = 2;

/** Throws ExpressionFault for what is not let in. */
function shapeOf(root: ASTNode): Shape {
  let nodes = 0;
  let deepest = 0;
  let longest = 1;
  const names = new Set<string>();
  const visit = (node: ASTNode, depth: number): void => {
    nodes++;
    deepest = Math.max(deepest, isSweep(node) ? depth + 1 : depth);
    if (node.op === 'list') longest = Math.max(longest, node.args.length);
    if (node.op === 'id') names.add(node.args);
    if (node.op === '.') names.add(node.args[1]);
    if (node.op === 'call') demandFunction(...node.args);
    if (node.op !== 'rcall') {
      for (const child of childrenOf(node)) visit(child, depth);
      return;
    }
    const [method, receiver, given] = node.args;
    demandKnown(method, METHODS, 'method');
    if (method.startsWith('get') && given.length > 0)
      throw new ExpressionFault(`gives '.${method}' a time zone. Times are in UTC here; what a zone's clock forbids is said by 'freeze'`);
    visit(receiver, depth);
    const isLoop = LOOPS.has(method);
    if (isLoop && !isOfFacts(receiver))
      throw new ExpressionFault(`has '.${method}' over something that is put together. Use it on facts or on a list of literals`);
    if (isLoop && depth === DEPTH_MAX) throw new ExpressionFault(`has more than ${DEPTH_MAX} loops in one another. Make it simpler`);
    for (const child of given) visit(child, isLoop ? depth + 1 : depth);
  };
  visit(root, 0);
  return { nodes, depth: deepest, longest, names };
}

function demandFunction(name: string, given: readonly ASTNode[]): void {
  demandKnown(name, FUNCTIONS, 'function');
  const [moment] = given;
  if (name !== 'timestamp' || (moment?.op === 'value' && MOMENT.test(String(moment.args)))) return;
  throw new ExpressionFault(
    'has a \'timestamp\' of something else than a time that is written out. Write it so: timestamp("2027-01-31T00:00:00Z")',
  );
}

function demandKnown(name: string, known: ReadonlySet<string>, kind: string): void {
  if (known.has(name)) return;
  throw new ExpressionFault(`uses the ${kind} '${name}', which is not offered. There are: ${[...known].join(', ')}`);
}

function childrenOf(node: Exclude<ASTNode, { op: 'rcall' }>): readonly ASTNode[] {
  switch (node.op) {
    case 'value':
    case 'id':
      return [];
    case '.':
    case '.?':
      return [node.args[0]];
    case 'call':
      return node.args[1];
    case 'map':
      return node.args.flat();
    case '!_':
    case '-_':
      return [node.args];
    default:
      return node.args;
  }
}

const LISTS: ReadonlySet<string> = new Set(['model_card_sections', 'requesters', 'standing']);
const COLLECTIONS: ReadonlySet<string> = new Set([...LISTS, 'tags', 'params', 'metrics', 'metrics_on', 'checks']);

/** Whether it goes over a whole collection of facts without being a loop. */
function isSweep(node: ASTNode): boolean {
  if (node.op === 'in') return isWhole(node.args[1], LISTS);
  return (node.op === '==' || node.op === '!=' || node.op === '+') && node.args.some((each) => isWhole(each, COLLECTIONS));
}

function isWhole(node: ASTNode, names: ReadonlySet<string>): boolean {
  switch (node.op) {
    case 'id':
      return names.has(node.args);
    case '.':
      return names.has(node.args[1]);
    case '[]':
      return isWhole(node.args[0], new Set(['metrics_on']));
    case 'rcall':
      return node.args[0] === 'filter';
    case 'list':
    case '+':
    case '?:':
      return node.args.some((each) => isWhole(each, names));
    default:
      return false;
  }
}

/** So that no loop's own values grow with each loop around it. */
function isOfFacts(node: ASTNode): boolean {
  switch (node.op) {
    case 'id':
      return true;
    case '.':
    case '[]':
      return isOfFacts(node.args[0]);
    case 'list':
      return node.args.every((each) => each.op === 'value');
    case 'rcall':
      return node.args[0] === 'filter';
    default:
      return false;
  }
}

/** Of the collections that it speaks of; what is in an element of one has the size of the largest such. */
function largestOf({ version, checks, standing, requesters }: ExpressionFacts, { names, longest }: Shape): number {
  const numbers = [version, ...checks.values(), ...standing].map(({ metrics }) => metrics.size);
  const on = [version, ...standing].flatMap(({ metrics_on: each }) => [each.size, ...[...each.values()].map((inner) => inner.size)]);
  const sizes: Readonly<Record<string, readonly number[]>> = {
    tags: [version.tags.size],
    params: [version.params.size],
    model_card_sections: [version.model_card_sections.length],
    metrics: numbers,
    metrics_on: on,
    checks: [checks.size],
    standing: [standing.length],
    requesters: [requesters.length],
  };
  return Object.entries(sizes).reduce(
    (largest, [name, of]) => (names.has(name) ? of.reduce((most, each) => Math.max(most, each), largest) : largest),
    longest,
  );
}

function contextOf({ now, target, requesters, version, checks, standing }: ExpressionFacts): Record<string, unknown> {
  return {
    now: new Date(now),
    target: Object.assign(new Target(), target),
    requesters,
    version: Object.assign(new Version(), version),
    checks: new Map([...checks].map(([name, check]) => [name, checkOf(check)])),
    standing: standing.map((each: ExpressionStanding) => Object.assign(new Standing(), each)),
  };
}

function checkOf(check: ExpressionCheck): Check {
  return Object.assign(new Check(), check, { at: new Date(check.at) });
}
