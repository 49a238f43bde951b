/** What a request asks for, as flags say it: exactly one target, and what belongs to it. */
import type { InputOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { invalid } from '@countersign/contract/problem.ts';
import type { Command } from 'commander';
import { collected, readPairs } from './pairs.ts';

type Wish = InputOf<EndpointOf<'createModelRequest'>>['body'];

export interface TargetFlags {
  readonly stage?: string;
  readonly alias?: string;
  readonly tag?: string;
  readonly entry?: string;
  readonly rename?: string;
  readonly delete?: boolean;
  readonly restore?: boolean;
  readonly remove?: boolean;
  readonly archiveExisting?: boolean;
  readonly runId?: string;
  readonly loggedModelId?: string;
  readonly description?: string;
  readonly versionTag?: readonly string[];
  readonly comment?: string;
}

export function addTargetFlags(verb: Command): Command {
  return verb
    .option('--stage <STAGE>', 'that the version comes into this stage')
    .option('--alias <ALIAS>', 'that the version gets this alias')
    .option('--tag <KEY=VALUE>', 'that the version, or the model, gets this tag; KEY alone with --remove')
    .option('--remove', 'with --alias or --tag: that it is taken away')
    .option('--archive-existing', 'with --stage: that every other version there goes to Archived')
    .option('--delete', 'that the version, or the model, is deleted')
    .option('--restore', 'that a deleted version comes back')
    .option('--rename <NAME>', 'that the model is called so')
    .option('--entry <SOURCE>', 'that a version enters the model: from where, as models:/… or runs:/…')
    .option('--run-id <ID>', 'with --entry: the run that made it')
    .option('--logged-model-id <ID>', 'with --entry: the logged model that it is')
    .option('--description <TEXT>', 'with --entry: description of the version')
    .option('--version-tag <KEY=VALUE>', 'with --entry: tag of the version; may be given several times', collected);
}

/** INVALID_PARAMETER_VALUE unless exactly one target is named, with what belongs to it alone. */
export function wishOf(flags: TargetFlags): Wish {
  const body = { ...targetOf(flags), ...(flags.comment === undefined ? {} : { comment: flags.comment }) };
  if (flags.remove && flags.alias === undefined && flags.tag === undefined) throw invalid('--remove is for --alias and --tag.');
  if (flags.archiveExisting && flags.stage === undefined) throw invalid('--archive-existing is for --stage.');
  const registration = registrationOf(flags);
  if (flags.entry === undefined && Object.keys(registration).length > 0)
    throw invalid('--run-id, --logged-model-id, --description and --version-tag are for --entry.');
  return { ...body, ...registration };
}

function targetOf(flags: TargetFlags): Pick<Wish, 'target' | 'change' | 'archive_existing' | 'source'> {
  const leaving = flags.remove ? { change: 'leave' as const } : {};
  const named = [
    ...(flags.stage === undefined
      ? []
      : [{ target: { kind: 'stage' as const, stage: flags.stage }, ...(flags.archiveExisting ? { archive_existing: true } : {}) }]),
    ...(flags.alias === undefined ? [] : [{ target: { kind: 'alias' as const, alias: flags.alias }, ...leaving }]),
    ...(flags.tag === undefined ? [] : [{ target: { kind: 'tag' as const, ...tagOf(flags.tag, flags.remove === true) }, ...leaving }]),
    ...(flags.rename === undefined ? [] : [{ target: { kind: 'rename' as const, new_name: flags.rename } }]),
    ...(flags.entry === undefined ? [] : [{ target: { kind: 'entry' as const }, source: flags.entry }]),
    ...(flags.restore ? [{ target: { kind: 'entry' as const } }] : []),
    ...(flags.delete ? [{ target: { kind: 'entry' as const }, change: 'leave' as const }] : []),
  ];
  const [target, another] = named;
  if (target === undefined || another !== undefined)
    throw invalid('Say what is asked for by exactly one of --stage, --alias, --tag, --entry, --rename, --restore and --delete.');
  return target;
}

function tagOf(text: string, isRemoved: boolean): { key: string; value?: string } {
  const [key = '', value] = text.split(/=(.*)/s);
  if (isRemoved && value === undefined && key !== '') return { key };
  if (isRemoved || value === undefined || key === '') throw invalid(`--tag must be KEY=VALUE, or KEY with --remove, got '${text}'.`);
  return { key, value };
}

function registrationOf({ runId, loggedModelId, description, versionTag }: TargetFlags): Partial<Wish> {
  const tags = readPairs('--version-tag', versionTag ?? []).map(([key, value]) => ({ key, value }));
  return {
    ...(runId === undefined ? {} : { run_id: runId }),
    ...(loggedModelId === undefined ? {} : { logged_model_id: loggedModelId }),
    ...(description === undefined ? {} : { description }),
    ...(tags.length === 0 ? {} : { tags }),
  };
}
