/** What a workspace can be set to. */
import { Type } from 'typebox';

export const SettingsSchema = Type.Object(
  {
    refuse_unsealed: Type.Boolean({
      description: 'Refuse to register a version whose files the server does not hold, or that are not complete yet.',
    }),
    protected_stages: Type.Array(Type.String(), { description: 'Versions in these stages, and models that have one, cannot be deleted.' }),
    protect_aliased: Type.Boolean({ description: 'Versions with an alias, and models that have one, cannot be deleted.' }),
    pending_registration: Type.Boolean({ description: 'Answer PENDING_REGISTRATION until a version is sealed, instead of READY at once.' }),
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
};
