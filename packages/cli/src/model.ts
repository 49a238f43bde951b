/** `countersign model purge NAME` */
import { createInterface } from 'node:readline/promises';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import type { Command } from 'commander';
import { type DeletedModels, dataModels, serverModels } from './deleted-models.ts';
import { print, say } from './output.ts';
import { addSettings, DATA_OPTIONS, settingsInput } from './setting-options.ts';

interface PurgeFlags {
  readonly confirm?: string;
  readonly id?: string;
  readonly server?: string;
  readonly json?: boolean;
}

export function addModel(program: Command): void {
  const model = program.command('model').summary('look after registered models').description('Commands for registered models.');
  const purge = model
    .command('purge')
    .summary('purge a deleted model for ever')
    .description(
      'Removes a deleted model, its versions and tags for ever. Its bytes are freed by gc, unless something else refers to them; its events stay.',
    )
    .argument('<NAME>', 'name of the deleted model');
  addSettings(purge, DATA_OPTIONS)
    .option('--server <URL>', 'ask a running server instead of opening the data folder')
    .option('--id <ID>', 'which one, where several deleted models had the name')
    .option('--confirm <NAME>', 'the name again, instead of being asked for it')
    .option('--json', 'one JSON document')
    .addHelpText(
      'after',
      `
Examples:
  countersign model purge SampleModel --data-dir ./registry
  countersign model purge SampleModel --server http://127.0.0.1:5000 --confirm SampleModel`,
    )
    .action(async (name: string, flags: PurgeFlags) => {
      const work = async (deleted: DeletedModels): Promise<void> => purgeOne(deleted, name, flags);
      if (flags.server !== undefined) return work(serverModels(flags.server));
      const { readServerConfig } = await import('@countersign/server/platform/config/server-config.ts');
      const config = await readServerConfig(settingsInput(purge));
      try {
        await dataModels(config, work);
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== 'RESOURCE_CONFLICT') throw error;
        throw new Problem(
          error.code,
          `The data folder ${config.dataDir} is in use by a running server. Ask that: --server http://127.0.0.1:5000.`,
        );
      }
    });
}

async function purgeOne(deleted: DeletedModels, name: string, flags: PurgeFlags): Promise<void> {
  const found = await deleted.list(name);
  const chosen = flags.id === undefined ? found : found.filter((each) => String(each.id) === flags.id);
  const [model, another] = chosen;
  if (model === undefined) {
    throw notFound(
      `There is no deleted model '${name}'${flags.id === undefined ? '' : ` with id ${flags.id}`}. Only deleted models can be purged.`,
    );
  }
  if (another) {
    const list = found.map((each) => `${each.id} (deleted ${new Date(each.deletedAt).toISOString()})`).join(', ');
    throw invalid(`Several deleted models had the name '${name}'. Choose one with --id: ${list}.`);
  }
  if ((flags.confirm ?? (await askForName(name))) !== name)
    throw invalid(`The confirmation must be the model's name, '${name}'. Nothing was purged.`);
  await deleted.purge(model);
  print(flags.json === true, { purged: { id: model.id, name } }, [`Purged '${name}'.`]);
}

async function askForName(name: string): Promise<string> {
  if (!process.stdin.isTTY || !process.stderr.isTTY || process.env.CI) {
    throw invalid(`Purging can't be undone. Say it again with --confirm '${name}'.`);
  }
  say(`This purges the deleted model '${name}' for ever.`);
  const question = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await question.question('Type its name to go on: ');
  } finally {
    question.close();
  }
}
