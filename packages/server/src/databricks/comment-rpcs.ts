/** `create_comment`, `update_comment` and `delete_comment` of databricks-sdk. */
import * as messages from '@countersign/contract/databricks/governance-messages.ts';
import { parseVersionNumber } from '@countersign/contract/names.ts';
import * as catalog from '../features/catalog/catalog.ts';
import * as comments from '../features/comments/comments.ts';
import { type Rpc, rpc } from '../mlflow/rpc.ts';
import type { Ctx } from '../platform/context.ts';

const AT = '/mlflow/comments';
const OPTIONS = { audience: 'api' } as const;

/** To its author: nobody else writes one. */
async function commentToWire(ctx: Ctx, { comment }: comments.Placed): Promise<object> {
  const nameOf = await catalog.listPrincipals(ctx, [comment.createdBy]);
  return {
    comment: {
      id: comment.id,
      comment: comment.text ?? '',
      creation_timestamp: comment.createdAt,
      last_updated_timestamp: comment.updatedAt,
      user_id: nameOf(comment.createdBy).name,
      available_actions: ['EDIT_COMMENT', 'DELETE_COMMENT'],
    },
  };
}

export const databricksCommentRpcs: readonly Rpc[] = [
  rpc(
    'POST',
    `${AT}/create`,
    'comment.create',
    messages.CreateComment,
    async (ctx, { name, version, comment }) =>
      commentToWire(ctx, await comments.create(ctx, { name, version: parseVersionNumber(version) }, comment)),
    OPTIONS,
  ),
  rpc(
    'PATCH',
    `${AT}/update`,
    'comment.edit',
    messages.UpdateComment,
    async (ctx, { id, comment }) => commentToWire(ctx, await comments.update(ctx, id, comment)),
    OPTIONS,
  ),
  rpc(
    'DELETE',
    `${AT}/delete`,
    'comment.edit',
    messages.DeleteComment,
    async (ctx, { id }) => {
      await comments.remove(ctx, id);
      return {};
    },
    OPTIONS,
  ),
];
