/** From a request to the parsed and checked input of an endpoint. Nothing unknown is passed over in silence. */
import type { Endpoint } from '@countersign/contract/endpoint.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid, type Problem } from '@countersign/contract/problem.ts';
import type { TObject, TSchema } from 'typebox';
import type { Validator } from 'typebox/compile';
import type { Exchange } from '../platform/http/exchange.ts';
import { validatorOf } from './validators.ts';

export interface RawInput {
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

/** Throws INVALID_PARAMETER_VALUE that names the member and says what it must be. */
export async function readInput(endpoint: Endpoint, exchange: Exchange): Promise<RawInput> {
  const params = await readTexts('path', endpoint.params, exchange.params);
  const query = await readTexts('query', endpoint.query, exchange.query());
  const hasBody = endpoint.method !== 'GET' && endpoint.method !== 'DELETE';
  const body = hasBody ? await exchange.json() : {};
  await check('body', endpoint.body, body);
  return { params, query, body };
}

/** What is given by its members, not by a request. Throws as `readInput`. */
export async function checkInput(endpoint: Endpoint, { params, query, body }: RawInput): Promise<void> {
  await check('path', endpoint.params, params);
  await check('query', endpoint.query, query);
  await check('body', endpoint.body, body);
}

type Part = 'path' | 'query' | 'body';

/** Path and query are text: numbers and truth values are read by what the schema says. */
async function readTexts(part: Part, schema: TObject | undefined, given: Readonly<Record<string, string | string[] | undefined>>) {
  const properties: Readonly<Record<string, TSchema>> = schema?.properties ?? {};
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (property === undefined) throw unknownMember(part, name, Object.keys(properties));
    values[name] = readText(part, name, property, value);
  }
  await check(part, schema, values);
  return values;
}

function readText(part: Part, name: string, schema: TSchema, value: string | string[] | undefined): unknown {
  const type = 'type' in schema ? schema.type : undefined;
  if (type === 'array') return Array.isArray(value) ? value : [value];
  if (Array.isArray(value)) throw invalid(`'${name}' is given ${value.length} times in the ${part}. Give it once.`);
  if (type === 'integer' && value !== undefined && /^-?\d{1,15}$/.test(value)) return Number(value);
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true';
  return value;
}

async function check(part: Part, schema: TObject | undefined, value: unknown): Promise<void> {
  if (schema === undefined) {
    if (typeof value !== 'object' || value === null || Object.keys(value).length > 0)
      throw invalid(`This call takes no ${part}. Leave it out.`);
    return;
  }
  const validator = await validatorOf(schema);
  if (!validator.Check(value)) throw refusal(part, schema, validator, value);
  refuseUnstorable(part, '', value);
}

function refusal(part: Part, schema: TObject, validator: Validator, value: unknown): Problem {
  const errors = validator.Errors(value);
  for (const error of errors) {
    const place = error.instancePath.slice(1);
    if (error.keyword === 'additionalProperties') {
      const names = (error.params as { additionalProperties: string[] }).additionalProperties; // as the keyword reports them
      return unknownMember(
        part,
        names.map((name) => (place ? `${place}/${name}` : name)).join("', '"),
        place ? [] : Object.keys(schema.properties),
      );
    }
  }
  const first = errors[0];
  const place = first?.instancePath.slice(1) ?? '';
  const sentences = errors
    .filter((error) => error.instancePath === first?.instancePath && error.keyword !== 'anyOf')
    .map((error) => sentenceOf(error.keyword, error.message, error.params));
  return invalid(`${place === '' ? `The ${part}` : `'${clip(place)}' in the ${part}`} ${[...new Set(sentences)].join(', or ')}.`);
}

function sentenceOf(keyword: string, message: string, params: object): string {
  if (keyword === 'enum' && 'allowedValues' in params) return `must be one of ${String(params.allowedValues).replaceAll(',', ', ')}`;
  return message;
}

function unknownMember(part: Part, name: string, known: readonly string[]): Problem {
  const knows = known.length === 0 ? '' : ` It takes: ${known.join(', ')}.`;
  return invalid(`The ${part} has an unknown member '${clip(name)}'.${knows}`);
}

/** No database keeps a NUL or half a character, so none is asked to. */
function refuseUnstorable(part: Part, place: string, value: unknown): void {
  if (typeof value === 'string') {
    if (value.includes('\0') || !value.isWellFormed()) {
      throw invalid(`'${place}' in the ${part} holds a NUL character or half of a surrogate pair, which can't be stored.`);
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) refuseUnstorable(part, place === '' ? name : `${place}/${name}`, member);
  }
}
