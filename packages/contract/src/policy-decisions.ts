/** What a policy says to a change, with every reason. */
import type { PolicyMode } from './policies.ts';

export type RequirementName =
  | 'accounts'
  | 'approvals'
  | 'blocked'
  | 'break_glass'
  | 'breaking_signature'
  | 'checks'
  | 'description'
  | 'expression'
  | 'freeze'
  | 'input_example'
  | 'metrics'
  | 'model_card'
  | 'registered_by'
  | 'request'
  | 'rollback'
  | 'sealed'
  | 'signature'
  | 'soak'
  | 'tags'
  | 'unlinked';

export interface MissingItem {
  readonly requirement: RequirementName;
  /** What is missing, with the values. */
  readonly what: string;
  /** Who can give it. */
  readonly who: string;
  /** How to give it. */
  readonly how: string;
  /** Ids of accounts that could, as far as the facts know them. */
  readonly candidates: readonly number[];
  /** When it is over by itself, epoch ms; null where time alone doesn't do it. */
  readonly until: number | null;
}

export interface SatisfiedItem {
  readonly requirement: RequirementName;
  readonly what: string;
}

export interface Weakness {
  readonly member: 'sealed' | 'self_approval' | 'unlinked' | 'own_report' | 'approvals';
  readonly what: string;
}

export interface UncountedApproval {
  readonly id: number;
  readonly by: number;
  readonly reason:
    | 'another-subject'
    | 'digest-changed'
    | 'evidence-changed'
    | 'policy-changed'
    | 'unsealed'
    | 'expired'
    | 'inactive'
    | 'ci'
    | 'no-person'
    | 'excluded'
    | 'changed-by-requester'
    | 'changed-requester'
    | 'no-role';
  readonly what: string;
}

export interface PolicyDecision {
  readonly policy: { readonly name: string; readonly hash: string };
  readonly path: 'requirements' | 'rollback' | 'break-glass';
  readonly mode: PolicyMode;
  /** Whether the change may happen: in observe and warn it may although something is missing; a blocked digest never may. */
  readonly isAllowed: boolean;
  /** Whether nothing is missing. */
  readonly isSatisfied: boolean;
  readonly missing: readonly MissingItem[];
  readonly satisfied: readonly SatisfiedItem[];
  readonly weaknesses: readonly Weakness[];
  readonly staleApprovals: readonly UncountedApproval[];
  /** The first moment at which nothing would be missing if only the clock goes on, epoch ms; null where it doesn't suffice. */
  readonly nextPossibleAt: number | null;
}
