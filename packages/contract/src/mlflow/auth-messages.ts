/** Upstream's auth API as it is asked (mlflow/server/auth of 3.17.2, and the calls of 2.22's `AuthServiceClient`). It has no proto file. */
import { bool, int64, list, message, required, string } from './message.ts';

export const NoFields = message('NoFields', {});

export const CreateUser = message('CreateUser', { username: required(string), password: required(string) });
export const GetUser = message('GetUser', { username: required(string) });
export const UpdatePassword = message('UpdatePassword', {
  username: required(string),
  password: required(string),
  current_password: string,
});
export const UpdateAdmin = message('UpdateAdmin', { username: required(string), is_admin: required(bool) });
export const DeleteUser = message('DeleteUser', { username: required(string) });

const RESOURCE = { username: required(string), resource_type: required(string), resource_id: required(string) };
export const GetUserPermission = message('GetUserPermission', RESOURCE);
export const GrantUserPermission = message('GrantUserPermission', { ...RESOURCE, permission: required(string) });
export const RevokeUserPermission = message('RevokeUserPermission', RESOURCE);

export const CreateRole = message('CreateRole', { workspace: required(string), name: required(string), description: string });
export const RoleById = message('RoleById', { role_id: required(int64) });
export const ListRoles = message('ListRoles', { workspace: list(string) });
export const UpdateRole = message('UpdateRole', { role_id: required(int64), name: string, description: string });
export const AddRolePermission = message('AddRolePermission', {
  role_id: required(int64),
  resource_type: required(string),
  resource_pattern: required(string),
  permission: required(string),
});
export const UpdateRolePermission = message('UpdateRolePermission', {
  role_permission_id: required(int64),
  permission: required(string),
});
export const RemoveRolePermission = message('RemoveRolePermission', { role_permission_id: required(int64) });
export const RoleOfUser = message('RoleOfUser', { username: required(string), role_id: required(int64) });

/** 2.x: grants by kind of object. */
export const ExperimentPermission = message('ExperimentPermission', { experiment_id: required(string), username: required(string) });
export const SetExperimentPermission = message('SetExperimentPermission', {
  experiment_id: required(string),
  username: required(string),
  permission: required(string),
});
export const ModelPermission = message('ModelPermission', { name: required(string), username: required(string) });
export const SetModelPermission = message('SetModelPermission', {
  name: required(string),
  username: required(string),
  permission: required(string),
});
