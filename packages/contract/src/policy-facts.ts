/**
 * What a decision is made from: plain facts that somebody has read from the database in one transaction. Times are epoch ms. Whatever is not
 * in here can't be a reason.
 */
import type { Level } from './levels.ts';
import type { GovernedTarget } from './permit.ts';

/** An authenticated account, never what a client claims. */
export interface PolicyPrincipal {
  /** By which the facts name it: of a user or service account that of its account; each job has one of its own, since somebody started each. */
  readonly id: number;
  readonly account: number;
  readonly kind: 'user' | 'service' | 'ci' | 'local';
  readonly name: string;
  /** Whether it can sign in. */
  readonly isActive: boolean;
  /**
   * Ids of the accounts of the person behind it: of a user itself and others of the same person, of a service account its owner, of a job the account
   * linked to who started it. Empty where nobody is known.
   */
  readonly persons: readonly number[];
  readonly groups: readonly string[];
  /** On the model in question. */
  readonly level: Level | undefined;
  readonly permissions: readonly string[];
  readonly isServingController: boolean;
  /** The CI trust that it acts for. */
  readonly trust: string | undefined;
}

/** What an approval holds for: all three must still be so. */
export interface ApprovalBinding {
  /** Of the version's or candidate's manifest; null while it is unsealed, or where the change is of no version. */
  readonly digest: string | null;
  /** Of the evidence snapshot, which covers the configuration of a prompt. */
  readonly evidence: string;
}

export interface Approval extends ApprovalBinding {
  readonly id: number;
  readonly by: number;
  readonly at: number;
  /** `PolicyFacts.subject` when it was given. */
  readonly subject: string;
  /** The policies that were in force for it: several where a change is judged under an old and a new one. */
  readonly policies: readonly string[];
}

export type CheckConclusion = 'success' | 'failure' | 'neutral' | 'cancelled' | 'skipped' | 'timed_out' | 'action_required';

/** `NaN` and the infinities are numbers here. */
export type MetricValues = Readonly<Record<string, number>>;

export interface CheckReport {
  /** Ascends in the order of the reports. */
  readonly id: number;
  readonly name: string;
  readonly digest: string | null;
  readonly by: number;
  /** Whether the identity was allowed to report this name. */
  readonly isEntitled: boolean;
  readonly at: number;
  /** null until it is completed. */
  readonly conclusion: CheckConclusion | null;
  readonly metrics: MetricValues;
  /** Name of the dataset that the metrics are on. */
  readonly dataset: string | undefined;
}

export interface EvidenceMetric {
  readonly name: string;
  readonly value: number;
  readonly dataset: string | undefined;
}

export interface VersionEvidence {
  readonly isSealed: boolean;
  /** The authenticated principal that registered it. */
  readonly registeredBy: number;
  readonly lineage: 'verified' | 'claimed' | 'none';
  /** Of the run, from the snapshot. */
  readonly metrics: readonly EvidenceMetric[];
  /** The same. */
  readonly params: Readonly<Record<string, string>>;
  readonly checks: readonly CheckReport[];
  readonly tags: Readonly<Record<string, string>>;
  readonly hasDescription: boolean;
  readonly modelCardSections: readonly string[];
  readonly hasSignature: boolean;
  readonly hasInputExample: boolean;
  /** Whether a caller of what stands in the target now would break. */
  readonly breaksSignature: boolean;
  /** Where it has stood with these bytes; several for a place that it left and came back to. */
  readonly stays: readonly Stay[];
}

export interface Stay {
  readonly place: 'stage' | 'alias' | 'entry';
  /** Of the stage or alias; empty for an entry. */
  readonly name: string;
  readonly digest: string | null;
  readonly from: number;
  /** null: still there. */
  readonly until: number | null;
  /** What let it in. `ungoverned`: no policy in enforce did. */
  readonly admittedBy: 'policy' | 'rollback' | 'break-glass' | 'ungoverned';
}

/** A version that stands in the target now. */
export interface Standing {
  readonly name: string;
  readonly metrics: readonly EvidenceMetric[];
  /** For its own bytes. */
  readonly checks: readonly CheckReport[];
}

/** A change of somebody's credentials or groups. */
export interface AccessChangeFact {
  readonly about: number;
  readonly by: number;
  readonly at: number;
}

export interface BreakGlassUse {
  readonly by: number;
  readonly at: number;
  readonly reviewedBy: number | undefined;
}

export interface PolicyFacts {
  readonly now: number;
  /** Without accounts nobody can be told from anybody, so no approval counts. */
  readonly hasAccounts: boolean;
  readonly target: GovernedTarget;
  /** A version that leaves is asked for approvals and no freeze; not for its quality. */
  readonly change: 'enter' | 'leave';
  /** What is asked for, in full, so that an approval of it is of nothing else: `stage:Production`, `tag:risk=low`, `setting:policies#<digest>`. */
  readonly subject: string;
  readonly binding: ApprovalBinding;
  /** Everybody named below by id, and who is in the groups that the policy names. */
  readonly principals: readonly PolicyPrincipal[];
  /** Who opened the requests that this change answers; the caller where there is none. */
  readonly requesters: readonly [number, ...number[]];
  /** When the request was opened; undefined where somebody tries without one. */
  readonly requestedAt: number | undefined;
  /** Beside `version.registeredBy`: those of the versions that this one was copied from. */
  readonly creators: readonly number[];
  readonly runAuthors: readonly number[];
  readonly lastEditors: readonly number[];
  readonly approvals: readonly Approval[];
  readonly accessChanges: readonly AccessChangeFact[];
  /** undefined where the change is of no version. */
  readonly version: VersionEvidence | undefined;
  readonly standing: readonly Standing[];
  /** Why these bytes may enter no governed place. */
  readonly blocked: { readonly reason: string } | undefined;
}

/** Beside the facts: who wants to bring a version back. */
export interface RollbackFacts {
  readonly caller: number;
  readonly reason: string;
  /** Digests that the policy's publication let count although they stood there before it enforced anything. */
  readonly listedDigests: readonly string[];
}

/** Beside the facts: what was opened, and how it was used before. */
export interface BreakGlassFacts {
  readonly caller: number;
  readonly opened: { readonly by: number; readonly at: number; readonly reason: string; readonly ticket: string } | undefined;
  readonly uses: readonly BreakGlassUse[];
}
