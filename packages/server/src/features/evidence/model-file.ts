import type { Signature } from './signature-rules.ts';

/** What an MLmodel file says of a model. The text is a client's, so nothing in it is trusted to have a shape. */
export interface ModelFacts {
  readonly flavors: ReadonlyMap<string, unknown>;
  readonly signature: Signature;
  /** Path of the example that was saved beside the model. */
  readonly inputExample: string | undefined;
}

export const NO_FACTS: ModelFacts = {
  flavors: new Map(),
  signature: { inputs: null, outputs: null, params: null },
  inputExample: undefined,
};

/** Aliases multiply: a short text could stand for gigabytes. */
const ALIASES_MAX = 100;
/** Deeper ones can't be walked, nor read by a person. */
const DEPTH_MAX = 60;

/** What can't be read is as if it were not there. */
export async function readModelFile(text: string): Promise<ModelFacts> {
  // Loaded when it is first needed: a start doesn't wait for it. Bundled, a CommonJS module has a default export only.
  const { default: yaml } = await import('yaml');
  let document: unknown;
  try {
    document = yaml.parse(text, { maxAliasCount: ALIASES_MAX, schema: 'core', logLevel: 'silent' });
  } catch {
    return NO_FACTS;
  }
  if (!isShallow(document, DEPTH_MAX)) return NO_FACTS;
  const { flavors, signature, saved_input_example_info: example } = membersOf(document);
  const { inputs, outputs, params } = membersOf(signature);
  const { artifact_path: path } = membersOf(example);
  return {
    flavors: new Map(Object.entries(membersOf(flavors))),
    signature: { inputs: readSchema(inputs), outputs: readSchema(outputs), params: readSchema(params) },
    inputExample: typeof path === 'string' && path !== '' ? path : undefined,
  };
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : {};
}

/** A schema is JSON in a string (mlflow/models/signature.py to_dict). */
function readSchema(value: unknown): unknown {
  if (typeof value !== 'string') return value ?? null;
  try {
    const schema: unknown = JSON.parse(value);
    return isShallow(schema, DEPTH_MAX) ? schema : value;
  } catch {
    return value;
  }
}

function isShallow(value: unknown, depthLeft: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depthLeft > 0 && Object.values(value).every((member) => isShallow(member, depthLeft - 1));
}
