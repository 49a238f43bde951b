/** `countersign model …` */
import type { AnswerOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { invalid, notFound } from '@countersign/contract/problem.ts';
import type { Command } from 'commander';
import { confirmName } from './confirmation.ts';
import { withCaller } from './reach.ts';
import { addCommonFlags, addNoun, addVerb, type OutputFlags, show } from './verbs.ts';

type DeletedModel = AnswerOf<EndpointOf<'listDeletedModels'>>['models'][number];

interface PurgeFlags extends OutputFlags {
  readonly confirm?: string;
  readonly id?: string;
}

export function addModel(program: Command): void {
  const model = addNoun(program, 'model', 'look after registered models', 'Commands for registered models.');
  const purge = addVerb(model, 'purge', {
    summary: 'purge a deleted model for ever',
    description:
      'Removes a deleted model, its versions and tags for ever. Its bytes are freed by gc, unless something else refers to them; its events stay.',
    examples: [
      'countersign model purge SampleModel --data-dir ./registry',
      'countersign model purge SampleModel --server http://127.0.0.1:5000 --confirm SampleModel',
    ],
  })
    .argument('<NAME>', 'name of the deleted model')
    .option('--id <ID>', 'which one, where several deleted models had the name')
    .option('--confirm <NAME>', 'the name again, instead of being asked for it');
  addCommonFlags(purge).action((name: string, flags: PurgeFlags) =>
    withCaller(purge, async ({ ask }) => {
      const { models } = await ask('listDeletedModels', { query: { name } });
      const { id } = choose(models, name, flags.id);
      await confirmName(name, flags.confirm, `This purges the deleted model '${name}' for ever.`);
      await ask('purgeModel', { params: { id }, query: { confirm: name } });
      show(flags, { document: { purged: { id, name } }, quiet: [name], lines: [`Purged '${name}'.`] });
    }),
  );
}

function choose(deleted: readonly DeletedModel[], name: string, id: string | undefined): DeletedModel {
  const [model, another] = id === undefined ? deleted : deleted.filter((each) => String(each.id) === id);
  if (model === undefined)
    throw notFound(`There is no deleted model '${name}'${id === undefined ? '' : ` with id ${id}`}. Only deleted models can be purged.`);
  if (another) {
    const list = deleted.map((each) => `${each.id} (deleted ${new Date(each.deleted_at).toISOString()})`).join(', ');
    throw invalid(`Several deleted models had the name '${name}'. Choose one with --id: ${list}.`);
  }
  return model;
}
