/** What an expression in a policy may speak of. Closed: whatever is not in here can't be asked. Its words are those of the expression. */

/** By name; one that has several values is left out, and `metrics_on` has those of each dataset. */
type Numbers = ReadonlyMap<string, number>;
type Words = ReadonlyMap<string, string>;

export interface ExpressionVersion {
  readonly sealed: boolean;
  /** `verified`, `claimed` or `none`; metrics and params are there only where it is verified. */
  readonly lineage: string;
  /** Name of the account. */
  readonly registered_by: string;
  /** Of the CI trust whose job registered it; empty where none did. */
  readonly registered_by_trust: string;
  readonly tags: Words;
  readonly params: Words;
  readonly metrics: Numbers;
  /** By the dataset's name, then by the metric's. */
  readonly metrics_on: ReadonlyMap<string, Numbers>;
  readonly has_description: boolean;
  readonly has_signature: boolean;
  readonly has_input_example: boolean;
  readonly model_card_sections: readonly string[];
}

/** The newest report that counts for these bytes. */
export interface ExpressionCheck {
  /** Empty until it is completed. */
  readonly conclusion: string;
  /** Name of the account. */
  readonly reporter: string;
  /** Empty where none was named. */
  readonly dataset: string;
  /** Epoch ms. */
  readonly at: number;
  readonly metrics: Numbers;
}

/** What stands in the target now. */
export interface ExpressionStanding {
  /** `Fraud/6`. */
  readonly name: string;
  readonly metrics: Numbers;
  readonly metrics_on: ReadonlyMap<string, Numbers>;
}

export interface ExpressionFacts {
  /** Epoch ms. */
  readonly now: number;
  readonly target: { readonly kind: string; readonly name: string };
  /** Names of the accounts that ask. */
  readonly requesters: readonly string[];
  readonly version: ExpressionVersion;
  /** By name. */
  readonly checks: ReadonlyMap<string, ExpressionCheck>;
  readonly standing: readonly ExpressionStanding[];
}

/** An expression that was read: what it says is asked of facts alone, and never of a clock. */
export interface CompiledExpression {
  /** How much work it is with such facts, at most: about one for each node of the expression that is looked at. */
  readonly steps: (facts: ExpressionFacts) => number;
  /** Throws an Error that says why where it can't be told. */
  readonly holds: (facts: ExpressionFacts) => boolean;
}

/** In words for the schema. */
export const EXPRESSION_FACTS =
  'It speaks of version {sealed, lineage, registered_by, registered_by_trust, tags, params, metrics, metrics_on, has_description, has_signature, ' +
  'has_input_example, model_card_sections}, checks[name] {conclusion, reporter, dataset, at, metrics}, standing [{name, metrics, metrics_on}], ' +
  'target {kind, name}, requesters and now.';
