/** Upstream's service.proto (MLflow 3.17.2): experiments, but for their search. */
import { enumeration, int64, list, message, required, string, submessage, withDefault } from './message.ts';

const ExperimentTag = message('ExperimentTag', { key: required(string), value: withDefault(string, '') });

export const CreateExperiment = message('CreateExperiment', {
  name: required(string),
  artifact_location: string,
  tags: list(submessage(ExperimentTag)),
});
export const GetExperiment = message('GetExperiment', { experiment_id: required(string) });
export const GetExperimentByName = message('GetExperimentByName', { experiment_name: required(string) });
export const UpdateExperiment = message('UpdateExperiment', { experiment_id: required(string), new_name: required(string) });
export const DeleteExperiment = message('DeleteExperiment', { experiment_id: required(string) });
export const RestoreExperiment = message('RestoreExperiment', { experiment_id: required(string) });
export const SetExperimentTag = message('SetExperimentTag', {
  experiment_id: required(string),
  key: required(string),
  value: withDefault(string, ''),
});
export const DeleteExperimentTag = message('DeleteExperimentTag', { experiment_id: required(string), key: required(string) });
/** Not in MLflow 3: databricks-sdk's `experiments.list_experiments`. */
export const ListExperiments = message('ListExperiments', {
  max_results: withDefault(int64, 1000),
  page_token: string,
  view_type: withDefault(enumeration({ ACTIVE_ONLY: 1, DELETED_ONLY: 2, ALL: 3 }), 'ACTIVE_ONLY'),
});
