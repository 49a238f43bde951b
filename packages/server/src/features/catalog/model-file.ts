/** What an MLmodel file says of a model. The text is a client's, so nothing in it is trusted to have a shape. */
export interface ModelFacts {
  readonly flavors: ReadonlyMap<string, unknown>;
  readonly signature: { readonly inputs: unknown; readonly outputs: unknown; readonly params: unknown };
}

export const NO_FACTS: ModelFacts = { flavors: new Map(), signature: { inputs: null, outputs: null, params: null } };

/** Aliases multiply: a short text could stand for gigabytes. */
const ALIASES_MAX = 100;
/** Deeper ones can't be walked, nor read by a person. */
const DEPTH_MAX = 60;

/** What can't be read is as if it were not there. */
export async function readModelFile(text: string): Promise<ModelFacts> {
  // Loaded at the first comparison: a start doesn't wait for it. Bundled, a CommonJS module has a default export only.
  const { default: yaml } = await import('yaml');
  let document: unknown;
  try {
    document = yaml.parse(text, { maxAliasCount: ALIASES_MAX, schema: 'core', logLevel: 'silent' });
  } catch {
    return NO_FACTS;
  }
  if (!isShallow(document, DEPTH_MAX)) return NO_FACTS;
  const { flavors, signature } = membersOf(document);
  const { inputs, outputs, params } = membersOf(signature);
  return {
    flavors: new Map(Object.entries(membersOf(flavors))),
    signature: { inputs: readSchema(inputs), outputs: readSchema(outputs), params: readSchema(params) },
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
