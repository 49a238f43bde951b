/** Validators, compiled at first use and once. The compiler itself is loaded then too: a start doesn't wait for it. */
import type { TSchema } from 'typebox';
import type { Validator } from 'typebox/compile';

const compiled = new WeakMap<TSchema, Promise<Validator>>();

export function validatorOf(schema: TSchema): Promise<Validator> {
  let validator = compiled.get(schema);
  if (validator === undefined) {
    validator = compile(schema);
    compiled.set(schema, validator);
  }
  return validator;
}

async function compile(schema: TSchema): Promise<Validator> {
  const { Compile } = await import('typebox/compile');
  return Compile(schema) as Validator; // its type parameters are the schema's, which is known at run time only
}
