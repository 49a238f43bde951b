/** What a drill must have met, allowed and refused, so that it can't silently stop looking at something. */

/** How often each occurred. */
export interface Tally {
  /** What let a change of a governed place happen, and what its policy asked for. */
  readonly allowed: Map<string, number>;
  /** Kinds of steps. */
  readonly done: Map<string, number>;
  readonly refused: Map<string, number>;
  /** Why. */
  readonly reasons: Map<string, number>;
}

/** By what the refused are told. */
const REASONS: Readonly<Record<string, RegExp>> = {
  freeze: /nothing changes from /,
  soak: /not in (stage|alias) '|less than \w+ in (stage|alias)/,
  expressions: /it should be /,
  tags: /no tag 'note'/,
  description: /no description/,
  model_card_sections: /no section '/,
  signature: /no signature/,
  input_example: /no input example/,
  breaking_signature_needs: /since the signature breaks callers/,
  registered_by: /not by jobs of '/,
  'an approval expired': /it is older than /,
  'a request expired': /the request is older than /,
  'a prompt': /Policy 'prompt-/,
  'a stage of its own': /Policy 'uat' doesn't allow/,
  'no edge': /can't be moved from /,
  'a stage in use': /can't be taken away|which has no stage/,
  'a sealed text': /is part of the sealed content of prompt/,
  'another kind': /was (not )?registered as a prompt/,
};

export function reasonsIn(refusal: string): readonly string[] {
  return Object.entries(REASONS).flatMap(([reason, pattern]) => (pattern.test(refusal) ? [reason] : []));
}

/** Those of them that are told in these words. */
export const MISSABLE = 'freeze soak expressions tags description model_card_sections signature input_example registered_by'.split(' ');

/** Members of a policy that say something. */
export function askedBy({
  requirements,
  freeze,
}: {
  readonly requirements: object;
  readonly freeze: readonly object[];
}): readonly string[] {
  const said = Object.entries(requirements).filter(([, value]) => (Array.isArray(value) ? value.length > 0 : value !== false));
  return [...said.map(([name]) => name), ...(freeze.length > 0 ? ['freeze'] : [])];
}

/** Each of these is a requirement with an oracle of its own. */
export const REQUIREMENTS =
  'approvals checks metrics tags description model_card_sections signature input_example breaking_signature_needs soak registered_by expressions freeze'.split(
    ' ',
  );
const ALLOWED = [
  ...['policy', 'setting', 'setting of stages', 'break-glass', 'rollback', 'unenforced', 'satisfied', 'warned', 'superseded', 'expired'],
  ...['moves along edges', 'policy on a prompt', 'policy on a stage of its own'],
  ...REQUIREMENTS.map((each) => `policy with ${each}`),
];
const DONE =
  'publish stages workspace-removal prompt-creation prompt-version prompt-tag prompt-config prompt-stage prompt-alias describe copy register retry rename model-restoration model-restoration-elsewhere version-restoration model-deletion version-deletion stage alias alias-removal tag model-tag approve apply reject cancel membership administration block lift review sweep wait evidence check seal'.split(
    ' ',
  );
const REFUSED =
  'publish stages workspace-removal prompt-creation prompt-version prompt-tag prompt-config prompt-stage prompt-alias prompt-version-tag copy register rename model-restoration-elsewhere version-restoration model-deletion version-deletion stage alias alias-removal tag model-tag approve apply membership administration'.split(
    ' ',
  );

/** Of a drill that is long enough for all of it. */
const LONG = 50_000;
/** What a short one meets as well: the others are too rare to ask for. */
const OFTEN = {
  allowed: ['policy', 'setting', 'unenforced', 'warned'],
  done: ['publish', 'stages', 'workspace-removal', 'prompt-version', 'prompt-tag', 'describe', 'copy', 'approve'],
  refused: ['publish', 'prompt-version', 'copy', 'approve', 'apply', 'stage', 'alias'],
  reasons: ['soak', 'expressions', 'a prompt', 'no edge'],
};
const ALL = { allowed: ALLOWED, done: DONE, refused: REFUSED, reasons: Object.keys(REASONS) };

/** What it should have met and didn't. */
export function gapsIn(tally: Tally, steps: number): readonly string[] {
  return (['allowed', 'done', 'refused', 'reasons'] as const).flatMap((how) =>
    (steps >= LONG ? ALL : OFTEN)[how].filter((what) => (tally[how].get(what) ?? 0) === 0).map((what) => `${how}: ${what}`),
  );
}
