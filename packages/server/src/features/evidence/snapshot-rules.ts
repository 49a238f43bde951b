/** What an evidence snapshot holds, and how it is named. Pure; the form is on disk for ever. */
import { hash } from 'node:crypto';
import type { EvidenceMetric, VersionEvidence } from '@countersign/contract/policy-facts.ts';
import canonicalize from 'canonicalize';
import type { Signature } from './signature-rules.ts';

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/** JSON has no number for the words. */
export type MetricValue = number | 'NaN' | 'Infinity' | '-Infinity';

export interface SnapshotMetric {
  readonly name: string;
  readonly value: MetricValue;
  /** null where the point named none. */
  readonly dataset: string | null;
  readonly dataset_digest: string | null;
  readonly source: 'run' | 'logged model';
}

/** Lists are sorted, so that the same facts are one text; a model card's sections stand in its order. */
export interface SnapshotContent {
  readonly lineage: 'verified' | 'claimed' | 'none';
  readonly run_id: string | null;
  readonly logged_model_id: string | null;
  /** Final values. With params and datasets: empty unless the lineage is verified. */
  readonly metrics: readonly SnapshotMetric[];
  readonly params: readonly KeyValue[];
  readonly datasets: readonly { readonly name: string; readonly digest: string }[];
  /** null where the sealed files have none. */
  readonly signature: Signature | null;
  readonly has_input_example: boolean;
  readonly flavors: readonly string[];
  /** Of a `requirements.txt` among the sealed files. */
  readonly requirements: readonly { readonly name: string; readonly asked: string }[];
  /** All of the version; of a prompt they hold its model configuration. */
  readonly tags: readonly KeyValue[];
  readonly has_description: boolean;
  readonly model_card_sections: readonly string[];
}

export interface Evidence {
  readonly content: SnapshotContent;
  /** RFC 8785 text of the content: what was hashed. */
  readonly body: string;
  /** SHA-256("countersign.evidence.v1\n" ‖ body), lowercase hex. */
  readonly digest: string;
}

/** Rows may come in any order. */
export function evidenceOf(facts: SnapshotContent): Evidence {
  const content: SnapshotContent = {
    ...facts,
    metrics: sorted(facts.metrics, (each) => [each.name, each.dataset ?? '', each.dataset_digest ?? '', each.source, String(each.value)]),
    params: sorted(facts.params, pairKey),
    datasets: sorted(facts.datasets, (each) => [each.name, each.digest]),
    signature: facts.signature === null ? null : (hashable(facts.signature) as Signature), // its members are kept
    flavors: sorted(facts.flavors, (each) => [each]),
    requirements: sorted(facts.requirements, (each) => [each.name, each.asked]),
    tags: sorted(facts.tags, pairKey),
  };
  // A metric is a double by nature, which RFC 8785 writes exactly.
  const body = canonicalize(content) ?? '';
  // Read back, so that it is the same before and after it was stored.
  return readEvidence(body, evidenceDigest(body));
}

export function evidenceDigest(body: string): string {
  return hash('sha256', `countersign.evidence.v1\n${body}`);
}

/** Reads a body that was stored. */
export function readEvidence(body: string, digest: string): Evidence {
  return { content: JSON.parse(body) as SnapshotContent, body, digest }; // written by `evidenceOf` only
}

/** As metrics are stored: NaN by its name, the infinities as the greatest doubles. */
export function metricValue(stored: number | 'NaN'): MetricValue {
  if (stored === Number.MAX_VALUE || stored === Infinity) return 'Infinity';
  if (stored === -Number.MAX_VALUE || stored === -Infinity) return '-Infinity';
  return typeof stored === 'number' && Number.isNaN(stored) ? 'NaN' : stored;
}

/** What policies ask of a version that a snapshot can answer. */
export type SnapshotFacts = Pick<
  VersionEvidence,
  'lineage' | 'metrics' | 'params' | 'tags' | 'hasDescription' | 'modelCardSections' | 'hasSignature' | 'hasInputExample'
>;

export function factsOf({ content }: Pick<Evidence, 'content'>): SnapshotFacts {
  return {
    lineage: content.lineage,
    metrics: content.metrics.map(toMetric),
    params: Object.fromEntries(content.params.map(({ key, value }) => [key, value])),
    tags: Object.fromEntries(content.tags.map(({ key, value }) => [key, value])),
    hasDescription: content.has_description,
    modelCardSections: content.model_card_sections,
    hasSignature: content.signature !== null && (content.signature.inputs !== null || content.signature.outputs !== null),
    hasInputExample: content.has_input_example,
  };
}

function toMetric({ name, value, dataset }: SnapshotMetric): EvidenceMetric {
  return { name, value: Number(value), dataset: dataset ?? undefined };
}

function pairKey({ key, value }: KeyValue): readonly string[] {
  return [key, value];
}

/** By UTF-16 code units, as RFC 8785 orders members. */
function sorted<Item>(items: readonly Item[], keyOf: (item: Item) => readonly string[]): readonly Item[] {
  const keyed = items.map((item) => ({ item, key: keyOf(item) }));
  return keyed.sort((a, b) => compareKeys(a.key, b.key)).map(({ item }) => item);
}

function compareKeys(a: readonly string[], b: readonly string[]): number {
  for (const [i, left] of a.entries()) {
    const right = b[i] ?? '';
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

/** A signature is any JSON or YAML: what RFC 8785 has no form for, or would round, is written as text. */
function hashable(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value === 'number')
    return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value)) ? value : String(value);
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return value.map(hashable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name.toWellFormed(), hashable(member)]));
}
