/** Names in the languages that know attributes and tags only: experiments, registered models, model versions. */
import { entityAndKey } from './clause-values.ts';
import type { NameToken } from './parser.ts';
import { printedSet, printedTuple, refuse } from './search-problem.ts';

const ENTITIES: ReadonlyMap<string, 'attribute' | 'tag'> = new Map([
  ['attribute', 'attribute'],
  ['tag', 'tag'],
  ['tags', 'tag'],
]);

export interface AttributeOrTag {
  readonly entity: 'attribute' | 'tag';
  readonly key: string;
}

/** @param quotable whether an attribute may stand in quotes. @throws Problem INVALID_PARAMETER_VALUE for other names. */
export function attributeOrTag(name: NameToken, attributes: readonly string[], quotable: boolean): AttributeOrTag {
  const { entity: written, key, isQuoted } = entityAndKey(name);
  const entity = written === undefined ? 'attribute' : ENTITIES.get(written);
  if (entity === undefined) {
    throw refuse(`Invalid entity type '${written}'. Valid entity types are ${printedTuple(ENTITIES.keys())}`, name.position);
  }
  if (entity === 'attribute' && (!attributes.includes(key) || (isQuoted && !quotable))) {
    const shown = isQuoted && !quotable ? name.text.slice(name.text.indexOf(key) - 1) : key;
    throw refuse(
      `Invalid attribute key '${shown}' specified. Valid keys are '${printedSet(attributes)}'`,
      name.position,
      isQuoted && !quotable ? 'Write it without quotes.' : undefined,
    );
  }
  return { entity, key };
}
