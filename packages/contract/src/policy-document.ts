/** From the text of a policy to the document with its defaults. Whatever is wrong is said with its line, its member and what to do. */
import Value from 'typebox/value';
import yaml from 'yaml';
import { clip } from './mlflow/message.ts';
import { checkKey } from './names.ts';
import { POLICY_TEXT_MAX, type Policy, PolicySchema } from './policies.ts';
import { contradictionOf } from './policy-contradictions.ts';
import { compileExpression } from './policy-expressions.ts';
import { invalid, type Problem } from './problem.ts';

type Path = readonly (string | number)[];
/** Where a member stands in the text; undefined where there is no text. */
type LineOf = (path: Path, key?: string) => number | undefined;

/** YAML, and so JSON. Throws INVALID_PARAMETER_VALUE and nothing else. */
export function parsePolicy(text: string): Policy {
  if (text.length > POLICY_TEXT_MAX) {
    throw invalid(`A policy has at most ${POLICY_TEXT_MAX} characters, this one has ${text.length}. Split it, one policy for each target.`);
  }
  refuseDisguise(text);
  const lines = new yaml.LineCounter();
  const document = read(text, lines);
  const value = contentOf(document);
  return checked(value, (path, key) => lineOf(document, lines, path, key));
}

/** The same for a document that is no text: a body in JSON. */
export function checkPolicy(document: unknown): Policy {
  return checked(structuredCloneOf(document), () => undefined);
}

/** What turns the reading direction, ends a line for the eye alone, or shows nothing: with it, a comment looks like a member. */
const DISGUISE = /(?!^)\ufeff|[\p{Cc}\u2028\u2029\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069](?<![\t\n\r])/u;

/** Whoever approves of a policy reads it. */
function refuseDisguise(text: string): void {
  const found = DISGUISE.exec(text);
  if (found === null) return;
  const line = text.slice(0, found.index).split('\n').length;
  const code = found[0].codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0');
  throw refusal(line, `it holds the character U+${code}, by which it can look like something else than it says. Remove it`);
}

function read(text: string, lines: yaml.LineCounter): yaml.Document.Parsed {
  try {
    const documents = yaml.parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      schema: 'core',
      logLevel: 'silent',
      keepSourceTokens: false,
    });
    const [document, second] = documents;
    if (document === undefined || !(document instanceof yaml.Document)) throw refusal(1, 'it is empty. Begin with `name: …`');
    if (second !== undefined)
      throw refusal(lines.linePos(second.range[0]).line, 'a second document begins here. Give each policy a file of its own');
    const wrong = document.errors[0] ?? document.warnings[0];
    if (wrong !== undefined)
      throw refusal(lines.linePos(wrong.pos[0]).line, `it is not YAML: ${clip(wrong.message)}. Write it as in the examples`);
    return document;
  } catch (error) {
    throw asProblem(error);
  }
}

function contentOf(document: yaml.Document.Parsed): unknown {
  let reference: yaml.Node | undefined;
  try {
    yaml.visit(document, {
      Alias: (_key, node) => {
        reference ??= node;
      },
    });
    // What refers to another place is read otherwise than it looks, and a few of them can stand for gigabytes.
    if (reference !== undefined) throw invalid('Policy: it uses an alias (`*name`). Write the value out.');
    return document.toJS();
  } catch (error) {
    throw asProblem(error);
  }
}

/** The library throws errors of its own for what is nested too deeply, and the like. */
function asProblem(error: unknown): Problem {
  if (error instanceof Error && error.name === 'Problem') return error as Problem; // it is one by its name
  return invalid(`Policy: it can't be read: ${clip(error instanceof Error ? error.message : String(error))}. Write it as in the examples.`);
}

function structuredCloneOf(document: unknown): unknown {
  try {
    return structuredClone(document);
  } catch (error) {
    throw asProblem(error);
  }
}

function checked(value: unknown, lineOfMember: LineOf): Policy {
  const problem = firstOddity(value, [], lineOfMember);
  if (problem !== undefined) throw problem;
  const filled = Value.Default(PolicySchema, value);
  if (!Value.Check(PolicySchema, filled)) throw schemaRefusal(filled, lineOfMember);
  const contradiction = contradictionOf(filled) ?? badTagKey(filled) ?? badExpression(filled);
  if (contradiction !== undefined) throw refusal(lineOfMember(contradiction.path), contradiction.sentence);
  return normalised(filled);
}

const DEPTH_MAX = 12;

/** What has no form in JSON, in a database or in a hash. */
function firstOddity(value: unknown, path: Path, lineOfMember: LineOf): Problem | undefined {
  const bad = (sentence: string): Problem => refusal(lineOfMember(path), `${shown(path)} ${sentence}`);
  if (path.length > DEPTH_MAX) return bad('is nested too deeply. Write it as in the examples');
  if (typeof value === 'string' && (value.includes('\0') || !value.isWellFormed()))
    return bad('holds a character that can’t be stored. Remove it');
  if (typeof value === 'string' && DISGUISE.test(value))
    return bad('holds a character by which it can look like something else. Remove it');
  if (typeof value === 'number' && !Number.isFinite(value)) return bad(`is ${value}. Give a number`);
  if (typeof value === 'bigint') return bad('is too large. Give a smaller number');
  if (typeof value !== 'object' || value === null) return undefined;
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype)
    return bad('is no plain value. Write it as in the examples');
  for (const [name, member] of Object.entries(value)) {
    if (name === '__proto__') return bad("has a member '__proto__'. Remove it");
    const found = firstOddity(member, [...path, Array.isArray(value) ? Number(name) : name], lineOfMember);
    if (found !== undefined) return found;
  }
  return undefined;
}

