/** What a workspace can be set to. */
import { Type } from 'typebox';
import { LEVELS } from './levels.ts';
import { oneOf } from './schemas.ts';

export const SettingsSchema = Type.Object(
  {
    refuse_unsealed: Type.Boolean({
      description: 'Refuse to register a version whose files the server does not hold, or that are not complete yet.',
    }),
    protected_stages: Type.Array(Type.String(), { description: 'Versions in these stages, and models that have one, cannot be deleted.' }),
    protect_aliased: Type.Boolean({ description: 'Versions with an alias, and models that have one, cannot be deleted.' }),
    pending_registration: Type.Boolean({ description: 'Answer PENDING_REGISTRATION until a version is sealed, instead of READY at once.' }),
    member_level: oneOf(
      ['NONE', ...LEVELS],
      'What a member has on every object of the workspace; READ in the default workspace, else NONE.',
    ),
    encrypt_artifacts: Type.Boolean({ description: "Encrypt files that are uploaded from now on, under the workspace's own key." }),
    creator_manages: Type.Boolean({ description: 'Whoever creates a model or an experiment manages it.' }),
  },
  { $id: 'Settings', additionalProperties: false },
);

export type Settings = Type.Static<typeof SettingsSchema>;
export type SettingName = keyof Settings;

export const DEFAULT_SETTINGS: Settings = {
  refuse_unsealed: false,
  protected_stages: [],
  protect_aliased: false,
  pending_registration: false,
  member_level: 'NONE',
  encrypt_artifacts: false,
  creator_manages: true,
};
