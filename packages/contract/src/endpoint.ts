/** What an endpoint of the native API is: a literal that server, client and OpenAPI are made from. */

import type { Static, TObject, TSchema } from 'typebox';
import type { Permission } from './permissions.ts';

export type ApiMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** The groups of the documentation, in its order. */
export const API_NOUNS = [
  'models',
  'versions',
  'stages and aliases',
  'policies',
  'requests',
  'comments',
  'inbox',
  'checks',
  'blocks',
  'break-glass',
  'evidence',
  'deleted',
  'comparisons',
  'lineage',
  'evidence packs',
  'events',
  'webhooks',
  'checkpoints',
  'settings',
  'workspaces',
  'accounts',
  'groups',
  'tokens',
  'grants',
  'sign-in',
  'CI identities',
] as const;
export type ApiNoun = (typeof API_NOUNS)[number];

export interface Endpoint {
  /** A verb and a noun, unique: the OpenAPI operation id and the name of the handler. */
  readonly id: string;
  readonly noun: ApiNoun;
  readonly method: ApiMethod;
  /** Parameters in braces, each a whole segment. */
  readonly path: `/api/v1/${string}`;
  /** What the caller must be allowed. */
  readonly permission: Permission;
  /** One line. */
  readonly summary: string;
  readonly description?: string;
  readonly params: TObject;
  readonly query?: TObject;
  readonly body?: TObject;
  readonly output: TSchema;
  /** Of an answer that is bytes and no JSON: its type, and what it is called where it is kept, with parameters of the path in braces. */
  readonly media?: string;
  readonly fileName?: string;
  /** Of the answer that isn't a refusal; default 200. */
  readonly status?: 200 | 201;
  /** 200 in its place where the answer's `is_new` is false. */
  readonly isRepeatable?: true;
}

/** Keeps the literal's exact type. */
export function endpoint<const E extends Endpoint>(literal: E): E {
  return literal;
}

type StaticOf<S> = S extends TSchema ? Static<S> : Readonly<Record<never, never>>;

/** What a handler is given, parsed and checked. */
export interface InputOf<E extends Endpoint> {
  readonly params: StaticOf<E['params']>;
  readonly query: StaticOf<E['query']>;
  readonly body: StaticOf<E['body']>;
}

type DeepReadonly<T> = T extends Uint8Array
  ? T
  : T extends readonly (infer Item)[]
    ? readonly DeepReadonly<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
      : T;

/** What a handler answers. */
export type AnswerOf<E extends Endpoint> = DeepReadonly<Static<E['output']>>;
