/** What a workspace can be set to. */
import { Type } from 'typebox';
import { LEVELS } from './levels.ts';
import { closed, nullable, oneOf } from './schemas.ts';
import { DEFAULT_STAGES, STAGE_LEVELS, STAGE_NAME_MAX, STAGES_MAX } from './stages.ts';

export const NAME_PATTERN_MAX = 200;

/** Set by administrators of the server alone. */
export const QUOTAS = ['quota_models', 'quota_versions', 'quota_bytes'] as const;

function quota(of: string) {
  return nullable(
    Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    `At most so many. ${of} Null: no limit. Only administrators of the server change it.`,
  );
}

const StageNameInput = Type.String({ minLength: 1, maxLength: STAGE_NAME_MAX });

const StageDefinitions = Type.Array(
  closed({
    name: Type.String({ minLength: 1, maxLength: STAGE_NAME_MAX, description: 'Letters, digits, `-` and `_`; unique in any case.' }),
    active: Type.Optional(
      Type.Boolean({
        default: true,
        description: 'Whether a move there may archive the versions that stand there. Fixed for the four of MLflow.',
      }),
    ),
    level: Type.Optional(
      oneOf(STAGE_LEVELS, 'What a move into or out of it asks; MANAGE_STAGING where it is left out. Fixed for the four of MLflow.'),
    ),
  }),
  {
    minItems: 1,
    maxItems: STAGES_MAX,
    description:
      'The stages of the workspace, in their order. None and Archived are always there. A stage that is in use is not taken away: the answer says where.',
  },
);

const StageEdges = nullable(
  Type.Array(closed({ from: StageNameInput, to: StageNameInput }), { minItems: 1, maxItems: STAGES_MAX * (STAGES_MAX - 1) }),
  'Along which versions move between stages. Null: from every stage to every other.',
);

export const SettingsSchema = Type.Object(
  {
    refuse_unsealed: Type.Boolean({
      description: 'Refuse to register a version whose files the server does not hold, or that are not complete yet.',
    }),
    stages: StageDefinitions,
    stage_edges: StageEdges,
    protected_stages: Type.Array(Type.String(), { description: 'Versions in these stages, and models that have one, cannot be deleted.' }),
    protect_aliased: Type.Boolean({ description: 'Versions with an alias, and models that have one, cannot be deleted.' }),
    pending_registration: Type.Boolean({ description: 'Answer PENDING_REGISTRATION until a version is sealed, instead of READY at once.' }),
    member_level: oneOf(
      ['NONE', ...LEVELS],
      'What a member has on every object of the workspace; READ in the default workspace, else NONE.',
    ),
    encrypt_artifacts: Type.Boolean({ description: "Encrypt files that are uploaded from now on, under the workspace's own key." }),
    creator_manages: Type.Boolean({ description: 'Whoever creates a model or an experiment manages it.' }),
    name_pattern: Type.String({
      maxLength: NAME_PATTERN_MAX,
      description:
        'What the whole name of a registered model must match when it is created, renamed, restored or copied to; empty: any name. ' +
        'Characters, `.`, `[a-z]`, `\\d \\w \\s`, `(a|b)`, `* + ? {2,30}`; no look-around and no back-references.',
    }),
    name_message: Type.String({ maxLength: 500, description: 'What whoever breaks the pattern is told beside it.' }),
    quota_models: quota('Registered models that are not deleted.'),
    quota_versions: quota('Model versions that are not deleted.'),
    quota_bytes: quota(
      'Bytes of all files, each counted wherever it is: in a run, in a logged model, and in every version sealed over it.',
    ),
  },
  { $id: 'Settings', additionalProperties: false },
);

export type Settings = Type.Static<typeof SettingsSchema>;
export type SettingName = keyof Settings;

export const DEFAULT_SETTINGS: Settings = {
  refuse_unsealed: false,
  stages: [...DEFAULT_STAGES],
  stage_edges: null,
  protected_stages: [],
  protect_aliased: false,
  pending_registration: false,
  member_level: 'NONE',
  encrypt_artifacts: false,
  creator_manages: true,
  name_pattern: '',
  name_message: '',
  quota_models: null,
  quota_versions: null,
  quota_bytes: null,
};
