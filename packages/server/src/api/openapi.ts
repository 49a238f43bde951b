/** OpenAPI 3.1 of the native API, made from the contract. */
import type { Endpoint } from '@countersign/contract/endpoint.ts';
import { API_NOUNS } from '@countersign/contract/endpoint.ts';
import { endpoints } from '@countersign/contract/native-api.ts';
import type { TObject, TSchema } from 'typebox';

export type JsonSchema = { readonly [key: string]: unknown };

export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content: Answers }>>;
  readonly 'x-permission': string;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
}

type Content = { readonly 'application/json': { readonly schema: JsonSchema } };
/** By the type of what is answered. */
type Answers = Readonly<Record<string, { readonly schema: JsonSchema }>>;

export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

const DESCRIPTION =
  'The registry with its history: models, versions and their seals, stages and aliases now and at any time, comparisons, events. Times are epoch ' +
  'milliseconds. Members and query parameters that an endpoint does not know are refused. Answers may gain members. Where the server has accounts, ' +
  'requests carry a token (`Authorization: Bearer csk_…`) or name and password (Basic); tokens are made at /account. The workspace stands in the header ' +
  '`X-MLFLOW-WORKSPACE`, `default` without it.';

const PROBLEM: JsonSchema = {
  type: 'object',
  required: ['error_code', 'message'],
  properties: {
    error_code: { type: 'string', description: 'From the error catalogue: INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, …' },
    message: { type: 'string', description: 'What was wrong, and what to do.' },
  },
};

/** Deterministic: the same contract gives the same bytes. */
export function openApiDocument(): OpenApiDocument {
  const schemas: Record<string, JsonSchema> = { Problem: PROBLEM };
  const paths: Record<string, Record<string, Operation>> = {};
  for (const endpoint of endpoints as readonly Endpoint[]) {
    const operations = paths[endpoint.path] ?? {};
    operations[endpoint.method.toLowerCase()] = operationOf(endpoint, schemas);
    paths[endpoint.path] = operations;
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Countersign', version: '1', description: DESCRIPTION },
    tags: API_NOUNS.map((name) => ({ name })),
    paths,
    components: { schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))) },
  };
}

function operationOf(endpoint: Endpoint, schemas: Record<string, JsonSchema>): Operation {
  const parameters = [...parametersOf('path', endpoint.params), ...parametersOf('query', endpoint.query)];
  return {
    operationId: endpoint.id,
    tags: [endpoint.noun],
    summary: endpoint.summary,
    ...(endpoint.description === undefined ? {} : { description: endpoint.description }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(endpoint.body === undefined ? {} : { requestBody: { required: isRequired(endpoint.body), content: json(asInput(endpoint.body)) } }),
    responses: {
      [String(endpoint.status ?? 200)]: {
        description: 'Done.',
        content: { [endpoint.media ?? 'application/json']: { schema: asOutput(endpoint.output, schemas) } },
      },
      ...(endpoint.isRepeatable ? { '200': { description: 'Known before.', content: json(asOutput(endpoint.output, schemas)) } } : {}),
      default: { description: 'Refused.', content: json({ $ref: '#/components/schemas/Problem' }) },
    },
    'x-permission': endpoint.permission,
  };
}

function isRequired(body: TObject): boolean {
  return (body.required ?? []).length > 0;
}

function json(schema: JsonSchema): Content {
  return { 'application/json': { schema } };
}

function parametersOf(where: 'path' | 'query', schema: TObject | undefined): Parameter[] {
  const properties: Readonly<Record<string, TSchema>> = schema?.properties ?? {};
  const required: readonly string[] = schema?.required ?? [];
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = plain(property);
    return {
      name,
      in: where,
      required: required.includes(name),
      ...(typeof description === 'string' ? { description } : {}),
      schema: asInput(rest),
    };
  });
}

/** The schema as its JSON is. */
function plain(schema: TSchema): JsonSchema {
  return JSON.parse(JSON.stringify(schema)) as JsonSchema;
}

/** What is sent takes no unknown members. */
function asInput(schema: TSchema | JsonSchema): JsonSchema {
  return rewrite(plain(schema), (each) => {
    const { $id: _named, ...rest } = each;
    return rest;
  });
}

/** What is answered may gain members, and a schema with a name of its own stands among the components. */
function asOutput(schema: TSchema, schemas: Record<string, JsonSchema>): JsonSchema {
  return rewrite(plain(schema), ({ $id: id, additionalProperties, ...rest }) => {
    const open = additionalProperties === false || additionalProperties === undefined ? rest : { ...rest, additionalProperties };
    if (typeof id !== 'string') return open;
    schemas[id] = open;
    return { $ref: `#/components/schemas/${id}` };
  });
}

/** Members first, so that what holds a schema sees its rewritten form. */
function rewrite(value: JsonSchema, change: (schema: JsonSchema) => JsonSchema): JsonSchema {
  const members = Object.entries(value).map(([key, member]) => {
    if (SCHEMA_MAPS.has(key)) return [key, mapMembers(member, change)];
    if (SCHEMA_LISTS.has(key)) return [key, (member as JsonSchema[]).map((each) => rewrite(each, change))]; // by the keyword's definition
    return [key, SCHEMA_KEYWORDS.has(key) && isObject(member) ? rewrite(member, change) : member];
  });
  return change(Object.fromEntries(members));
}

const SCHEMA_MAPS = new Set(['properties', 'patternProperties']);
const SCHEMA_LISTS = new Set(['anyOf', 'allOf', 'oneOf']);
const SCHEMA_KEYWORDS = new Set(['items', 'additionalProperties', 'not']);

function mapMembers(value: unknown, change: (schema: JsonSchema) => JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(value as Record<string, JsonSchema>).map(([name, each]) => [name, rewrite(each, change)]));
}

function isObject(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
