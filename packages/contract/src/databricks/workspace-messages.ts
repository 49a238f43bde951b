/** What databricks-sdk (0.156) asks of a workspace beside MLflow's own calls: permissions, and the Databricks forms of models and versions. */
import { bool, list, message, required, string, submessage, withDefault } from '../mlflow/message.ts';

export const AccessControl = message('AccessControlRequest', {
  user_name: string,
  group_name: string,
  service_principal_name: string,
  permission_level: required(string),
});

/** `id` stands in the path. */
export const GetPermissions = message('GetPermissions', { id: required(string) });
export const SetPermissions = message('SetPermissions', { id: required(string), access_control_list: list(submessage(AccessControl)) });

export const GetModel = message('GetModelDatabricks', { name: required(string) });
export const TransitionStage = message('TransitionModelVersionStageDatabricks', {
  name: required(string),
  version: required(string),
  stage: required(string),
  archive_existing_versions: withDefault(bool, false),
  comment: string,
});
