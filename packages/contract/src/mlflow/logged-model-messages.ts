/** Upstream's logged models (MLflow 3.17.2, service.proto) as they are asked. */
import { bool, enumeration, int64, list, message, required, string, submessage, withDefault } from './message.ts';

export const LOGGED_MODEL_STATUS = {
  LOGGED_MODEL_STATUS_UNSPECIFIED: 0,
  LOGGED_MODEL_PENDING: 1,
  LOGGED_MODEL_READY: 2,
  LOGGED_MODEL_UPLOAD_FAILED: 3,
} as const;

export const LoggedModelPair = message('LoggedModelPair', { key: required(string), value: withDefault(string, '') });

export const CreateLoggedModel = message('CreateLoggedModel', {
  experiment_id: required(string),
  name: string,
  model_type: withDefault(string, ''),
  source_run_id: withDefault(string, ''),
  params: list(submessage(LoggedModelPair)),
  tags: list(submessage(LoggedModelPair)),
});
export const GetLoggedModel = message('GetLoggedModel', { model_id: required(string), allow_deleted: withDefault(bool, false) });
/** The path names the model; databricks-sdk sends no `model_id` in the body. */
export const FinalizeLoggedModel = message('FinalizeLoggedModel', {
  model_id: required(string),
  status: required(enumeration(LOGGED_MODEL_STATUS)),
});
export const DeleteLoggedModel = message('DeleteLoggedModel', { model_id: required(string) });
export const SetLoggedModelTags = message('SetLoggedModelTags', { model_id: required(string), tags: list(submessage(LoggedModelPair)) });
export const DeleteLoggedModelTag = message('DeleteLoggedModelTag', { model_id: required(string), tag_key: required(string) });
export const LogLoggedModelParams = message('LogLoggedModelParams', {
  model_id: required(string),
  params: list(submessage(LoggedModelPair)),
});

export const LoggedModelDataset = message('LoggedModelDataset', { dataset_name: string, dataset_digest: string });
export const LoggedModelOrder = message('LoggedModelOrder', {
  field_name: required(string),
  ascending: withDefault(bool, true),
  dataset_name: string,
  dataset_digest: string,
});
export const SearchLoggedModels = message('SearchLoggedModels', {
  experiment_ids: list(string),
  filter: string,
  datasets: list(submessage(LoggedModelDataset)),
  max_results: withDefault(int64, 50),
  order_by: list(submessage(LoggedModelOrder)),
  page_token: string,
});
