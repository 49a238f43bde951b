/** Stages and aliases: who stands there, who stood there, and how it changes. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { LEVELS } from './levels.ts';
import { closed, Done, Id, ModelName, named, nullable, oneOf, PrincipalRef, StageName, StageWord, Time, VersionNumber } from './schemas.ts';
import { TimeText } from './time.ts';
import { ByVersion, VersionSchema } from './versions.ts';

const Alias = Type.String({ minLength: 1, description: 'Name of the alias.' });

export const HolderSchema = named(
  'Holder',
  {
    version: VersionNumber,
    version_id: Id,
    since_at: Time,
    since_seq: Type.Integer({ description: 'The event that put it there.' }),
    by: PrincipalRef,
  },
  'A version in a place.',
);

const moment = {
  model_id: Id,
  name: nullable(ModelName, "The model's name today; null once it is purged."),
  as_of: Time,
  as_of_seq: Type.Integer({ description: 'The last event recorded at or before that time.' }),
};

const AsOf = closed({
  as_of: Type.Optional(TimeText),
});

const AS_OF =
  'With `as_of`, as it was at that time: the state at the last event recorded at or before it. Found by name is the model that has it today, or one ' +
  'deleted since that had it then; by id also a model that was renamed or purged.';

export const StageOccupants = named('StageOccupants', {
  ...moment,
  stage: StageName,
  versions: Type.Array(HolderSchema, { description: 'By number.' }),
});

export const AliasHolder = named('AliasHolder', { ...moment, alias: Alias, holder: nullable(HolderSchema, 'null where it is not set.') });

export const ModelAccess = named('ModelAccess', {
  ...moment,
  level: oneOf(LEVELS, 'The least that was asked for.'),
  accounts: Type.Array(closed({ account: PrincipalRef, level: oneOf(LEVELS) }), { description: 'Accounts that could sign in then.' }),
});

export const transitionEndpoints = [
  endpoint({
    id: 'listModelAccess',
    noun: 'stages and aliases',
    method: 'GET',
    path: '/api/v1/models/{name}/access',
    permission: 'registered-model.manage',
    summary: 'Who may, or might, act on a model with at least a level.',
    description: `${AS_OF} Replayed from the events of accounts, groups, grants and settings.`,
    params: closed({ name: ModelName }),
    query: closed({
      as_of: Type.Optional(TimeText),
      level: Type.Optional(oneOf(LEVELS, 'MANAGE_PRODUCTION where it is left out: who could move it to Production.')),
    }),
    output: ModelAccess,
  }),
  endpoint({
    id: 'getStage',
    noun: 'stages and aliases',
    method: 'GET',
    path: '/api/v1/models/{name}/stages/{stage}',
    permission: 'registered-model.view',
    summary: 'Which versions are, or were, in a stage.',
    description: AS_OF,
    params: closed({ name: ModelName, stage: StageWord }),
    query: AsOf,
    output: StageOccupants,
  }),
  endpoint({
    id: 'getStageByModelId',
    noun: 'stages and aliases',
    method: 'GET',
    path: '/api/v1/models/by-id/{id}/stages/{stage}',
    permission: 'registered-model.view',
    summary: 'The same for a model found by its id.',
    params: closed({ id: Id, stage: StageWord }),
    query: AsOf,
    output: StageOccupants,
  }),
  endpoint({
    id: 'getAlias',
    noun: 'stages and aliases',
    method: 'GET',
    path: '/api/v1/models/{name}/aliases/{alias}',
    permission: 'registered-model.view',
    summary: 'Which version an alias points, or pointed, at.',
    description: AS_OF,
    params: closed({ name: ModelName, alias: Alias }),
    query: AsOf,
    output: AliasHolder,
  }),
  endpoint({
    id: 'getAliasByModelId',
    noun: 'stages and aliases',
    method: 'GET',
    path: '/api/v1/models/by-id/{id}/aliases/{alias}',
    permission: 'registered-model.view',
    summary: 'The same for a model found by its id.',
    params: closed({ id: Id, alias: Alias }),
    query: AsOf,
    output: AliasHolder,
  }),
  endpoint({
    id: 'setStage',
    noun: 'stages and aliases',
    method: 'PUT',
    path: '/api/v1/models/{name}/versions/{version}/stage',
    permission: 'model-version.transition',
    summary: 'Move a version into a stage.',
    params: ByVersion,
    body: closed({
      stage: StageWord,
      archive_existing: Type.Optional(
        Type.Boolean({
          default: false,
          description: 'Moves every other version of the stage to Archived in the same step; the stage must be an active one.',
        }),
      ),
    }),
    output: VersionSchema,
  }),
  endpoint({
    id: 'setAlias',
    noun: 'stages and aliases',
    method: 'PUT',
    path: '/api/v1/models/{name}/aliases/{alias}',
    permission: 'registered-model.edit',
    summary: 'Point an alias at a version.',
    params: closed({ name: ModelName, alias: Alias }),
    body: closed({ version: VersionNumber }),
    output: Done,
  }),
  endpoint({
    id: 'deleteAlias',
    noun: 'stages and aliases',
    method: 'DELETE',
    path: '/api/v1/models/{name}/aliases/{alias}',
    permission: 'registered-model.manage',
    summary: 'Delete an alias.',
    description: 'Deleting one that is not set changes nothing.',
    params: closed({ name: ModelName, alias: Alias }),
    output: Done,
  }),
] as const;
