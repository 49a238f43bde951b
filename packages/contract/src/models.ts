/** Registered models: what may be asked. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import {
  closed,
  Done,
  Id,
  Limit,
  ModelName,
  NewTags,
  NextPageToken,
  NO_PARAMS,
  named,
  nullable,
  PageToken,
  StageName,
  Tag,
  TagKey,
  TagValue,
  Time,
  VersionNumber,
} from './schemas.ts';

const description = nullable(Type.String());

const modelMembers = {
  id: Id,
  name: ModelName,
  description,
  is_prompt: Type.Boolean({ description: 'Prompts are registered models too.' }),
  tags: Type.Array(Tag),
  created_at: Time,
  updated_at: Time,
};

export const ModelSchema = named('Model', {
  ...modelMembers,
  aliases: Type.Array(closed({ alias: Type.String(), version: VersionNumber })),
  latest_versions: Type.Array(closed({ stage: StageName, version: VersionNumber }), {
    description: 'The newest version of each stage that has one.',
  }),
});

export const DeletedModelSchema = named('DeletedModel', { ...modelMembers, deleted_at: Time });

export const ByName = closed({ name: ModelName });
export const ByModelId = closed({ id: Id });

export const SearchQuery = closed({
  filter: Type.Optional(Type.String({ description: "In MLflow's search grammar: `name LIKE 'prod.%' AND tags.team = 'risk'`." })),
  order_by: Type.Optional(Type.Array(Type.String(), { description: 'Repeat it for several: `name ASC`, `last_updated_timestamp DESC`.' })),
  limit: Limit,
  page_token: PageToken,
});

export const modelEndpoints = [
  endpoint({
    id: 'searchModels',
    noun: 'models',
    method: 'GET',
    path: '/api/v1/models',
    permission: 'registered-model.list',
    summary: 'List or search registered models.',
    description: 'By name, where `order_by` says nothing else. Prompts are left out unless the filter asks for them.',
    params: NO_PARAMS,
    query: SearchQuery,
    output: named('ModelPage', { models: Type.Array(ModelSchema), next_page_token: NextPageToken }),
  }),
  endpoint({
    id: 'createModel',
    noun: 'models',
    method: 'POST',
    path: '/api/v1/models',
    permission: 'registered-model.create',
    summary: 'Create a registered model.',
    description: 'RESOURCE_ALREADY_EXISTS where the name is taken. A name given again after a deletion is a new model with a new id.',
    params: NO_PARAMS,
    body: closed({ name: ModelName, description: Type.Optional(Type.String()), tags: NewTags }),
    output: ModelSchema,
    status: 201,
  }),
  endpoint({
    id: 'getModel',
    noun: 'models',
    method: 'GET',
    path: '/api/v1/models/{name}',
    permission: 'registered-model.view',
    summary: 'Get a registered model.',
    params: ByName,
    output: ModelSchema,
  }),
  endpoint({
    id: 'updateModel',
    noun: 'models',
    method: 'PATCH',
    path: '/api/v1/models/{name}',
    permission: 'registered-model.edit',
    summary: 'Change the description of a registered model.',
    params: ByName,
    body: closed({ description: Type.Union([Type.String(), Type.Null()], { description: 'null takes it away.' }) }),
    output: ModelSchema,
  }),
  endpoint({
    id: 'renameModel',
    noun: 'models',
    method: 'POST',
    path: '/api/v1/models/{name}/rename',
    permission: 'registered-model.rename',
    summary: 'Rename a registered model.',
    description: 'Its id, versions, stages, aliases and history stay.',
    params: ByName,
    body: closed({ name: ModelName }),
    output: ModelSchema,
  }),
  endpoint({
    id: 'deleteModel',
    noun: 'models',
    method: 'DELETE',
    path: '/api/v1/models/{name}',
    permission: 'registered-model.manage',
    summary: 'Delete a registered model with its versions.',
    description: 'It can be restored until it is purged. INVALID_STATE where the workspace protects one of its versions.',
    params: ByName,
    output: named('DeletedRef', { id: Id, name: ModelName }, 'What `/api/v1/deleted-models/{id}` takes.'),
  }),
  endpoint({
    id: 'setModelTag',
    noun: 'models',
    method: 'PUT',
    path: '/api/v1/models/{name}/tags/{key}',
    permission: 'registered-model.edit',
    summary: 'Set a tag of a registered model.',
    params: closed({ name: ModelName, key: TagKey }),
    body: TagValue,
    output: Done,
  }),
  endpoint({
    id: 'deleteModelTag',
    noun: 'models',
    method: 'DELETE',
    path: '/api/v1/models/{name}/tags/{key}',
    permission: 'registered-model.edit',
    summary: 'Delete a tag of a registered model.',
    description: 'Deleting a tag that is not there changes nothing.',
    params: closed({ name: ModelName, key: TagKey }),
    output: Done,
  }),
  endpoint({
    id: 'listDeletedModels',
    noun: 'deleted',
    method: 'GET',
    path: '/api/v1/deleted-models',
    permission: 'registered-model.list',
    summary: 'List deleted models that were not purged.',
    description: 'By name, then id; at most 1,000.',
    params: NO_PARAMS,
    query: closed({ name: Type.Optional(ModelName) }),
    output: named('DeletedModels', { models: Type.Array(DeletedModelSchema) }),
  }),
  endpoint({
    id: 'restoreModel',
    noun: 'deleted',
    method: 'POST',
    path: '/api/v1/deleted-models/{id}/restore',
    permission: 'registered-model.manage',
    summary: 'Restore a deleted model with its versions, tags and bytes.',
    description: 'Its versions come back in stage None and without alias. Where the name is taken by now, give a new one.',
    params: ByModelId,
    body: closed({ name: Type.Optional(ModelName) }),
    output: ModelSchema,
  }),
  endpoint({
    id: 'purgeModel',
    noun: 'deleted',
    method: 'DELETE',
    path: '/api/v1/deleted-models/{id}',
    permission: 'registered-model.manage',
    summary: 'Purge a deleted model for ever.',
    description: 'Its versions go too, and so do bytes that nothing else refers to. Its events stay.',
    params: ByModelId,
    query: closed({ confirm: Type.String({ description: "The model's name, so that nothing is purged by mistake." }) }),
    output: Done,
  }),
] as const;
