/** Requests as the native API shows them. */
import type { RequestSchema } from '@countersign/contract/requests.ts';
import type { Static } from 'typebox';
import * as approvals from '../features/approvals/approvals.ts';
import * as candidates from '../features/candidates/candidates.ts';
import * as catalog from '../features/catalog/catalog.ts';
import * as comments from '../features/comments/comments.ts';
import * as models from '../features/models/models.ts';
import * as requests from '../features/requests/requests.ts';
import * as transitions from '../features/transitions/transitions.ts';
import * as versions from '../features/versions/versions.ts';
import type { Ctx } from '../platform/context.ts';

export async function answerRequests(ctx: Ctx, list: readonly requests.Request[]): Promise<Static<typeof RequestSchema>[]> {
  const ids = list.map(({ id }) => id);
  const activitiesOf = await comments.listRequestActivities(ctx, ids);
  const given = Map.groupBy(await approvals.listOfRequests(ctx, ids), (each) => each.requestId);
  const named = new Map((await models.listByIds(ctx, distinct(list.map((each) => each.modelId)))).map((model) => [model.id, model.name]));
  const numbered = new Map(
    (await versions.listByIds(ctx, distinct(list.map((each) => each.versionId)))).map((each) => [each.id, each.version]),
  );
  const principalOf = await catalog.listPrincipals(ctx, [
    ...list.flatMap(({ createdBy, closedBy }) => (closedBy === null ? [createdBy] : [createdBy, closedBy])),
    ...[...given.values()].flat().map((each) => each.approvedBy),
  ]);
  const answers: Static<typeof RequestSchema>[] = [];
  for (const request of list) {
    const { opened, closed } = activitiesOf.get(request.id) ?? {};
    const candidate = request.candidateId === null ? undefined : await candidates.find(ctx, request.candidateId);
    const became = candidate?.versionId ? await versions.findById(ctx, candidate.versionId) : undefined;
    answers.push({
      id: request.id,
      model_id: request.modelId,
      version_id: request.versionId ?? became?.id ?? null,
      name: (request.modelId === null ? undefined : named.get(request.modelId)) ?? null,
      version: (request.versionId === null ? became?.version : numbered.get(request.versionId)) ?? null,
      target: targetMembers(request.target),
      change: request.change,
      subject: request.subject,
      source: candidate?.source ?? null,
      digest: candidate?.digest ?? null,
      state: request.state,
      comment: opened?.comment ?? null,
      created_by: principalOf(request.createdBy),
      created_at: request.createdAt,
      expires_at: request.expiresAt,
      closed_by: request.closedBy === null ? null : principalOf(request.closedBy),
      closed_at: request.closedAt,
      closing_comment: request.state === 'open' ? null : (closed?.comment ?? closed?.systemComment ?? null),
      approvals: (given.get(request.id) ?? []).map((each) => ({
        id: each.id,
        by: principalOf(each.approvedBy),
        at: each.approvedAt,
        digest: each.digest,
        evidence: each.evidence,
        policies: JSON.parse(each.policies) as string[], // hashes, as the room writes them
        is_live: each.closedAt === null,
      })),
      available_actions: [...(await requests.actionsOn(ctx, request))],
    });
  }
  return answers;
}

function distinct(ids: readonly (number | null)[]): number[] {
  return [...new Set(ids)].filter((id) => id !== null);
}

function targetMembers(words: string): Static<typeof RequestSchema>['target'] {
  const target = transitions.readTarget(words);
  if (target === undefined) throw new TypeError(`'${words}' is the target of no request`);
  return target;
}

export async function answerRequest(ctx: Ctx, request: requests.Request): Promise<Static<typeof RequestSchema>> {
  const [answer] = await answerRequests(ctx, [request]);
  if (answer === undefined) throw new TypeError('one request is answered as one');
  return answer;
}
