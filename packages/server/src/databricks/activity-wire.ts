/** Activities as databricks-sdk reads them. */
import * as catalog from '../features/catalog/catalog.ts';
import * as comments from '../features/comments/comments.ts';
import type * as requests from '../features/requests/requests.ts';
import type { ModelVersion } from '../features/versions/versions.ts';
import type { Ctx } from '../platform/context.ts';

function activityToWire(activity: comments.Activity, userId: string): object {
  return {
    id: String(activity.seq),
    activity_type: activity.type,
    comment: activity.comment ?? undefined,
    creation_timestamp: activity.createdAt,
    last_updated_timestamp: activity.updatedAt,
    from_stage: activity.from ?? undefined,
    to_stage: activity.to ?? undefined,
    system_comment: activity.systemComment ?? undefined,
    user_id: userId,
  };
}

/** What opened these requests of a version, or ended them where they are closed; in the order given. */
export async function requestActivities(
  ctx: Ctx,
  version: Pick<ModelVersion, 'id'>,
  list: readonly requests.Request[],
): Promise<readonly object[]> {
  const activityOf = await comments.listRequestActivities(ctx, version, list);
  const activities = list.flatMap(({ id }) => activityOf.get(id) ?? []);
  const nameOf = await catalog.listPrincipals(
    ctx,
    activities.map(({ principalId }) => principalId),
  );
  return activities.map((activity) => activityToWire(activity, nameOf(activity.principalId).name));
}
