/**
 * How upstream's protobuf messages are written down here, and read from JSON: proto3 JSON mapping
 * (snake_case or lowerCamelCase, int64 as number or decimal string, enums by name or number) with MLflow's own refusals.
 * A message is data: decoders, TypeScript types and OpenAPI schemas follow from it.
 */
import { invalid } from '../problem.ts';

type Kind = 'string' | 'int64' | 'int32' | 'double' | 'bool' | 'enum' | 'message';

/** An int64 stays a number while that is exact, and becomes a bigint beyond 2^53. */
export type Int64 = number | bigint;

export interface Field<
  T = unknown,
  Presence extends 'required' | 'optional' | 'default' | 'list' = 'required' | 'optional' | 'default' | 'list',
> {
  readonly kind: Kind;
  readonly presence: Presence;
  readonly fallback?: T;
  /** Names of the enum's values by number. */
  readonly values?: Readonly<Record<string, number>>;
  readonly message?: MessageType<Fields>;
  readonly $type?: T;
}

export type Fields = Readonly<Record<string, Field>>;

type ValueOf<F> = F extends Field<infer T, infer P> ? (P extends 'list' ? readonly T[] : P extends 'optional' ? T | undefined : T) : never;
export type MessageOf<M> = M extends MessageType<infer F> ? { readonly [K in keyof F]: ValueOf<F[K]> } : never;

export interface MessageType<F extends Fields> {
  readonly name: string;
  readonly fields: F;
  /** Reads a JSON object. Unknown fields are ignored, as upstream does. Throws INVALID_PARAMETER_VALUE. */
  readonly decode: (json: unknown) => { readonly [K in keyof F]: ValueOf<F[K]> };
  /** As `decode`, inside of another message at a path; its refusals say no paths where that is undefined. */
  readonly read: (json: unknown, path: string | undefined) => Readonly<Record<string, unknown>>;
}

export const string = { kind: 'string', presence: 'optional' } as Field<string, 'optional'>;
export const int64 = { kind: 'int64', presence: 'optional' } as Field<Int64, 'optional'>;
export const int32 = { kind: 'int32', presence: 'optional' } as Field<number, 'optional'>;
export const double = { kind: 'double', presence: 'optional' } as Field<number, 'optional'>;
export const bool = { kind: 'bool', presence: 'optional' } as Field<boolean, 'optional'>;

export function enumeration<const V extends Readonly<Record<string, number>>>(values: V): Field<keyof V & string, 'optional'> {
  return { kind: 'enum', presence: 'optional', values } as Field<keyof V & string, 'optional'>;
}
export function submessage<F extends Fields>(type: MessageType<F>): Field<MessageOf<MessageType<F>>, 'optional'> {
  return { kind: 'message', presence: 'optional', message: type as unknown as MessageType<Fields> } as Field<
    MessageOf<MessageType<F>>,
    'optional'
  >;
}
/** Absent, null and "" are all refused with MLflow's sentence. */
export function required<T>(field: Field<T, 'optional'>): Field<T, 'required'> {
  return { ...field, presence: 'required' } as unknown as Field<T, 'required'>;
}
export function withDefault<T>(field: Field<T, 'optional'>, fallback: T): Field<T, 'default'> {
  return { ...field, presence: 'default', fallback } as unknown as Field<T, 'default'>;
}
export function list<T>(field: Field<T, 'optional'>): Field<T, 'list'> {
  return { ...field, presence: 'list' } as unknown as Field<T, 'list'>;
}

const EMPTY_LIST: readonly never[] = Object.freeze([]);

/**
 * Paths (`metrics[3].key`) are for refusals only, and building them costs as much as reading. So a message is read without them, and what is
 * refused is read once more with them.
 */
type Path = string | undefined;

export function message<F extends Fields>(name: string, fields: F): MessageType<F> {
  const entries = Object.entries(fields).map(([snake, field]) => ({ snake, camel: toCamel(snake), field, read: reader(field) }));
  const inherited = entries.find(({ snake, camel }) => snake in Object.prototype || camel in Object.prototype);
  // Members are read without asking whose they are.
  if (inherited) throw new TypeError(`${inherited.snake} can't be a field: every object has a member of that name`);
  const read = (json: unknown, path: Path): Record<string, unknown> => {
    const source = asObject(json, path || name);
    const out: Record<string, unknown> = {};
    for (const { snake, camel, field, read } of entries) {
      let raw = source[snake];
      if (camel !== snake) {
        const other = source[camel];
        if (other !== undefined) {
          if (raw !== undefined) throw invalid(`Field '${snake}' is given twice, as '${snake}' and '${camel}'. Send it once.`);
          raw = other;
        }
      }
      const at = path === undefined ? undefined : path === '' ? snake : `${path}.${snake}`;
      if (raw === undefined || raw === null || (raw === '' && field.presence === 'required')) {
        out[snake] = absent(field, at);
      } else if (field.presence === 'list') {
        out[snake] = readList(raw, read, at);
      } else {
        out[snake] = read(raw, at);
      }
    }
    return out;
  };
  const decode = (json: unknown): Record<string, unknown> => {
    try {
      return read(json, undefined);
    } catch {
      return read(json, '');
    }
  };
  return { name, fields, decode: decode as MessageType<F>['decode'], read };
}

function asObject(json: unknown, what: string): Record<string, unknown> {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>; // narrowed by the test
  throw invalid(`Invalid value for '${what}' supplied: expected a JSON object, got ${describe(json)}.`);
}

