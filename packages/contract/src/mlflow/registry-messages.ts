/** Upstream's model_registry.proto (MLflow 3.17.2) as it is asked. */
import { bool, int64, list, message, required, string, submessage, withDefault } from './message.ts';

export const Tag = message('tag', { key: string, value: string });

export const CreateRegisteredModel = message('CreateRegisteredModel', {
  name: required(string),
  tags: list(submessage(Tag)),
  description: string,
});
export const GetRegisteredModel = message('GetRegisteredModel', { name: required(string) });
export const UpdateRegisteredModel = message('UpdateRegisteredModel', { name: required(string), description: string });
export const RenameRegisteredModel = message('RenameRegisteredModel', { name: required(string), new_name: required(string) });
export const DeleteRegisteredModel = message('DeleteRegisteredModel', { name: required(string) });
export const SearchRegisteredModels = message('SearchRegisteredModels', {
  filter: string,
  max_results: withDefault(int64, 100),
  order_by: list(string),
  page_token: string,
});
export const ListRegisteredModels = message('ListRegisteredModels', { max_results: withDefault(int64, 100), page_token: string });
export const GetLatestVersions = message('GetLatestVersions', { name: required(string), stages: list(string) });
export const SetRegisteredModelTag = message('SetRegisteredModelTag', {
  name: required(string),
  key: required(string),
  value: withDefault(string, ''),
});
export const DeleteRegisteredModelTag = message('DeleteRegisteredModelTag', { name: required(string), key: required(string) });
export const SetRegisteredModelAlias = message('SetRegisteredModelAlias', {
  name: required(string),
  alias: required(string),
  version: required(string),
});
export const GetModelVersionByAlias = message('GetModelVersionByAlias', { name: required(string), alias: required(string) });
export const DeleteRegisteredModelAlias = message('DeleteRegisteredModelAlias', { name: required(string), alias: required(string) });

export const CreateModelVersion = message('CreateModelVersion', {
  name: required(string),
  source: required(string),
  run_id: string,
  tags: list(submessage(Tag)),
  run_link: string,
  description: string,
  model_id: string,
});
export const GetModelVersion = message('GetModelVersion', { name: required(string), version: required(string) });
export const UpdateModelVersion = message('UpdateModelVersion', { name: required(string), version: required(string), description: string });
export const TransitionModelVersionStage = message('TransitionModelVersionStage', {
  name: required(string),
  version: required(string),
  stage: required(string),
  archive_existing_versions: withDefault(bool, false),
});
export const DeleteModelVersion = message('DeleteModelVersion', { name: required(string), version: required(string) });
export const SearchModelVersions = message('SearchModelVersions', {
  filter: string,
  max_results: withDefault(int64, 200_000),
  order_by: list(string),
  page_token: string,
});
export const GetModelVersionDownloadUri = message('GetModelVersionDownloadUri', { name: required(string), version: required(string) });
export const SetModelVersionTag = message('SetModelVersionTag', {
  name: required(string),
  version: required(string),
  key: required(string),
  value: withDefault(string, ''),
});
export const DeleteModelVersionTag = message('DeleteModelVersionTag', {
  name: required(string),
  version: required(string),
  key: required(string),
});
