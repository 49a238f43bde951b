import type { PolicyInForceSchema, policyEndpoints } from '@countersign/contract/policy-endpoints.ts';
import { invalid } from '@countersign/contract/problem.ts';
import { parseTime } from '@countersign/contract/time.ts';
import type { Static } from 'typebox';
import * as audit from '../features/audit/audit.ts';
import * as catalog from '../features/catalog/catalog.ts';
import * as policies from '../features/policies/policies.ts';
import * as requests from '../features/requests/requests.ts';
import * as transitions from '../features/transitions/transitions.ts';
import * as versions from '../features/versions/versions.ts';
import type { Ctx } from '../platform/context.ts';
import { done } from './answers.ts';
import { answerDecisions } from './decision-answers.ts';
import type { Handlers } from './handlers.ts';

async function answerPolicies(ctx: Ctx, list: readonly policies.PublishedPolicy[]): Promise<Static<typeof PolicyInForceSchema>[]> {
  const principalOf = await catalog.listPrincipals(
    ctx,
    list.map((each) => each.publishedBy),
  );
  return list.map(({ document, hash, source, listedDigests, publishedBy, publishedAt, withdrawnAt }) => ({
    name: document.name,
    hash,
    mode: document.mode,
    text: source,
    document,
    listed_digests: [...listedDigests],
    published_by: principalOf(publishedBy),
    published_at: publishedAt,
    withdrawn_at: withdrawnAt,
  }));
}

async function answerPolicy(ctx: Ctx, policy: policies.PublishedPolicy | undefined): Promise<Static<typeof PolicyInForceSchema>> {
  const [answer] = policy === undefined ? [] : await answerPolicies(ctx, [policy]);
  if (answer === undefined) throw new TypeError('one policy is answered as one');
  return answer;
}

/** `sha256:` may stand before a digest. */
function bare(digests: readonly string[] | undefined): string[] {
  return (digests ?? []).map((digest) => digest.replace(/^sha256:/, ''));
}

/** `tag:risk=low` has a value; the other targets are as `readTarget` reads them. */
function wishOf(words: string, version: number, more: { change?: 'enter' | 'leave'; archive_existing?: boolean }): requests.Wish {
  const target = transitions.readTarget(words);
  const common = { version, change: more.change, archiveExisting: more.archive_existing };
  if (target?.kind === 'tag') {
    const [key = '', ...value] = target.key.split('=');
    return { ...common, target: { kind: 'tag', key, value: value.join('=') } };
  }
  if (target?.kind === 'stage' || target?.kind === 'alias' || target?.kind === 'entry') return { ...common, target };
  throw invalid(`'${words.slice(0, 100)}' is no target. Name one as in stage:Production, alias:champion, tag:risk=low or entry.`);
}

async function explainVersion(
  ctx: Ctx,
  name: string,
  version: number,
  query: { target: string; change?: 'enter' | 'leave'; archive_existing?: boolean },
) {
  const { choices, asked, refusal, asking, isOpenedByCall } = await requests.explain(ctx, name, wishOf(query.target, version, query));
  return {
    name,
    version,
    target: query.target,
    is_allowed: refusal === undefined,
    refusal: refusal?.message ?? null,
    choices: choices.map(({ change, choice }) => ({
      target: transitions.targetWords(change.target),
      change: change.change,
      policy: choice.policy === undefined ? null : { name: choice.policy.document.name, hash: choice.policy.hash },
      why: choice.why,
      others: choice.others.map(({ policy, why }) => ({ name: policy.document.name, why })),
    })),
    decisions: await answerDecisions(ctx, asked),
    asking:
      asking === undefined
        ? null
        : {
            text: asking.text,
            request: asking.requestId ?? null,
            command: asking.command ?? null,
            call: asking.call,
            is_opened_by_call: isOpenedByCall,
          },
  };
}

const outcome = ({ isSatisfied, policies: names, missing }: requests.Outcome) => ({
  is_satisfied: isSatisfied,
  policies: [...names],
  missing: [...missing],
});

export const policyHandlers: Handlers<(typeof policyEndpoints)[number]['id']> = {
  listPolicies: async (ctx, { query }) => {
    const found =
      query.as_of === undefined
        ? (await policies.getInForce(ctx)).policies
        : await policies.listInForceAt(ctx, parseTime(query.as_of, 'as_of'));
    return { policies: await answerPolicies(ctx, found) };
  },
  getPolicy: async (ctx, { params }) => {
    const isHash = /^(sha256:)?[0-9a-f]{64}$/.test(params.policy);
    return answerPolicy(
      ctx,
      await (isHash ? policies.getByHash(ctx, params.policy.replace(/^sha256:/, '')) : policies.get(ctx, params.policy)),
    );
  },
  listPolicyVersions: async (ctx, { params }) => ({ policies: await answerPolicies(ctx, await policies.listVersions(ctx, params.policy)) }),
  publishPolicy: async (ctx, { body }) => {
    const published = [{ text: body.text, listedDigests: bare(body.listed_digests) }];
    const [policy] = await requests.replacePolicies(ctx, { published, withdrawn: [] });
    for (const { what } of policy === undefined ? [] : await transitions.listUnsatisfiable(ctx, [policy])) ctx.warn?.(what);
    return answerPolicy(ctx, policy);
  },
  applyPolicies: async (ctx, { body }) => {
    const published = (body.policies ?? []).map(({ text, listed_digests }) => ({ text, listedDigests: bare(listed_digests) }));
    const applied = await requests.replacePolicies(ctx, { published, withdrawn: body.withdraw ?? [] });
    const warnings = (await transitions.listUnsatisfiable(ctx, applied)).map(({ policyName, what }) => ({ policy: policyName, what }));
    return { policies: await answerPolicies(ctx, applied), warnings };
  },
  withdrawPolicy: (ctx, { params }) => done(requests.replacePolicies(ctx, { published: [], withdrawn: [params.policy] })),
  planPolicies: async (ctx, { body }) => {
    const withdraw = body.withdraw ?? [];
    const plan = await requests.plan(ctx, { texts: body.texts ?? [], withdraw });
    return {
      publish: plan.publish.map(({ weaknesses, ...each }) => ({ ...each, weaknesses: weaknesses.map((weakness) => ({ ...weakness })) })),
      withdraw,
      warnings: plan.warnings.map(({ policyName, what }) => ({ policy: policyName, what })),
      lines: plan.lines.map(({ now, next }) => ({
        name: now.name,
        version: now.version ?? null,
        target: now.target,
        request: now.requestId ?? null,
        now: outcome(now.outcome),
        next: outcome(next.outcome),
      })),
      is_truncated: plan.isTruncated,
    };
  },
  explainVersion: (ctx, { params, query }) => explainVersion(ctx, params.name, params.version, query),
  listDecisions: async (ctx, { params }) => {
    const found = await audit.listDecisions(ctx, await versions.get(ctx, params.name, params.version));
    const principalOf = await catalog.listPrincipals(
      ctx,
      found.map((each) => each.principalId),
    );
    return { decisions: found.map(({ principalId, ...each }) => ({ ...each, by: principalOf(principalId) })) };
  },
  rollbackVersion: (ctx, { params, body }) => done(requests.rollback(ctx, params.name, params.version, body.target, body.reason)),
};