function schemaRefusal(value: unknown, lineOfMember: LineOf): Problem {
  const errors = Value.Errors(PolicySchema, value);
  const error = errors.find((each) => each.keyword === 'additionalProperties') ?? errors.find((each) => each.keyword !== 'boolean');
  if (error === undefined) return invalid('Policy: it is not as the schema says. Write it as in the examples.');
  const path = pathOf(error.instancePath);
  const params: Readonly<Record<string, unknown>> = { ...error.params };
  if (error.keyword === 'additionalProperties') {
    const name = String([params.additionalProperties].flat()[0]);
    const known = membersAt(path);
    const knows = known.length === 0 ? 'Remove it' : `It takes: ${known.join(', ')}`;
    return refusal(lineOfMember(path, name), `${shown(path)} has an unknown member '${clip(name)}'. ${knows}`);
  }
  if (error.keyword === 'required') {
    return refusal(
      lineOfMember(path),
      `${shown(path)} lacks ${[params.requiredProperties]
        .flat()
        .map((each) => `'${each}'`)
        .join(', ')}. Add it`,
    );
  }
  return refusal(lineOfMember(path), `${shown(path)} ${sentenceOf(error.keyword, params, error.message, path)}`);
}

function sentenceOf(keyword: string, params: Readonly<Record<string, unknown>>, message: string, path: Path): string {
  const description = schemaAt(path).description;
  const says = typeof description === 'string' ? `. ${description.replace(/\.$/, '')}` : '';
  if (keyword === 'enum' && Array.isArray(params.allowedValues)) return `must be one of ${params.allowedValues.join(', ')}`;
  if (keyword === 'minProperties') return `has no member; it takes exactly one of ${membersAt(path).join(', ')}`;
  if (keyword === 'maxProperties') return `has several members; it takes exactly one of ${membersAt(path).join(', ')}`;
  if (keyword === 'pattern') return `is not written as it must be${says}`;
  return `${message}${says}`;
}

type LooseSchema = Readonly<Record<string, unknown>>;

/** The part of the schema that a member is checked by. */
function schemaAt(path: Path): LooseSchema {
  let schema: LooseSchema = { ...PolicySchema };
  for (const step of path) {
    const next = typeof step === 'number' ? schema.items : (schema.properties as LooseSchema | undefined)?.[step]; // a JSON Schema's own shape
    schema = { ...(next as LooseSchema | undefined) };
  }
  return schema;
}

function membersAt(path: Path): readonly string[] {
  return Object.keys(schemaAt(path).properties ?? {});
}

/** RFC 6901; digits are places in a list, since no member of a policy is called so. */
function pathOf(pointer: string): Path {
  const steps = pointer.split('/').slice(1);
  return steps.map((step) => (/^\d+$/.test(step) ? Number(step) : step.replaceAll('~1', '/').replaceAll('~0', '~')));
}

function shown(path: Path): string {
  if (path.length === 0) return 'it';
  return `'${clip(path.map((step, at) => (typeof step === 'number' ? `[${step}]` : at === 0 ? step : `.${step}`)).join(''))}'`;
}

function lineOf(document: yaml.Document.Parsed, lines: yaml.LineCounter, path: Path, key?: string): number | undefined {
  // A member that came from a default has no place: what holds it has.
  for (let depth = path.length; depth >= 0; depth--) {
    const node = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
    if (!yaml.isNode(node) || !node.range) continue;
    const pair = key !== undefined && yaml.isMap(node) ? node.items.find((each) => String(each.key) === key) : undefined;
    const start = pair !== undefined && yaml.isNode(pair.key) && pair.key.range ? pair.key.range[0] : node.range[0];
    return lines.linePos(start).line;
  }
  return undefined;
}

function refusal(line: number | undefined, sentence: string): Problem {
  return invalid(`Policy${line === undefined ? '' : `, line ${line}`}: ${sentence}.`);
}

function badTagKey(policy: Policy): { readonly path: Path; readonly sentence: string } | undefined {
  for (const [index, { key }] of policy.requirements.tags.entries()) {
    try {
      checkKey(key, 'key');
    } catch (error) {
      return {
        path: ['requirements', 'tags', index, 'key'],
        sentence: error instanceof Error ? error.message.replace(/\.$/, '') : 'is no tag key',
      };
    }
  }
  return undefined;
}

function badExpression(policy: Policy): { readonly path: Path; readonly sentence: string } | undefined {
  for (const [index, { that }] of (policy.requirements.expressions ?? []).entries()) {
    const path = ['requirements', 'expressions', index, 'that'];
    try {
      compileExpression(that);
    } catch (error) {
      return { path, sentence: `${shown(path)} ${error instanceof Error ? error.message : String(error)}` };
    }
  }
  return undefined;
}

/** What says the same is written the same, so that it has one hash. */
function normalised(policy: Policy): Policy {
  const { requirements } = policy;
  const always = requirements.self_approval ? [] : (['requester', 'version_creator'] as const);
  const exclude = [...new Set([...always, ...requirements.exclude])].sort();
  return { ...policy, requirements: { ...requirements, exclude } };
}
