/** What a caller may do, as the rooms are given it: compiled once, asked in memory. */
import type { Rank } from './levels.ts';

/** What grants are about. Prompts are registered models; runs and logged models follow their experiment, versions their model. */
export type ObjectKind = 'experiment' | 'registered-model';

/** By id or by the beginning of a name. */
export interface ObjectSet {
  readonly ids: readonly number[];
  readonly prefixes: readonly string[];
}

/** What searches may show of one kind: everything or what is in `shown`, less what is in `hidden`. Stores drive from it; none joins the grants. */
export interface Scope {
  readonly everything: boolean;
  /** Looked at where `everything` is false. */
  readonly shown: ObjectSet;
  readonly hidden: ObjectSet;
}

export const SEES_ALL: Scope = { everything: true, shown: { ids: [], prefixes: [] }, hidden: { ids: [], prefixes: [] } };

/** Whether nothing has to be asked of single objects. */
export function seesAll(scope: Scope): boolean {
  return scope.everything && scope.hidden.ids.length === 0 && scope.hidden.prefixes.length === 0;
}

/** A caller's access to one workspace. */
export interface Access {
  /** Administers the server. */
  readonly isAdmin: boolean;
  /** Administers the workspace; an administrator of the server does. */
  readonly isManager: boolean;
  /** May make experiments and models in the workspace. */
  readonly mayCreate: boolean;
  /** Whether the workspace is there for this caller at all. */
  readonly isMember: boolean;
  /** What every object of the kind has at least, so that nothing has to be looked up. */
  floorOf(kind: ObjectKind): Rank;
  /** Whether prefixes of names decide about some objects of the kind. */
  looksAtNames(kind: ObjectKind): boolean;
  /** `name` decides prefixes; without it only ids and what holds for all are looked at. */
  rankOf(kind: ObjectKind, object: { readonly id: number; readonly name?: string }): Rank;
  /** The same for a model or experiment known by its name alone. A name nobody has gets what holds for all and for its prefixes. */
  rankOfName(kind: ObjectKind, name: string): Rank;
  /** At least VIEW. */
  scopeOf(kind: ObjectKind): Scope;
}

/** What a token may be used for, beside what its account may do. */
export interface TokenScope {
  /** Words of `PermissionRule.asks`, and of CI identities. */
  readonly asks: ReadonlySet<string>;
  /** Runs that it may log to. */
  readonly runs: ReadonlySet<string>;
  /** Checks that it may report. */
  readonly checks: ReadonlySet<string>;
  /** When it ends, epoch ms: what it makes ends by then. Undefined where it goes on, or a person sits at the browser. */
  readonly endsAt?: number | undefined;
}