function absent(field: Field, at: Path): unknown {
  if (field.presence === 'list') return EMPTY_LIST;
  if (field.presence === 'default') return field.fallback;
  if (field.presence === 'required') throw missing(at ?? '');
  return undefined;
}

export function missing(parameter: string): Error {
  return invalid(`Missing value for required parameter '${parameter}'. See the API docs for more information about request parameters.`);
}

function readList(raw: unknown, read: (raw: unknown, at: Path) => unknown, at: Path): unknown[] {
  if (!Array.isArray(raw)) throw wrong(raw, at, 'a list');
  return raw.map((item, i) => read(item, at === undefined ? undefined : `${at}[${i}]`));
}

function reader(field: Field): (raw: unknown, at: Path) => unknown {
  switch (field.kind) {
    case 'string':
      return (raw, at) => {
        if (typeof raw !== 'string') throw wrong(raw, at, 'a string');
        checkText(raw, at);
        return raw;
      };
    case 'int64':
      return readInt64;
    case 'int32':
      return (raw, at) => {
        const value = readInt64(raw, at);
        if (typeof value !== 'number' || value > 2147483647 || value < -2147483648) throw wrong(raw, at, 'a 32-bit integer');
        return value;
      };
    case 'double':
      return readDouble;
    case 'bool':
      return (raw, at) => {
        if (typeof raw === 'boolean') return raw;
        // Public notebooks send "true"; upstream answers 400 to it, which helps nobody.
        if (typeof raw === 'string' && /^(true|false)$/i.test(raw)) return raw.toLowerCase() === 'true';
        throw wrong(raw, at, 'true or false');
      };
    case 'enum': {
      const values = field.values ?? {};
      const byNumber = new Map(Object.entries(values).map(([label, number]) => [number, label]));
      return (raw, at) => {
        if (typeof raw === 'string' && Object.hasOwn(values, raw)) return raw;
        const isNumber = typeof raw === 'number' || (typeof raw === 'string' && /^\d+$/.test(raw));
        const label = isNumber ? byNumber.get(Number(raw)) : undefined;
        if (label !== undefined) return label;
        throw invalid(`Invalid value ${quote(raw)} for parameter '${at}' supplied: it must be one of ${Object.keys(values).join(', ')}.`);
      };
    }
    case 'message': {
      const type = field.message;
      if (!type) throw new TypeError('a message field needs its type');
      return (raw, at) => type.read(raw, at);
    }
  }
}

/** NUL can't be stored by PostgreSQL and a lone surrogate has no UTF-8 form: both databases refuse both, here. */
export function checkText(text: string, at: string | undefined): void {
  if (text.includes('\0') || !text.isWellFormed()) {
    throw invalid(
      `Invalid value for parameter '${at}' supplied: it holds a NUL character or an unpaired surrogate, which can't be stored.`,
    );
  }
}

const INT64_MAX = 9223372036854775807n;
const INT64_MIN = -9223372036854775808n;

function readInt64(raw: unknown, at: Path): Int64 {
  if (typeof raw === 'number') {
    if (Number.isSafeInteger(raw)) return raw;
    throw wrong(raw, at, 'a 64-bit integer');
  }
  if (typeof raw === 'string' && !/^[+-]?\d{1,20}(\.0+)?$/.test(raw)) throw wrong(raw, at, 'a 64-bit integer');
  if (typeof raw !== 'string' && typeof raw !== 'bigint') throw wrong(raw, at, 'a 64-bit integer');
  const value = BigInt(typeof raw === 'string' ? raw.replace(/^\+/, '').replace(/\.0+$/, '') : raw);
  if (value > INT64_MAX || value < INT64_MIN) throw wrong(raw, at, 'a 64-bit integer');
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function readDouble(raw: unknown, at: Path): number {
  if (typeof raw === 'number') return raw;
  if (typeof raw === 'bigint') return Number(raw);
  if (typeof raw === 'boolean') return raw ? 1 : 0;
  if (typeof raw === 'string') {
    const named = /^\s*[+-]?(nan|inf(inity)?)\s*$/i.exec(raw);
    if (named) return /nan/i.test(raw) ? Number.NaN : raw.includes('-') ? -Infinity : Infinity;
    if (/^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(raw)) return Number(raw);
  }
  throw wrong(raw, at, 'a number');
}

/** MLflow's sentence for a wrong type (mlflow/server/handlers.py _validate_param_against_schema). */
function wrong(raw: unknown, at: Path, expected: string): Error {
  return invalid(
    `Invalid value ${quote(raw)} for parameter '${at}' supplied:  Hint: Value was of type '${pythonType(raw)}', expected ${expected}. ` +
      'See the API docs for more information about request parameters.',
  );
}

function pythonType(raw: unknown): string {
  if (raw === null) return 'NoneType';
  if (Array.isArray(raw)) return 'list';
  switch (typeof raw) {
    case 'string':
      return 'str';
    case 'number':
      return Number.isInteger(raw) ? 'int' : 'float';
    case 'bigint':
      return 'int';
    case 'boolean':
      return 'bool';
    default:
      return 'dict';
  }
}

function quote(raw: unknown): string {
  if (typeof raw === 'string') return `"${clip(raw)}"`;
  if (typeof raw === 'bigint') return String(raw);
  return clip(JSON.stringify(raw, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value)) ?? String(raw));
}

/** Long values are cut so that an error can't be made to echo megabytes. */
export function clip(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function describe(json: unknown): string {
  return json === null ? 'null' : Array.isArray(json) ? 'a list' : typeof json === 'object' ? 'an object' : `a ${typeof json}`;
}

function toCamel(snake: string): string {
  return snake.replace(/_([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase());
}
