/** What a drill must have met, allowed and refused, so that it can't silently stop looking at something. */

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
  'a stage in use': /can't be taken away/,
  'a sealed text': /is part of the sealed content of prompt/,
  'another kind': /was (not )?registered as a prompt/,
};

export function reasonsIn(refusal: string): readonly string[] {
  return Object.entries(REASONS).flatMap(([reason, pattern]) => (pattern.test(refusal) ? [reason] : []));
}

export const ALL_REASONS = Object.keys(REASONS);
