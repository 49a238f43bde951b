/** How an upstream RPC is served: message → door call → wire JSON, under every prefix that clients use. */
import type { Fields, MessageOf, MessageType } from '@countersign/contract/mlflow/message.ts';
import type { Permission } from '@countersign/contract/permissions.ts';
import { invalid, Problem } from '@countersign/contract/problem.ts';
import { asking } from '../features/requests/requests.ts';
import type { NamedObjects } from '../gate/authorize.ts';
import type { Gate } from '../gate/gate.ts';
import type { Ctx } from '../platform/context.ts';
import type { Exchange, Method, Reply, Route } from '../platform/http/exchange.ts';

/** Which prefixes serve it: clients' `/api` and the browser's `/ajax-api`, or one of them. */
type Audience = 'both' | 'ajax' | 'api';

export interface Rpc {
  readonly methods: readonly Method[];
  /** Below the version: `/mlflow/runs/get`. */
  readonly path: string;
  readonly permission: Permission;
  readonly versions: readonly ('2.0' | '3.0')[];
  readonly audience: Audience;
  /** Registry calls of 1.x clients also come under `/api/2.0/preview`. */
  readonly preview: boolean;
  readonly serve: (gate: Gate, exchange: Exchange) => Promise<Reply>;
}

interface RpcOptions {
  readonly versions?: readonly ('2.0' | '3.0')[];
  readonly audience?: Audience;
  readonly preview?: boolean;
  /** Where a legal request may be larger than others are. */
  readonly bodyBytesMax?: number;
  /** Of the answer that isn't a refusal; default 200. 204 has no body. */
  readonly status?: 200 | 201 | 204;
}

const CURRENT = ['2.0'] as const;

/** An answer that is JSON text already, where the database builds it. */
export class RawJson {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/**
 * Declares an RPC. `method` may be two words (`POST|GET`) where upstream takes both. The handler answers the wire object;
 * a member that is undefined is left out of the JSON.
 */
export function rpc<F extends Fields>(
  method: string,
  path: string,
  permission: Permission,
  message: MessageType<F>,
  handle: (ctx: Ctx, input: MessageOf<MessageType<F>>) => Promise<object>,
  options: RpcOptions = {},
): Rpc {
  return {
    methods: method.split('|') as Method[], // written as a literal by the callers
    path,
    permission,
    versions: options.versions ?? CURRENT,
    audience: options.audience ?? 'both',
    preview: options.preview ?? false,
    serve: async (gate, exchange) => {
      const ctx = await gate.admit(exchange, permission);
      const fields = await readFields(exchange, message, options.bodyBytesMax);
      const input = decode(exchange, message, fields) as MessageOf<MessageType<F>>;
      await gate.authorize(ctx, permission, namedIn(input));
      const answer = await asking(ctx, () => handle(ctx, input));
      if (options.status === 204) return { status: 204, body: '' };
      const body = answer instanceof RawJson ? answer.text : JSON.stringify(answer);
      return options.status === undefined ? { body } : { status: options.status, body };
    },
  };
}

/** Only artifact routes name a path of the artifact root; here `path` is something inside a run or model. */
function namedIn(input: object): NamedObjects {
  return 'path' in input ? { ...input, path: undefined } : input;
}

function decode(exchange: Exchange, message: MessageType<Fields>, fields: unknown): unknown {
  try {
    return message.decode(fields);
  } catch (error) {
    throw error instanceof Problem ? showAsWritten(error, exchange.jsonBytes) : error;
  }
}

/** Reading JSON makes 9 of `9.0`; a refusal shows the number as it was written, as upstream's does. */
function showAsWritten(problem: Problem, bytes: Buffer | undefined): Problem {
  const [, whole, name] = /^Invalid value (-?\d+) for parameter '(?:.*\.)?(\w+)' supplied/.exec(problem.message) ?? [];
  if (whole === undefined || bytes === undefined) return problem;
  const written = new RegExp(`"${name}"\\s*:\\s*(${whole}\\.0+)\\s*[,}]`).exec(bytes.toString('utf8'))?.[1];
  if (written === undefined) return problem;
  return new Problem(problem.code, problem.message.replace(whole, written).replace("of type 'int'", "of type 'float'"));
}

/** GET reads the query string only; DELETE reads the body and, as databricks-sdk sends it, the query string; a path parameter wins. */
async function readFields(exchange: Exchange, message: MessageType<Fields>, bodyBytesMax?: number): Promise<unknown> {
  const method = exchange.req.method;
  let fields: unknown;
  if (method === 'GET' || method === 'HEAD') fields = queryFields(exchange, message);
  else if (method === 'DELETE' && exchange.rawQuery !== '')
    fields = { ...queryFields(exchange, message), ...asRecord(await exchange.json()) };
  else fields = await exchange.json(bodyBytesMax);
  const names = Object.keys(exchange.params);
  if (names.length === 0) return fields;
  return { ...asRecord(fields), ...exchange.params };
}

/** Throws as the message would for a body that is no object: its members are about to be spread. */
function asRecord(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>; // narrowed by the test
  throw invalid('The request body must be a JSON object.');
}

function queryFields(exchange: Exchange, message: MessageType<Fields>): Record<string, unknown> {
  const query = exchange.query();
  const out: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(message.fields)) {
    const value = query[name];
    if (value === undefined) continue;
    if (field.presence === 'list') out[name] = Array.isArray(value) ? value : [value];
    else out[name] = Array.isArray(value) ? value[value.length - 1] : value;
  }
  return out;
}

export function mount(rpcs: readonly Rpc[], gate: Gate): Route[] {
  const routes: Route[] = [];
  for (const each of rpcs) {
    const handle = (exchange: Exchange): Promise<Reply> => each.serve(gate, exchange);
    for (const method of each.methods) {
      for (const prefix of prefixesOf(each)) routes.push({ method, path: `${prefix}${each.path}`, permission: each.permission, handle });
    }
  }
  return routes;
}

function prefixesOf(each: Rpc): string[] {
  const prefixes: string[] = [];
  for (const version of each.versions) {
    if (each.audience !== 'ajax') prefixes.push(`/api/${version}`);
    if (each.audience !== 'api') prefixes.push(`/ajax-api/${version}`);
  }
  if (each.preview) prefixes.push('/api/2.0/preview');
  return prefixes;
}
