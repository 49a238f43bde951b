/** Upstream's service.proto (MLflow 3.17.2): runs, but for their search. `run_uuid` is the older name of `run_id`. */
import { enumeration, int64, list, message, required, string, submessage, withDefault } from './message.ts';
import { Metric } from './metric-messages.ts';

const RunStatus = enumeration({ RUNNING: 1, SCHEDULED: 2, FINISHED: 3, FAILED: 4, KILLED: 5 });
const RunTag = message('RunTag', { key: required(string), value: withDefault(string, '') });
const Param = message('Param', { key: required(string), value: withDefault(string, '') });

export const CreateRun = message('CreateRun', {
  experiment_id: string,
  user_id: withDefault(string, ''),
  run_name: string,
  start_time: withDefault(int64, 0),
  tags: list(submessage(RunTag)),
});
export const GetRun = message('GetRun', { run_id: string, run_uuid: string });
export const UpdateRun = message('UpdateRun', { run_id: string, run_uuid: string, status: RunStatus, end_time: int64, run_name: string });
export const DeleteRun = message('DeleteRun', { run_id: required(string) });
export const RestoreRun = message('RestoreRun', { run_id: required(string) });
export const LogParam = message('LogParam', {
  run_id: string,
  run_uuid: string,
  key: required(string),
  value: withDefault(string, ''),
});
export const SetTag = message('SetTag', { run_id: string, run_uuid: string, key: required(string), value: withDefault(string, '') });
export const DeleteTag = message('DeleteTag', { run_id: required(string), key: required(string) });
export const LogBatch = message('LogBatch', {
  run_id: required(string),
  metrics: list(submessage(Metric)),
  params: list(submessage(Param)),
  tags: list(submessage(RunTag)),
});

const InputTag = message('InputTag', { key: required(string), value: required(string) });
const Dataset = message('Dataset', {
  name: required(string),
  digest: required(string),
  source_type: required(string),
  source: required(string),
  schema: string,
  profile: string,
});
const DatasetInput = message('DatasetInput', { tags: list(submessage(InputTag)), dataset: required(submessage(Dataset)) });
const LoggedModelInput = message('LoggedModelInput', { model_id: required(string) });
const LoggedModelOutput = message('LoggedModelOutput', { model_id: required(string), step: withDefault(int64, 0) });

export const LogInputs = message('LogInputs', {
  run_id: required(string),
  datasets: list(submessage(DatasetInput)),
  models: list(submessage(LoggedModelInput)),
});
export const LogOutputs = message('LogOutputs', { run_id: required(string), models: list(submessage(LoggedModelOutput)) });
/** What 2.x clients log a model by; `model_json` is the text of its MLmodel. */
export const LogModel = message('LogModel', { run_id: required(string), model_json: required(string) });
