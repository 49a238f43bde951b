/** Whether the people who are there today could ever give the approvals that a policy asks for. Pure. */
import type { GovernedTarget } from '@countersign/contract/permit.ts';
import type { PolicyFacts, PolicyPrincipal } from '@countersign/contract/policy-facts.ts';
import { judgeApprovals } from './approval-rules.ts';
import { type NamedPolicy, namePolicy } from './policy-hash-rules.ts';

/** Somebody who asks, and is none of those who approve. */
const OUTSIDER: PolicyPrincipal = {
  id: 0,
  account: 0,
  kind: 'user',
  name: 'somebody else',
  isActive: true,
  persons: [0],
  groups: [],
  level: undefined,
  permissions: [],
  isServingController: false,
  trust: undefined,
};

/**
 * What would be missing although everybody had approved: `1 of 2 approvals of group 'risk'`. `requester`: who asks; without him the best case, somebody
 * from outside. Whoever has a level is known for settings alone.
 */
export function unreachable(
  { document }: NamedPolicy,
  principals: readonly PolicyPrincipal[],
  target: GovernedTarget,
  requester = OUTSIDER,
): readonly string[] {
  const { requirements } = document;
  const extra = requirements.breaking_signature_needs;
  const approvals = [...requirements.approvals, ...(extra === undefined ? [] : [{ group: extra.group, count: extra.count }])].filter(
    (role) => target.kind === 'setting' || role.group !== undefined,
  );
  const asked = namePolicy({ ...document, requirements: { ...requirements, approvals } });
  const all = principals.filter(({ kind }) => kind === 'user');
  const given = { at: 0, subject: '', digest: null, evidence: '', policies: [asked.hash] };
  const facts: PolicyFacts = {
    now: 0,
    hasAccounts: true,
    target,
    change: 'enter',
    subject: '',
    binding: { digest: null, evidence: '' },
    principals: requester === OUTSIDER ? [...all, OUTSIDER] : all,
    requesters: [requester.id],
    requestedAt: 0,
    creators: [],
    runAuthors: [],
    lastEditors: [],
    approvals: all.map(({ id }) => ({ ...given, id, by: id })),
    accessChanges: [],
    version: undefined,
    standing: [],
    blocked: undefined,
  };
  return judgeApprovals(asked, facts).missing.map(({ what }) => what);
}
