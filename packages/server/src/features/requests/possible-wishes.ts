/** What can't be done however many approve is refused when it is asked for, in the words of the call that would make the change. */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { checkAlias, checkModelName, checkRegistryTag } from '@countersign/contract/names.ts';
import { invalid, notFound } from '@countersign/contract/problem.ts';
import type { Ctx } from '../../platform/context.ts';
import * as models from '../models/models.ts';
import * as versions from '../versions/versions.ts';
import type { Wish } from './request-rules.ts';

/** INVALID_PARAMETER_VALUE; RESOURCE_DOES_NOT_EXIST where what would be taken away isn't there. */
export async function demandPossible(ctx: Ctx, model: models.ModelIdentity, { target, change, version }: Wish): Promise<void> {
  const isLeaving = change === 'leave';
  switch (target.kind) {
    case 'stage':
      if (isLeaving) throw invalid("A version leaves a stage by going to another one: ask for that one, without 'change'.");
      return;
    case 'alias': {
      if (!isLeaving) return checkAlias(target.alias);
      const alias = await versions.findAlias(ctx, model, target.alias);
      if (alias === undefined || (version !== undefined && alias.version !== version))
        throw notFound(`'${clip(target.alias)}' is no alias of ${version === undefined ? 'a' : `this`} version of '${clip(model.name)}'.`);
      return;
    }
    case 'tag': {
      if (!isLeaving) return checkRegistryTag(target.key, target.value ?? '');
      const { tags } = version === undefined ? await models.get(ctx, model.name) : await versions.get(ctx, model.name, version);
      if (!tags.some(({ key }) => key === target.key)) throw notFound(`There is no tag '${clip(target.key)}' to be taken away.`);
      return;
    }
    case 'rename':
      checkModelName(target.newName);
      if (target.newName === model.name) throw invalid(`The model is called '${clip(model.name)}' already. Ask for another name.`);
      return;
    case 'entry':
  }
}
