/** Policies: published, withdrawn, planned and explained. What a policy may say is in policies.ts. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { POLICY_MODES, POLICY_TEXT_MAX } from './policies.ts';
import { closed, Done, Id, ModelName, named, nullable, oneOf, PrincipalRef, Time, VersionNumber } from './schemas.ts';
import { TimeText } from './time.ts';
import { ByVersion } from './versions.ts';

const MissingSchema = named('MissingItem', {
  requirement: Type.String(),
  what: Type.String({ description: 'With the values.' }),
  who: Type.String({ description: 'Who can give it.' }),
  how: Type.String(),
  candidates: Type.Array(PrincipalRef, { description: 'Who could, as far as is known.' }),
  until: nullable(Time, 'When it is over by itself.'),
});

const WeaknessSchema = closed({ member: Type.String(), what: Type.String() });

export const DecisionSchema = named('PolicyDecision', {
  policy: closed({ name: Type.String(), hash: Type.String() }),
  target: Type.String({ description: 'As in `stage:Production`.' }),
  change: oneOf(['enter', 'leave']),
  path: oneOf(['requirements', 'rollback', 'break-glass']),
  mode: oneOf(POLICY_MODES),
  is_allowed: Type.Boolean({ description: 'Whether the change may happen: in observe and warn also where something is missing.' }),
  is_satisfied: Type.Boolean(),
  missing: Type.Array(MissingSchema),
  satisfied: Type.Array(closed({ requirement: Type.String(), what: Type.String() })),
  weaknesses: Type.Array(WeaknessSchema),
  stale_approvals: Type.Array(closed({ id: Id, by: PrincipalRef, reason: Type.String(), what: Type.String() })),
  next_possible_at: nullable(Time, 'The first moment at which nothing would be missing if only the clock goes on.'),
});

export const PolicyInForceSchema = named('Policy', {
  name: Type.String(),
  hash: Type.String({ description: 'SHA-256 of what it says.' }),
  mode: oneOf(POLICY_MODES),
  text: Type.String({ description: 'As it was written.' }),
  document: Type.Unsafe<object>({ type: 'object', additionalProperties: true, description: 'With every default filled in.' }),
  listed_digests: Type.Array(Type.String(), { description: 'Bytes that a rollback may bring back although they stood there before.' }),
  published_by: PrincipalRef,
  published_at: Time,
  withdrawn_at: nullable(Time, 'null: it is in force.'),
});

const Text = Type.String({
  minLength: 1,
  maxLength: POLICY_TEXT_MAX,
  description: 'YAML, or JSON. The schema for editors is docs/policies/policy.schema.json.',
});
const NoParams = closed({});
const ByName = closed({ policy: Type.String({ minLength: 1 }) });
const ListedDigests = Type.Optional(Type.Array(Type.String({ pattern: '^(sha256:)?[0-9a-f]{64}$' }), { maxItems: 1000 }));

const TargetWords = Type.String({ minLength: 1, description: 'As in `stage:Production`, `alias:champion`, `tag:risk=low`.' });

const WayToAskSchema = named(
  'WayToAsk',
  {
    text: Type.String({ description: 'One sentence, with the command and the path.' }),
    request: nullable(Id, 'That is open for it, whoever made it; null: none is.'),
    command: nullable(
      Type.String(),
      'On a command line: it asks, or shows the request that is open. null where it is too long for a line.',
    ),
    call: closed({
      method: oneOf(['GET', 'POST']),
      path: Type.String({ description: 'Of this API: it asks, or shows the request that is open.' }),
      body: nullable(Type.Unsafe<object>({ type: 'object', additionalProperties: true }), 'null: it takes none.'),
    }),
    is_opened_by_call: Type.Boolean({ description: 'Whether the refused call opens the request by itself.' }),
  },
  'How somebody asks for what he would be refused; where that was asked for, the request.',
);

export const ExplanationSchema = named('Explanation', {
  name: ModelName,
  version: nullable(VersionNumber),
  target: Type.String(),
  is_allowed: Type.Boolean({ description: 'Whether the call would succeed now, made by the caller.' }),
  refusal: nullable(Type.String(), 'What the call would answer.'),
  choices: Type.Array(
    closed({
      target: Type.String(),
      change: oneOf(['enter', 'leave']),
      policy: nullable(closed({ name: Type.String(), hash: Type.String() })),
      why: Type.String({ description: 'Why this policy is the one.' }),
      others: Type.Array(closed({ name: Type.String(), why: Type.String() })),
    }),
  ),
  decisions: Type.Array(DecisionSchema),
  asking: nullable(WayToAskSchema, 'null where nothing has to be asked for, or the caller may not.'),
});

const PlanOutcome = closed({
  is_satisfied: Type.Boolean(),
  policies: Type.Array(Type.String()),
  missing: Type.Array(Type.String()),
});
const PlanLine = named('PlanLine', {
  name: ModelName,
  version: nullable(VersionNumber),
  target: Type.String(),
  request: nullable(Id, 'Of an open request; null for what stands there.'),
  now: PlanOutcome,
  next: PlanOutcome,
});

export const PastDecisionSchema = named('PastDecision', {
  seq: Type.Integer({ description: 'The event in the record.' }),
  at: Time,
  by: PrincipalRef,
  target: Type.String(),
  change: oneOf(['enter', 'leave']),
  admission: oneOf(['policy', 'rollback', 'break-glass', 'ungoverned']),
  digest: nullable(Type.String()),
  evidence: Type.String(),
  approvals: Type.Array(Id),
  policies: Type.Array(
    closed({ name: Type.String(), hash: Type.String(), mode: Type.String(), path: Type.String(), is_satisfied: Type.Boolean() }),
  ),
  decision: nullable(Type.Unsafe<unknown>({ description: 'Every reason, as it was then; null where it was erased.' })),
});

const Warnings = Type.Array(closed({ policy: Type.String(), what: Type.String() }), {
  description: "Of what is published: policies that with today's members of its groups nobody could ever satisfy.",
});

export const policyEndpoints = [
  endpoint({
    id: 'listPolicies',
    noun: 'policies',
    method: 'GET',
    path: '/api/v1/policies',
    permission: 'policy.read',
    summary: 'List the policies in force, now or at a time.',
    params: NoParams,
    query: closed({ as_of: Type.Optional(TimeText) }),
    output: named('PolicyList', { policies: Type.Array(PolicyInForceSchema) }),
  }),
  endpoint({
    id: 'getPolicy',
    noun: 'policies',
    method: 'GET',
    path: '/api/v1/policies/{policy}',
    permission: 'policy.read',
    summary: 'Show the newest policy of a name, in force or withdrawn; or one by its hash.',
    params: ByName,
    output: PolicyInForceSchema,
  }),
  endpoint({
    id: 'listPolicyVersions',
    noun: 'policies',
    method: 'GET',
    path: '/api/v1/policies/{policy}/versions',
    permission: 'policy.read',
    summary: 'List every publication of a policy, newest first.',
    params: ByName,
    output: named('PolicyVersionList', { policies: Type.Array(PolicyInForceSchema) }),
  }),
  endpoint({
    id: 'publishPolicy',
    noun: 'policies',
    method: 'POST',
    path: '/api/v1/policies',
    permission: 'policy.publish',
    summary: 'Publish a policy; it takes the place of the one of the same name.',
    description:
      "Governed itself as the setting 'policies' as soon as a policy in force refuses anything. A policy that with today's members of its groups nobody could " +
      'ever satisfy is told of in the header Countersign-Warning; INVALID_STATE where that would lock the policies.',
    params: NoParams,
    body: closed({ text: Text, listed_digests: ListedDigests }),
    output: PolicyInForceSchema,
    status: 201,
  }),
  endpoint({
    id: 'applyPolicies',
    noun: 'policies',
    method: 'POST',
    path: '/api/v1/policies/apply',
    permission: 'policy.publish',
    summary: 'Publish and withdraw several policies in one step.',
    description: "Governed as 'publishPolicy' is. What is in force already is left alone.",
    params: NoParams,
    body: closed({
      policies: Type.Optional(Type.Array(closed({ text: Text, listed_digests: ListedDigests }), { maxItems: 100 })),
      withdraw: Type.Optional(Type.Array(Type.String(), { maxItems: 100, description: 'Names.' })),
    }),
    output: named('PolicyApplied', { policies: Type.Array(PolicyInForceSchema), warnings: Warnings }),
  }),
  endpoint({
    id: 'withdrawPolicy',
    noun: 'policies',
    method: 'DELETE',
    path: '/api/v1/policies/{policy}',
    permission: 'policy.publish',
    summary: 'Withdraw a policy.',
    params: ByName,
    output: Done,
  }),
  endpoint({
    id: 'planPolicies',
    noun: 'policies',
    method: 'POST',
    path: '/api/v1/policies/plan',
    permission: 'policy.publish',
    summary: 'What would change: which open requests, and which versions in governed places, would pass or fail. Nothing is changed.',
    params: NoParams,
    body: closed({
      texts: Type.Optional(Type.Array(Text, { maxItems: 100, description: 'To be published.' })),
      withdraw: Type.Optional(Type.Array(Type.String(), { maxItems: 100, description: 'Names to be withdrawn.' })),
    }),
    output: named('PolicyPlan', {
      publish: Type.Array(
        closed({
          name: Type.String(),
          hash: Type.String(),
          replaces: nullable(Type.String()),
          weaknesses: Type.Array(WeaknessSchema, { description: 'What the policy itself leaves open.' }),
        }),
      ),
      withdraw: Type.Array(Type.String()),
      warnings: Warnings,
      lines: Type.Array(PlanLine),
      is_truncated: Type.Boolean({ description: 'More is concerned than is shown.' }),
    }),
  }),
  endpoint({
    id: 'explainVersion',
    noun: 'policies',
    method: 'GET',
    path: '/api/v1/models/{name}/versions/{version}/explain',
    permission: 'model-version.view',
    summary: 'Whether the caller could make a change of a version now, which policy is asked and why, what is missing and who can give it.',
    params: ByVersion,
    query: closed({
      target: TargetWords,
      change: Type.Optional(oneOf(['enter', 'leave'])),
      archive_existing: Type.Optional(Type.Boolean()),
    }),
    output: ExplanationSchema,
  }),
  endpoint({
    id: 'listDecisions',
    noun: 'policies',
    method: 'GET',
    path: '/api/v1/models/{name}/versions/{version}/decisions',
    permission: 'model-version.view',
    summary: 'Why past changes of a version were allowed, newest first.',
    description: 'The text of each policy is found by its hash.',
    params: ByVersion,
    output: named('PastDecisionList', { decisions: Type.Array(PastDecisionSchema) }),
  }),
  endpoint({
    id: 'rollbackVersion',
    noun: 'policies',
    method: 'POST',
    path: '/api/v1/models/{name}/versions/{version}/rollback',
    permission: 'request.create',
    summary: 'Bring back a version that stood in a place before, as the rollback rule of its policy allows.',
    params: ByVersion,
    body: closed({ target: TargetWords, reason: Type.String({ minLength: 1, maxLength: 4000 }) }),
    output: Done,
  }),
] as const;
