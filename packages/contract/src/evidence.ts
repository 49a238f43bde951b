/** What is known of a version, as decisions are bound to it. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { closed, MetricValue, named, nullable, oneOf, PrincipalRef, Tag, Time } from './schemas.ts';
import { ByVersion } from './versions.ts';

const Json = Type.Unknown({ description: 'Any JSON.' });

export const EvidenceSchema = named(
  'Evidence',
  {
    digest: Type.String({
      pattern: '^[0-9a-f]{64}$',
      description: 'SHA-256 of "countersign.evidence.v1\\n" and `body`. Approvals are bound to it.',
    }),
    number: nullable(Type.Integer({ minimum: 1 }), 'From 1, each renewal has the next; null where none was taken yet.'),
    taken_at: nullable(Time, 'null where none was taken yet: then this is what would be taken.'),
    taken_by: nullable(PrincipalRef),
    is_current: Type.Boolean({ description: 'Whether a new snapshot would say the same.' }),
    lineage: oneOf(['verified', 'claimed', 'none'], 'Metrics, params and datasets count only where it is `verified`.'),
    run_id: nullable(Type.String()),
    logged_model_id: nullable(Type.String()),
    metrics: Type.Array(
      closed({
        name: Type.String(),
        value: MetricValue,
        dataset: nullable(Type.String(), 'That the point named.'),
        dataset_digest: nullable(Type.String()),
        source: oneOf(['run', 'logged model']),
      }),
      { description: "Final values. A logged model's go before those of its run under the same name." },
    ),
    params: Type.Array(Tag),
    datasets: Type.Array(closed({ name: Type.String(), digest: Type.String() }), { description: 'Inputs of the run.' }),
    signature: nullable(closed({ inputs: Json, outputs: Json, params: Json }), 'Of the sealed MLmodel.'),
    has_input_example: Type.Boolean(),
    flavors: Type.Array(Type.String()),
    requirements: Type.Array(closed({ name: Type.String(), asked: Type.String() })),
    tags: Type.Array(Tag),
    has_description: Type.Boolean(),
    model_card_sections: Type.Array(Type.String(), {
      description: 'Headings with text below them, of the description, README.md and model_card.md.',
    }),
    body: Type.String({ description: 'RFC 8785 text of all this: what was hashed.' }),
  },
  'What was known of a version when a decision was asked for. Rules read this, never live metrics or tags.',
);

export const evidenceEndpoints = [
  endpoint({
    id: 'getEvidence',
    noun: 'evidence',
    method: 'GET',
    path: '/api/v1/models/{name}/versions/{version}/evidence',
    permission: 'model-version.read',
    summary: 'The newest evidence snapshot of a version, or what would be taken.',
    params: ByVersion,
    output: EvidenceSchema,
  }),
  endpoint({
    id: 'renewEvidence',
    noun: 'evidence',
    method: 'POST',
    path: '/api/v1/models/{name}/versions/{version}/evidence/renew',
    permission: 'model-version.edit',
    summary: 'Take a new evidence snapshot.',
    description:
      'Approvals that are bound to the one before become stale. Where nothing has changed, that one is answered, and nothing is recorded.',
    params: ByVersion,
    output: EvidenceSchema,
  }),
] as const;
