/** Upstream's artifact messages (MLflow 3.17.2: mlflow_artifacts.proto, and ListArtifacts and friends of service.proto) as they are asked. */
import { int64, message, required, string, withDefault } from './message.ts';

export const ListArtifacts = message('ListArtifacts', { run_id: string, run_uuid: string, path: string, page_token: string });
export const ListStoredArtifacts = message('ListArtifactsMlflowArtifacts', { path: string });
export const ListLoggedModelArtifacts = message('ListLoggedModelArtifacts', {
  model_id: required(string),
  artifact_directory_path: string,
  page_token: string,
});
export const CreatePresignedUploadUrl = message('CreatePresignedUploadUrl', {
  run_id: string,
  model_id: string,
  path: required(string),
  expiration: withDefault(int64, 900),
});
export const CreatePresignedDownloadUrl = message('CreatePresignedDownloadUrl', {
  run_id: required(string),
  path: required(string),
  expiration: withDefault(int64, 300),
});
