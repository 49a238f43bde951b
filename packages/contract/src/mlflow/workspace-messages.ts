/** Messages of upstream's workspaces (service.proto, 3.17.2). */
import { message, required, string, submessage } from './message.ts';

const TraceArchivalConfig = message('TraceArchivalConfig', { location: string, retention: string });

export const ListWorkspaces = message('ListWorkspaces', {});
export const CreateWorkspace = message('CreateWorkspace', {
  name: required(string),
  description: string,
  default_artifact_root: string,
  trace_archival_config: submessage(TraceArchivalConfig),
});
export const GetWorkspace = message('GetWorkspace', { workspace_name: required(string) });
export const UpdateWorkspace = message('UpdateWorkspace', {
  workspace_name: required(string),
  description: string,
  default_artifact_root: string,
  trace_archival_config: submessage(TraceArchivalConfig),
});
export const DeleteWorkspace = message('DeleteWorkspace', { workspace_name: required(string), mode: string });
