/** Activities as databricks-sdk reads them. */
import * as catalog from '../features/catalog/catalog.ts';
import * as comments from '../features/comments/comments.ts';
import type * as requests from '../features/requests/requests.ts';
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

/** What opened these requests, or closed them where they are closed; `newest`: what happened to them last. In the order given. */
export async function requestActivities(
  ctx: Ctx,
  list: readonly requests.Request[],
  which: 'state' | 'newest' = 'state',
): Promise<readonly object[]> {
  const activitiesOf = await comments.listRequestActivities(
    ctx,
    list.map(({ id }) => id),
  );
  const activities = list.flatMap(({ id, state }) => {
    const { opened, closed } = activitiesOf.get(id) ?? {};
    return (state === 'open' && which === 'state' ? opened : (closed ?? opened)) ?? [];
  });
  const nameOf = await catalog.listPrincipals(
    ctx,
    activities.map(({ principalId }) => principalId),
  );
  return activities.map((activity) => activityToWire(activity, nameOf(activity.principalId).name));
}
