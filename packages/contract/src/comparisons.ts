/** Two versions side by side, by meaning. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { closed, Id, MetricValue, ModelName, named, nullable, oneOf, VersionNumber } from './schemas.ts';
import { ByVersion } from './versions.ts';

/** Files shown one by one; more are counted only. */
export const COMPARED_FILES_MAX = 1000;

const Json = Type.Unknown({ description: 'Any JSON.' });

const Difference = named(
  'Difference',
  {
    name: Type.String(),
    change: oneOf(['same', 'changed', 'added', 'removed']),
    from: nullable(Type.String(), 'In the version of the path; null where it is not there.'),
    to: nullable(Type.String(), 'In the version of `with`; null where it is not there.'),
  },
  'One name in both versions.',
);

const MetricDifference = named('MetricDifference', {
  name: Type.String(),
  change: oneOf(['same', 'changed', 'added', 'removed']),
  from: nullable(MetricValue),
  to: nullable(MetricValue),
  delta: nullable(Type.Number(), '`to` − `from`, where both are finite.'),
});

const JsonDifference = named('JsonDifference', { change: oneOf(['same', 'changed', 'added', 'removed', 'absent']), from: Json, to: Json });

const Side = named('ComparedVersion', {
  id: Id,
  name: ModelName,
  version: VersionNumber,
  digest: nullable(Type.String()),
  facts_from: Type.Array(oneOf(['run', 'logged model', 'sealed files']), { description: 'Where params, metrics and the rest were read.' }),
});

const FileRef = closed({ path: Type.String(), sha256: Type.String(), size_bytes: Type.Integer() });

export const ComparisonSchema = named('Comparison', {
  from: Side,
  to: Side,
  same_bytes: nullable(Type.Boolean(), 'Whether both are sealed over the same files; null where one is not sealed.'),
  params: Type.Array(Difference),
  metrics: Type.Array(MetricDifference, { description: 'The latest point of each key.' }),
  tags: Type.Array(Difference),
  signature: closed({
    inputs: JsonDifference,
    outputs: JsonDifference,
    params: JsonDifference,
    breaks: Type.Array(Type.String(), {
      description:
        'Why a caller of `from` would break on `to`: what policies call a breaking signature. Empty where none would, or `from` has no signature.',
    }),
  }),
  requirements: Type.Array(Difference, { description: 'Python packages of the sealed requirements.txt, by name.' }),
  flavors: Type.Array(closed({ name: Type.String(), change: oneOf(['same', 'changed', 'added', 'removed']), from: Json, to: Json })),
  files: nullable(
    closed({
      same_count: Type.Integer(),
      added: Type.Array(FileRef),
      removed: Type.Array(FileRef),
      changed: Type.Array(closed({ path: Type.String(), from: FileRef, to: FileRef })),
      is_truncated: Type.Boolean({ description: `Of each list at most ${COMPARED_FILES_MAX} are shown.` }),
    }),
    'By digest; null where one of them is not sealed.',
  ),
});

export const comparisonEndpoints = [
  endpoint({
    id: 'compareVersions',
    noun: 'comparisons',
    method: 'GET',
    path: '/api/v1/models/{name}/versions/{version}/comparison',
    permission: 'model-version.view',
    summary: 'Compare two versions by params, metrics, signature, requirements, flavors, tags and files.',
    params: ByVersion,
    query: closed({ with: Type.String({ description: 'The other version: its number, or `NAME/NUMBER` for one of another model.' }) }),
    output: ComparisonSchema,
  }),
] as const;
