/** Schemas that several nouns of the native API are made of. */
import { type TProperties, type TSchema, Type } from 'typebox';

/** An object that takes no other members. */
export function closed<P extends TProperties>(properties: P, description?: string) {
  return Type.Object(properties, { additionalProperties: false, ...(description === undefined ? {} : { description }) });
}

/** The same with a name of its own in the documentation. */
export function named<P extends TProperties>(id: string, properties: P, description?: string) {
  return Type.Object(properties, { $id: id, additionalProperties: false, ...(description === undefined ? {} : { description }) });
}

export function nullable<T extends TSchema>(schema: T, description?: string) {
  return Type.Union([schema, Type.Null()], description === undefined ? {} : { description });
}

/** One of these words. */
export function oneOf<const Words extends readonly string[]>(words: Words, description?: string) {
  return Type.Unsafe<Words[number]>({ enum: [...words], ...(description === undefined ? {} : { description }) });
}

export const NO_PARAMS = closed({});
export const Done = named('Done', {}, 'The change is made and durable.');

export const Time = Type.Integer({ description: 'Epoch milliseconds.' });
export const Id = Type.Integer({ minimum: 0, description: 'Given once, never again, whatever is renamed or purged.' });
export const ModelName = Type.String({ minLength: 1, description: 'Name of a registered model.' });
export const StageName = Type.String({
  minLength: 1,
  description: 'None, Staging, Production, Archived, or a stage that the workspace defined.',
});
export const StageWord = Type.String({ description: 'Name of a stage of the workspace, in any case.' });
export const VersionNumber = Type.Integer({ minimum: 1, description: 'Number of the version inside its model.' });
/** JSON has no number for these three. */
export const MetricValue = Type.Union([Type.Number(), oneOf(['NaN', 'Infinity', '-Infinity'])], {
  description: 'A number, or its name where JSON has none.',
});

export const TAGS_MAX = 100;

export const Tag = named('Tag', { key: Type.String({ minLength: 1 }), value: Type.String() });
export const NewTags = Type.Optional(
  Type.Array(closed({ key: Type.String({ minLength: 1 }), value: Type.String() }), {
    maxItems: TAGS_MAX,
    description: 'A later one of the same key wins.',
  }),
);
export const TagKey = Type.String({ minLength: 1, description: "Key of the tag; percent-encode a '/' as %2F." });
export const TagValue = closed({ value: Type.String() });

export const PrincipalRef = named(
  'Principal',
  { id: Id, kind: Type.String(), name: Type.String() },
  'Who was authenticated, never what a client claims about itself.',
);

export const PAGE_SIZE = 100;
export const PAGE_SIZE_MAX = 1000;

export const Limit = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: PAGE_SIZE_MAX,
    default: PAGE_SIZE,
    description: `Entries in a page; ${PAGE_SIZE} where it is left out.`,
  }),
);
export const PageToken = Type.Optional(Type.String({ description: '`next_page_token` of the page before.' }));
export const NextPageToken = nullable(Type.String(), 'Asks for the page behind this one; null on the last.');
