/**
 * Whether whoever calls one model would break on another: sends what the other refuses, or misses what it no longer answers. Pure. What a schema
 * accepts is what MLflow's clients enforce (mlflow/models/utils.py `_enforce_schema`); the texts are a client's, so no shape is trusted.
 */

/** As an MLmodel file has them; null where it says nothing. */
export interface Signature {
  readonly inputs: unknown;
  readonly outputs: unknown;
  readonly params: unknown;
}

type Members = Readonly<Record<string, unknown>>;

/** Whether a value of the type on the left is taken where the one on the right is expected. */
type Takes = (given: unknown, expected: unknown) => boolean;

/** Conversions without loss, beside each type's own; an `int` fits into a `double`, a `long` doesn't. */
const COLUMN_CASTS: Readonly<Record<string, readonly string[]>> = { integer: ['long', 'double'], float: ['double'] };
const PARAM_CASTS: Readonly<Record<string, readonly string[]>> = {
  integer: ['long', 'float', 'double'],
  long: ['float', 'double'],
  float: ['double'],
};

/**
 * Sentences, one for each reason; none where a caller of `standing` may be sent to `candidate`. A model without a signature promised nothing, so its
 * callers can't be told to break.
 */
export function signatureBreaks(standing: Signature, candidate: Signature): readonly string[] {
  return [
    ...inputBreaks(fieldsOf(standing.inputs), fieldsOf(candidate.inputs)),
    ...outputBreaks(fieldsOf(standing.outputs), fieldsOf(candidate.outputs)),
    ...paramBreaks(fieldsOf(standing.params), fieldsOf(candidate.params)),
  ];
}

interface Field {
  /** null: known by its place. */
  readonly name: string | null;
  readonly isRequired: boolean;
  readonly type: Members;
}

/** Undefined: there is no schema. */
function fieldsOf(schema: unknown): readonly Field[] | undefined {
  if (!Array.isArray(schema)) return undefined;
  return schema.map((each) => {
    const type = membersOf(each);
    return {
      name: typeof type.name === 'string' ? type.name : null,
      // `optional: true` is how clients before 2.9 wrote it.
      isRequired: type.required !== false && type.optional !== true,
      type,
    };
  });
}

function inputBreaks(standing: readonly Field[] | undefined, candidate: readonly Field[] | undefined): string[] {
  if (standing === undefined) return [];
  if (candidate === undefined) return ['the inputs have no schema any more'];
  if (areNamed(standing) !== areNamed(candidate))
    return ['the inputs are told apart by names in one of them, and by their order in the other'];
  const sent = byKey(standing);
  return [...byKey(candidate)].flatMap(([key, asked]) => {
    const given = sent.get(key);
    if (given === undefined) return asked.isRequired ? [`input ${key} is required, and callers don't send it`] : [];
    if (asked.isRequired && !given.isRequired) return [`input ${key} is required now`];
    return takesColumn(given.type, asked.type) ? [] : [`input ${key} was ${shown(given.type)}, and is ${shown(asked.type)}`];
  });
}

function outputBreaks(standing: readonly Field[] | undefined, candidate: readonly Field[] | undefined): string[] {
  if (standing === undefined) return [];
  if (candidate === undefined) return ['the outputs have no schema any more'];
  if (areNamed(standing) !== areNamed(candidate))
    return ['the outputs are told apart by names in one of them, and by their order in the other'];
  const answered = byKey(candidate);
  return [...byKey(standing)].flatMap(([key, read]) => {
    const given = answered.get(key);
    if (given === undefined) return [`output ${key} is answered no more`];
    if (read.isRequired && !given.isRequired) return [`output ${key} may be left out now`];
    return takesColumn(given.type, read.type) ? [] : [`output ${key} was ${shown(read.type)}, and is ${shown(given.type)}`];
  });
}

/** A param that is gone is ignored, and each has a default; only one that is refused breaks a call. */
function paramBreaks(standing: readonly Field[] | undefined, candidate: readonly Field[] | undefined): string[] {
  const sent = byKey(standing ?? []);
  return [...byKey(candidate ?? [])].flatMap(([key, asked]) => {
    const given = sent.get(key);
    return given === undefined || takesParam(given.type, asked.type)
      ? []
      : [`param ${key} was ${shown(given.type)}, and is ${shown(asked.type)}`];
  });
}

function areNamed(fields: readonly Field[]): boolean {
  return fields.some((field) => field.name !== null);
}

function byKey(fields: readonly Field[]): Map<string, Field> {
  return new Map(fields.map((field, i) => [field.name === null ? `#${i + 1}` : `'${field.name}'`, field]));
}

const takesColumn: Takes = (given, expected) => takes(given, expected, COLUMN_CASTS);

function takesParam(given: Members, expected: Members): boolean {
  const isList = (type: Members): boolean => Array.isArray(type.shape);
  // Anything that reads as a time is one.
  if (expected.type === 'datetime' && isList(given) === isList(expected)) return true;
  return isList(given) === isList(expected) && takes(given, expected, PARAM_CASTS);
}

function takes(givenType: unknown, expectedType: unknown, casts: Readonly<Record<string, readonly string[]>>): boolean {
  const [given, expected] = [membersOf(givenType), membersOf(expectedType)];
  const again: Takes = (a, b) => takes(a, b, casts);
  if (expected.type === 'any') return true;
  if (typeof given.type !== 'string' || typeof expected.type !== 'string') return false;
  if (given.type !== expected.type)
    return (Object.hasOwn(casts, given.type) ? casts[given.type] : undefined)?.includes(expected.type) ?? false;
  switch (given.type) {
    case 'tensor':
      return takesTensor(membersOf(given['tensor-spec']), membersOf(expected['tensor-spec']));
    case 'object':
      return takesObject(membersOf(given.properties), membersOf(expected.properties), again);
    case 'array':
      return again(given.items, expected.items);
    case 'map':
      return again(given.values, expected.values);
    default:
      return true;
  }
}

/** Of a tensor the type must be the same; -1 in a shape is any length. */
function takesTensor(given: Members, expected: Members): boolean {
  if (given.dtype !== expected.dtype) return false;
  const [from, to] = [given.shape, expected.shape];
  if (!Array.isArray(from) || !Array.isArray(to)) return false;
  return from.length === to.length && to.every((length: unknown, i) => length === -1 || length === from[i]);
}

/** Of an object, unlike of columns, what isn't expected is refused. */
function takesObject(given: Members, expected: Members, again: Takes): boolean {
  const isRequired = (type: unknown): boolean => membersOf(type).required !== false;
  if (Object.keys(given).some((name) => !Object.hasOwn(expected, name))) return false;
  return Object.entries(expected).every(([name, type]) => {
    if (!Object.hasOwn(given, name)) return !isRequired(type);
    return (isRequired(given[name]) || !isRequired(type)) && again(given[name], type);
  });
}

const SHOWN_MAX = 200;

function shown(type: Members): string {
  const { name: _name, required: _required, optional: _optional, default: _default, shape, ...others } = type;
  const rest = shape === undefined || shape === null ? others : { ...others, shape };
  const isPlain = typeof type.type === 'string' && Object.keys(rest).length <= 1;
  return (isPlain ? String(type.type) : JSON.stringify(rest)).slice(0, SHOWN_MAX);
}

function membersOf(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {};
}
