/** How a policy is named: by its hash. Pure; the form is on disk for ever. */
import { hash } from 'node:crypto';
import type { Policy } from '@countersign/contract/policies.ts';
import type { CompiledExpression } from '@countersign/contract/policy-expression-facts.ts';
import canonicalize from 'canonicalize';

/** A published policy: immutable, named by its hash. */
export interface NamedPolicy {
  readonly document: Policy;
  readonly hash: string;
  /** Of `requirements.expressions`, in their order. Where one is not here, what it asks is missing. */
  readonly expressions?: readonly (CompiledExpression | undefined)[] | undefined;
}

/** RFC 8785 of the document with its defaults: two texts that say the same are one policy. */
export function canonicalPolicy(document: Policy): string {
  return canonicalize(document) ?? '';
}

/** SHA-256("countersign.policy.v1\n" ‖ the canonical form), lowercase hex. */
export function policyHash(document: Policy): string {
  return hash('sha256', `countersign.policy.v1\n${canonicalPolicy(document)}`);
}

export function namePolicy(document: Policy, expressions: NamedPolicy['expressions'] = []): NamedPolicy {
  return { document, hash: policyHash(document), expressions };
}
