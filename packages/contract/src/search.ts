/** What a search asks for, once its text has been read: every grammar gives this tree, every room compiles it. */

export type SearchOperator = '=' | '!=' | '<' | '<=' | '>' | '>=' | 'LIKE' | 'ILIKE' | 'IN' | 'NOT IN' | 'IS NULL' | 'IS NOT NULL';

export type SearchValue =
  | { readonly kind: 'string'; readonly text: string }
  /** A finite number, and how it was written. It may have a fraction unless the grammar says integer. */
  | { readonly kind: 'number'; readonly number: number; readonly text: string }
  /** At least one text, in the order given; only with `IN` and `NOT IN`. */
  | { readonly kind: 'list'; readonly texts: readonly string[] };

/** One clause of a filter: `metrics.accuracy > 0.9` is `{ entity: 'metric', key: 'accuracy', operator: '>', … }`. */
export interface Comparison {
  /** Canonical and singular: `metric`, `param`, `tag`, `attribute` or `dataset`. */
  readonly entity: string;
  /** Canonical for attributes (`created` is `start_time`), literal for everything that users name. */
  readonly key: string;
  readonly operator: SearchOperator;
  /** Absent with `IS NULL` and `IS NOT NULL` only. */
  readonly value: SearchValue | undefined;
  /** Where the clause begins in the filter's text; the first character is 1. */
  readonly position: number;
}

/** Every comparison must hold. An empty filter asks for everything. */
export type Filter = readonly Comparison[];

/** One sort key; earlier ones weigh more. */
export interface Ordering {
  readonly entity: string;
  readonly key: string;
  readonly descending: boolean;
}

/** Logged models may be sorted by a metric as measured on one dataset. */
export interface LoggedModelOrdering extends Ordering {
  readonly datasetName: string | undefined;
  readonly datasetDigest: string | undefined;
}
