/** Workspaces: everything of one project or department. */
import { type Static, Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { closed, Done, Id, NO_PARAMS, named, nullable, oneOf, Time } from './schemas.ts';
import { SettingsSchema } from './settings.ts';

export const REMOVAL_MODES = ['RESTRICT', 'SET_DEFAULT', 'CASCADE'] as const;
export type RemovalMode = (typeof REMOVAL_MODES)[number];

const WorkspaceName = Type.String({ minLength: 1, description: 'Name of the workspace.' });
const Description = Type.String({ maxLength: 5000 });
const Root = Type.String({
  maxLength: 2048,
  description: "Storage below which the experiments that are made from now on lie; empty: a folder of the server's own.",
});
const SomeSettings = Type.Partial(SettingsSchema, { additionalProperties: false, description: 'What is left out stays as it is.' });

export const WorkspaceSummary = named('WorkspaceSummary', {
  id: Id,
  name: WorkspaceName,
  description: nullable(Type.String()),
  default_artifact_root: nullable(Type.String()),
  created_at: Time,
});

export const WorkspaceSchema = named('Workspace', {
  ...WorkspaceSummary.properties,
  settings: SettingsSchema,
  usage: closed(
    {
      models: Type.Integer({ description: 'Registered models that are not deleted.' }),
      versions: Type.Integer({ description: 'Model versions that are not deleted.' }),
      bytes: Type.Integer({ description: 'Of all files, each counted wherever it is.' }),
    },
    'What counts against the quotas.',
  ),
});
export type WorkspaceAnswer = Static<typeof WorkspaceSchema>;

export const workspaceEndpoints = [
  endpoint({
    id: 'listWorkspaces',
    noun: 'workspaces',
    method: 'GET',
    path: '/api/v1/workspaces',
    permission: 'account',
    summary: 'The workspaces that the caller is a member of, by name.',
    params: NO_PARAMS,
    output: closed({ workspaces: Type.Array(WorkspaceSummary) }),
  }),
  endpoint({
    id: 'createWorkspace',
    noun: 'workspaces',
    method: 'POST',
    path: '/api/v1/workspaces',
    permission: 'server.admin',
    summary: 'Create a workspace and set it up.',
    params: NO_PARAMS,
    body: closed({
      name: WorkspaceName,
      description: Type.Optional(Description),
      default_artifact_root: Type.Optional(Root),
      settings: Type.Optional(SomeSettings),
    }),
    output: WorkspaceSchema,
    status: 201,
  }),
  endpoint({
    id: 'getWorkspace',
    noun: 'workspaces',
    method: 'GET',
    path: '/api/v1/workspaces/{workspace}',
    permission: 'account',
    summary: 'A workspace, its settings and what it holds.',
    params: closed({ workspace: WorkspaceName }),
    output: WorkspaceSchema,
  }),
  endpoint({
    id: 'updateWorkspace',
    noun: 'workspaces',
    method: 'PATCH',
    path: '/api/v1/workspaces/{workspace}',
    permission: 'server.admin',
    summary: 'Change a workspace or its settings.',
    description:
      'Each change of a setting is an event. Managers of the workspace change settings other than quotas by PATCH /api/v1/settings.',
    params: closed({ workspace: WorkspaceName }),
    body: closed({
      description: Type.Optional(Description),
      default_artifact_root: Type.Optional(Root),
      settings: Type.Optional(SomeSettings),
    }),
    output: WorkspaceSchema,
  }),
  endpoint({
    id: 'deleteWorkspace',
    noun: 'workspaces',
    method: 'DELETE',
    path: '/api/v1/workspaces/{workspace}',
    permission: 'server.admin',
    summary: 'Delete a workspace.',
    description:
      'RESTRICT refuses one that still holds something, CASCADE deletes that as it would be deleted one by one, SET_DEFAULT hands it to the default workspace.',
    params: closed({ workspace: WorkspaceName }),
    query: closed({ mode: Type.Optional(oneOf(REMOVAL_MODES, 'RESTRICT where it is left out.')) }),
    output: Done,
  }),
] as const;
