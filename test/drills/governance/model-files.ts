/** What models of a drill have in their MLmodel and what is written of versions, with what a reader finds there. */
export type Signature = 'none' | 'x' | 'x and y' | 'x and maybe y';

const column = (name: string, required: boolean): object => ({ type: 'double', name, required });
const INPUTS: Readonly<Record<Signature, readonly object[] | undefined>> = {
  none: undefined,
  x: [column('x', true)],
  'x and y': [column('x', true), column('y', true)],
  'x and maybe y': [column('x', true), column('y', false)],
};

export const SIGNATURES: readonly Signature[] = ['none', 'x', 'x', 'x and y', 'x and maybe y'];

export interface ModelFile {
  readonly signature: Signature;
  readonly hasExample: boolean;
}

/** `take`: so that not all bytes are the same. */
export function modelFileOf({ signature, hasExample }: ModelFile, take: number): string {
  const inputs = INPUTS[signature];
  return [
    `flavors: {} # ${take}`,
    ...(inputs === undefined ? [] : ['signature:', `  inputs: '${JSON.stringify(inputs)}'`]),
    ...(hasExample ? ['saved_input_example_info:', '  artifact_path: example.json'] : []),
  ].join('\n');
}

/** Whoever sends what the one took is refused by the other. */
export function breaksCallers(standing: Signature, coming: Signature): boolean {
  if (standing === 'none') return false;
  return coming === 'none' || (coming === 'x and y' && standing !== 'x and y');
}

/** With the sections that say something. */
export const DESCRIPTIONS: ReadonlyMap<string | undefined, readonly string[]> = new Map([
  [undefined, []],
  ['   ', []],
  ['It scores.', []],
  ['# Limitations\n\nNone that we know.', ['Limitations']],
  ['# Limitations\n\n# Use\n\nFor scores.', ['Use']],
  ['# Limitations\n\nTODO\n', []],
  ['It scores.\n\n## limitations\n\nNot for people.\n', ['limitations']],
]);
